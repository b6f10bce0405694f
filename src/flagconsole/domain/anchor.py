"""Anchors: the head of the audit log, signed and kept elsewhere. What the log alone can't show, a tail that was cut off or a
chain that was written anew as a whole, they do.

A file of anchors has one JSON object a line. The signature is ``v1=`` and the hex HMAC-SHA256 of the canonical JSON of the
rest.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, ValidationError

from flagconsole.domain.audit import ChainReport, ChainVerifier, canonical_json
from flagconsole.domain.change import Change
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.flag import Frozen

#: The variable with the key that anchors are signed with.
KEY_VARIABLE: Final = "FLAGCONSOLE_ANCHOR_KEY"
#: A shorter key could be guessed.
LEAST_KEY: Final = 16


class Anchor(Frozen):
    """The head as it was ``at`` some time."""

    environment: str
    epoch: str
    revision: int
    audit_hash: str
    at: AwareDatetime
    signature: str = ""

    def signed(self, key: bytes) -> Anchor:
        """The same with its signature."""
        return self.model_copy(update={"signature": self._signature(key)})

    def is_signed_with(self, key: bytes) -> bool:
        """Whether it is as whoever has the key has written it."""
        return hmac.compare_digest(self.signature.encode(), self._signature(key).encode())

    def _signature(self, key: bytes) -> str:
        said = canonical_json(self.model_dump(mode="json", exclude={"signature"}))
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
    """The anchors of a file, by revision. Raises ``InvalidInput`` naming the first line that isn't one or isn't signed."""
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
    return sorted(found, key=lambda anchor: anchor.revision)


def verify_log(
    changes: Iterable[Change], head_revision: int, head_hash: str, anchors: Iterable[Anchor] = ()
) -> ChainReport:
    """Check the log's chain, oldest entry first, and that every anchored head is in it.

    Of a chain that was written anew the report names the first entry that may differ: the one after the newest anchor that
    still holds.
    """
    hashes: dict[int, str] = {0: ""}
    verifier = ChainVerifier()
    for change in changes:
        if not verifier.add(change):
            break
        hashes[change.change_id] = change.hash
    report = verifier.report(head_revision, head_hash)
    held = 0
    for anchor in anchors:
        if report.first_broken is not None and anchor.revision >= report.first_broken:
            break
        problem = _differs(anchor, hashes, report.entries)
        if problem is not None:
            return report._replace(verified=False, first_broken=held + 1, problem=problem)
        held = anchor.revision
    return report


def _differs(anchor: Anchor, hashes: dict[int, str], entries: int) -> str | None:
    """What is wrong with the log as far as this anchor knows it."""
    if anchor.revision == 0:
        return None
    when = _when(anchor.at)
    found = hashes.get(anchor.revision)
    if found is None:
        return f"the log ends at {entries}, but entry {anchor.revision} was anchored {when}: its tail was cut off"
    if found != anchor.audit_hash:
        return f"entry {anchor.revision} is not the one that was anchored {when}: the chain was written anew"
    return None


def _when(at: datetime) -> str:
    return f"at {at.isoformat(timespec='seconds')}"


def anchor_line(anchor: Anchor) -> str:
    """The anchor as a line of a file."""
    return json.dumps(anchor.model_dump(mode="json"), ensure_ascii=False) + "\n"
