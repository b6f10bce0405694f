"""The hash chain: every edit, loss, insertion and swap is seen, at a nameable place."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from flagconsole.domain.audit import GENESIS, canonical_json, entry_hash, hash_of, verify_chain
from flagconsole.domain.change import Action, Change, ChangeType

AT = datetime(2026, 11, 22, 3, 14, tzinfo=UTC)


def entry(change_id: int, previous_hash: str, **fields: Any) -> Change:
    draft = Change(
        change_id=change_id,
        epoch="e",
        flag_name="pos.lite",
        action=Action.SET,
        change_type=ChangeType.MANUAL,
        previous={"current_state": "off"},
        new={"current_state": "on"},
        change_reason=f"reason {change_id}",
        changed_by="ada",
        changed_at=AT,
        version=change_id,
        previous_hash=previous_hash,
        hash="",
    ).model_copy(update=fields)
    return draft.model_copy(update={"hash": hash_of(draft)})


def chain(length: int) -> list[Change]:
    entries: list[Change] = []
    for change_id in range(1, length + 1):
        entries.append(entry(change_id, entries[-1].hash if entries else GENESIS))
    return entries


def test_a_whole_chain_holds():
    entries = chain(5)
    report = verify_chain(entries, 5, entries[-1].hash)
    assert report == (True, 5, entries[-1].hash, None, None)


def test_an_empty_log_holds():
    assert verify_chain([], 0, GENESIS).verified


@pytest.mark.parametrize(
    "field",
    [
        {"change_reason": "another"}, {"changed_by": "eve"}, {"flag_name": "a.b"}, {"tenant_id": "acme"},
        {"previous": None}, {"new": {"current_state": "off"}}, {"reverts": (1,)}, {"correlation_id": "x"},
        {"epoch": "f"}, {"version": 9}, {"action": Action.KILLED}, {"change_type": ChangeType.AUTOMATED},
        {"changed_at": AT.replace(microsecond=1)},
    ],
    ids=lambda field: next(iter(field)),
)  # fmt: skip
def test_editing_any_field_is_seen_at_that_entry(field: dict[str, Any]):
    entries = chain(5)
    entries[2] = entries[2].model_copy(update=field)
    report = verify_chain(entries, 5, entries[-1].hash)
    assert (report.verified, report.first_broken, report.entries) == (False, 3, 2)
    assert report.problem == "its content does not match its hash"


def test_an_edit_with_a_new_hash_is_seen_at_the_next_entry():
    entries = chain(5)
    entries[2] = entry(3, entries[1].hash, change_reason="another")
    report = verify_chain(entries, 5, entries[-1].hash)
    assert (report.verified, report.first_broken) == (False, 4)


def test_a_rewritten_tail_is_seen_at_the_head():
    entries = chain(5)
    entries[4] = entry(5, entries[3].hash, change_reason="another")
    report = verify_chain(entries, 5, chain(5)[-1].hash)
    assert (report.verified, report.first_broken) == (False, 5)


def test_lost_inserted_and_swapped_entries_are_seen():
    head = chain(5)[-1].hash
    lost, swapped, cut = chain(5), chain(5), chain(5)[:4]
    del lost[2]
    swapped[1], swapped[2] = swapped[2], swapped[1]
    doubled = [*chain(5)[:3], chain(5)[2], *chain(5)[3:]]
    assert verify_chain(lost, 5, head)[3:] == (3, "entry 3 is missing")
    assert verify_chain(swapped, 5, head).first_broken == 2
    assert verify_chain(doubled, 5, head).first_broken == 3
    assert verify_chain(cut, 5, head).first_broken == 5
    assert verify_chain(chain(5)[1:], 5, head).first_broken == 1


def test_the_hash_is_what_the_documentation_says():
    first = chain(1)[0]
    body = first.model_dump(mode="json", exclude={"hash", "break_glass", "approved_by"})
    assert first.hash == hashlib.sha256(GENESIS.encode() + canonical_json(body)).hexdigest()
    marked = first.model_copy(update={"break_glass": "glass-1"})
    told = body | {"break_glass": "glass-1"}
    assert hash_of(marked) == hashlib.sha256(GENESIS.encode() + canonical_json(told)).hexdigest()


def test_there_is_one_spelling_of_an_object():
    assert canonical_json({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'.encode()
    assert entry_hash(GENESIS, {"a": 1, "b": 2}) == entry_hash(GENESIS, {"b": 2, "a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json({"a": float("nan")})
