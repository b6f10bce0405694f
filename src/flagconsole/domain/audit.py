"""The hash chain of the audit log: ``hash = SHA-256(previous hash ‖ canonical JSON of the entry)``.

Editing, deleting, inserting or swapping an entry breaks the chain at a nameable place. A tail that was cut off can't be
seen from inside; for that the head is kept elsewhere as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

GENESIS: Final = "0" * 64
#: Made once: ``json.dumps`` makes it anew for each call.
_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
#: Fields that older entries were hashed without: where they are null they are no part of the hash.
_LATER_FIELDS: Final = ("break_glass", "approved_by")


class Chained(Protocol):
    """An entry of a chain: a model with these fields."""

    @property
    def number(self) -> int:
        """Its place, from 1 on."""

    @property
    def previous_hash(self) -> str:
        """The hash of the entry before it."""

    @property
    def hash(self) -> str:
        """Its own."""

    def model_dump(self, *, mode: str, exclude: set[str]) -> dict[str, Any]:
        """Its fields as JSON has them."""


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """The one spelling of a JSON object that is hashed: sorted keys, no blanks, UTF-8, no NaN."""
    return _canonical(value).encode()


def entry_hash(previous_hash: str, entry: Mapping[str, Any]) -> str:
    """The hash of an entry (without its own ``hash`` field) that follows ``previous_hash``; 64 hex digits."""
    entry = {name: value for name, value in entry.items() if value is not None or name not in _LATER_FIELDS}
    return hashlib.sha256(previous_hash.encode() + canonical_json(entry)).hexdigest()


def hash_of(entry: Chained) -> str:
    """The hash that ``entry`` must carry, computed from its other fields."""
    return entry_hash(entry.previous_hash, entry.model_dump(mode="json", exclude={"hash"}))


class ChainReport(NamedTuple):
    """What verifying a chain found. ``first_broken`` is the entry's number, ``problem`` says what is wrong with it."""

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

    def add(self, entry: Chained) -> bool:
        """Check the next entry. False, once and for all, when the chain is broken."""
        if self._broken is None:
            problem = self._problem(entry)
            if problem is None:
                self._previous_hash, self._count = entry.hash, self._count + 1
            else:
                self._broken = min(self._count + 1, entry.number), problem
        return self._broken is None

    def report(self, head_number: int, head_hash: str) -> ChainReport:
        """The result, given what the head row names."""
        if self._broken is None and self._count != head_number:
            self._broken = self._count + 1, f"the head names entry {head_number}"
        elif self._broken is None and self._previous_hash != head_hash:
            self._broken = self._count, "the head names another hash"
        first_broken, problem = self._broken or (None, None)
        return ChainReport(self._broken is None, self._count, self._previous_hash, first_broken, problem)

    def _problem(self, entry: Chained) -> str | None:
        if entry.number != self._count + 1:
            return "it comes twice" if entry.number <= self._count else f"entry {self._count + 1} is missing"
        if entry.previous_hash != self._previous_hash:
            return "its previous_hash is not the hash of the entry before it"
        if hash_of(entry) != entry.hash:
            return "its content does not match its hash"
        return None


def verify_chain(entries: Iterable[Chained], head_number: int, head_hash: str) -> ChainReport:
    """Check every entry, oldest first, and that the last one is what the head row names."""
    verifier = ChainVerifier()
    for entry in entries:
        if not verifier.add(entry):
            break
    return verifier.report(head_number, head_hash)
