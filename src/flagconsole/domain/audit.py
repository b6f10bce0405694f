"""The hash chain of the audit log: ``hash = SHA-256(previous hash ‖ canonical JSON of the entry)``.

Editing, deleting, inserting or swapping an entry breaks the chain at a nameable place. A tail that was cut off can't be
seen from inside; for that the head is kept elsewhere as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from flagconsole.domain.change import Change

GENESIS: Final = "0" * 64


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """The one spelling of a JSON object that is hashed: sorted keys, no blanks, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def entry_hash(previous_hash: str, entry: Mapping[str, Any]) -> str:
    """The hash of an entry (without its own ``hash`` field) that follows ``previous_hash``; 64 hex digits."""
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


def verify_chain(changes: Iterable[Change], head_revision: int, head_hash: str) -> ChainReport:
    """Check every entry, oldest first, and that the last one is what the head row names."""
    previous_hash, expected_id, count = GENESIS, 1, 0
    for change in changes:
        problem = None
        if change.change_id != expected_id:
            problem = f"entry {expected_id} is missing"
        elif change.previous_hash != previous_hash:
            problem = "its previous_hash is not the hash of the entry before it"
        elif hash_of(change) != change.hash:
            problem = "its content does not match its hash"
        if problem is not None:
            return ChainReport(False, count, previous_hash, min(expected_id, change.change_id), problem)
        previous_hash, expected_id, count = change.hash, expected_id + 1, count + 1
    if expected_id - 1 != head_revision:
        return ChainReport(False, count, previous_hash, expected_id, f"the head names revision {head_revision}")
    if previous_hash != head_hash:
        return ChainReport(False, count, previous_hash, head_revision, "the head names another hash")
    return ChainReport(True, count, previous_hash)
