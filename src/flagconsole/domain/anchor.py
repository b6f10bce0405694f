"""Anchors: the heads of the audit log, signed and kept elsewhere. What the log alone can't show, a tail that was cut off or a
chain that was written anew as a whole, they do.

A file of anchors has one JSON object a line. The signature is ``v1=`` and the hex HMAC-SHA256 of the canonical JSON of the
rest, without fields that are null.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import AwareDatetime, ValidationError

from flagconsole.domain.act import Act
from flagconsole.domain.audit import Chained, ChainReport, ChainVerifier, canonical_json
from flagconsole.domain.change import Change
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.flag import Frozen

#: The variable with the key that anchors are signed with.
KEY_VARIABLE: Final = "FLAGCONSOLE_ANCHOR_KEY"
#: A shorter key could be guessed.
LEAST_KEY: Final = 16


class Anchor(Frozen):
    """The heads as they were ``at`` some time: of the changes by ``revision``, of the acts by ``act_id``; an older anchor knows none of
    those."""

    environment: str
    epoch: str
    revision: int
    audit_hash: str
    act_id: int | None = None
    act_hash: str | None = None
    at: AwareDatetime
    signature: str = ""

    def signed(self, key: bytes) -> Anchor:
        """The same with its signature."""
        return self.model_copy(update={"signature": self._signature(key)})

    def is_signed_with(self, key: bytes) -> bool:
        """Whether it is as whoever has the key has written it."""
        return hmac.compare_digest(self.signature.encode(), self._signature(key).encode())

    def _signature(self, key: bytes) -> str:
        said = canonical_json(self.model_dump(mode="json", exclude={"signature"}, exclude_none=True))
        return "v1=" + hmac.new(key, said, hashlib.sha256).hexdigest()


def anchor_key(value: str | None) -> bytes:
    """The key to sign with. Raises ``InvalidInput`` for one that is missing or too short."""
    if value is None or len(value) < LEAST_KEY:
        raise InvalidInput(
            "Anyone could sign as well: keep it away from whoever can write to the store.",
            field=KEY_VARIABLE,
            problem=f"must be set, to at least {LEAST_KEY} characters",
            value="nothing" if value is None else f"{len(value)} characters",
        )
    return value.encode()


def read_anchors(text: str, key: bytes, source: str) -> list[Anchor]:
    """The anchors of a file, by position. Raises ``InvalidInput`` naming the first line that isn't one or isn't signed."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{source} line {number}"
        try:
            anchor = Anchor.model_validate_json(line)
        except ValidationError:
            raise InvalidInput(field=where, problem="is not an anchor", value=line[:100]) from None
        if not anchor.is_signed_with(key):
            raise InvalidInput(
                f"Is {KEY_VARIABLE} the key that it was written with?",
                field=where,
                problem="is not signed with this key",
                value=anchor.signature[:100],
            )
        found.append(anchor)
    return sorted(found, key=lambda anchor: (anchor.revision, anchor.act_id or 0))


class _Mark(NamedTuple):
    """What an anchor knows of one chain."""

    number: int
    hash: str
    at: datetime


def verify_log(
    changes: Iterable[Change], head_revision: int, head_hash: str, anchors: Iterable[Anchor] = ()
) -> ChainReport:
    """Check the chain of changes, oldest first, and that every anchored head is in it.

    Of a chain that was written anew the report names the first entry that may differ: the one after the newest anchor that
    still holds.
    """
    marks = [_Mark(anchor.revision, anchor.audit_hash, anchor.at) for anchor in anchors]
    return _verified(changes, head_revision, head_hash, marks)


def verify_acts(
    acts: Iterable[Act] | None, head_act: int, head_hash: str, anchors: Iterable[Anchor] = ()
) -> ChainReport | None:
    """The same for the chain of acts. None where they are not known (``acts`` is None) and no anchor knows of any."""
    marks = [
        _Mark(anchor.act_id, anchor.act_hash, anchor.at)
        for anchor in sorted(anchors, key=lambda anchor: anchor.act_id or 0)
        if anchor.act_id is not None and anchor.act_hash is not None
    ]
    if acts is None and not any(mark.number for mark in marks):
        return None
    return _verified(acts or (), head_act, head_hash, marks)


def _verified(entries: Iterable[Chained], head_number: int, head_hash: str, marks: Sequence[_Mark]) -> ChainReport:
    hashes: dict[int, str] = {}
    verifier = ChainVerifier()
    for entry in entries:
        if not verifier.add(entry):
            break
        hashes[entry.number] = entry.hash
    report = verifier.report(head_number, head_hash)
    held = 0
    for mark in marks:
        if report.first_broken is not None and mark.number >= report.first_broken:
            break
        problem = _differs(mark, hashes, report.entries)
        if problem is not None:
            return report._replace(verified=False, first_broken=held + 1, problem=problem)
        held = mark.number
    return report


def _differs(mark: _Mark, hashes: dict[int, str], entries: int) -> str | None:
    """What is wrong with the chain as far as this mark knows it."""
    if mark.number == 0:
        return None
    when = f"at {mark.at.isoformat(timespec='seconds')}"
    found = hashes.get(mark.number)
    if found is None:
        return f"the log ends at {entries}, but entry {mark.number} was anchored {when}: its tail was cut off"
    if found != mark.hash:
        return f"entry {mark.number} is not the one that was anchored {when}: the chain was written anew"
    return None


def anchor_line(anchor: Anchor) -> str:
    """The anchor as a line of a file."""
    return json.dumps(anchor.model_dump(mode="json", exclude_none=True), ensure_ascii=False) + "\n"
