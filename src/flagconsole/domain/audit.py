"""The hash chain of the audit log: ``hash = SHA-256(previous hash ‖ canonical JSON of the entry)``.

Editing, deleting, inserting or swapping an entry breaks the chain at a nameable place. A tail that was cut off can't be
seen from inside; for that the head is kept elsewhere as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from flagconsole.domain.change import Change

GENESIS: Final = "0" * 64
#: Fields that older entries were hashed without: where they are null they are no part of the hash.
_LATER_FIELDS: Final = ("break_glass", "approved_by")


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """The one spelling of a JSON object that is hashed: sorted keys, no blanks, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def entry_hash(previous_hash: str, entry: Mapping[str, Any]) -> str:
    """The hash of an entry (without its own ``hash`` field) that follows ``previous_hash``; 64 hex digits."""
    entry = {name: value for name, value in entry.items() if value is not None or name not in _LATER_FIELDS}
    return hashlib.sha256(previous_hash.encode() + canonical_json(entry)).hexdigest()


def hash_of(change: Change) -> str:
    """The hash that ``change`` must carry, computed from its other fields."""
    return entry_hash(change.previous_hash, change.model_dump(mode="json", exclude={"hash"}))


class ChainReport(NamedTuple):
    """What verifying a chain found. ``first_broken`` is the change id, ``problem`` says what is wrong with it."""

    verified: bool
    entries: int
    head_hash: str
    first_broken: int | None = None
    problem: str | None = None


class ChainVerifier:
    """Checks a chain entry by entry, oldest first, so that a log of any length can be read in pages."""

    def __init__(self) -> None:
        self._previous_hash = GENESIS
        self._count = 0
        self._broken: tuple[int, str] | None = None

    def add(self, change: Change) -> bool:
        """Check the next entry. False, once and for all, when the chain is broken."""
        if self._broken is None:
            problem = self._problem(change)
            if problem is None:
                self._previous_hash, self._count = change.hash, self._count + 1
            else:
                self._broken = min(self._count + 1, change.change_id), problem
        return self._broken is None

    def report(self, head_revision: int, head_hash: str) -> ChainReport:
        """The result, given what the head row names."""
        if self._broken is None and self._count != head_revision:
            self._broken = self._count + 1, f"the head names revision {head_revision}"
        elif self._broken is None and self._previous_hash != head_hash:
            self._broken = self._count, "the head names another hash"
        first_broken, problem = self._broken or (None, None)
        return ChainReport(self._broken is None, self._count, self._previous_hash, first_broken, problem)

    def _problem(self, change: Change) -> str | None:
        if change.change_id != self._count + 1:
            return "it comes twice" if change.change_id <= self._count else f"entry {self._count + 1} is missing"
        if change.previous_hash != self._previous_hash:
            return "its previous_hash is not the hash of the entry before it"
        if hash_of(change) != change.hash:
            return "its content does not match its hash"
        return None


def verify_chain(changes: Iterable[Change], head_revision: int, head_hash: str) -> ChainReport:
    """Check every entry, oldest first, and that the last one is what the head row names."""
    verifier = ChainVerifier()
    for change in changes:
        if not verifier.add(change):
            break
    return verifier.report(head_revision, head_hash)
