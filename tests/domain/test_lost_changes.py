"""Which kills an older backup has lost."""

from __future__ import annotations

from datetime import UTC, datetime

from flagconsole.domain.audit import GENESIS, entry_hash
from flagconsole.domain.change import Action, Change, ChangeType
from flagconsole.domain.lost_changes import lost_changes


def log(*entries: tuple[str, str], after: list[Change] | None = None, tenant: str | None = None) -> list[Change]:
    """A log in which flags got states, one after the other, after those of another log."""
    changes = list(after or [])
    for flag, state in entries:
        fields = {
            "change_id": len(changes) + 1,
            "epoch": "e",
            "flag_name": flag,
            "tenant_id": tenant,
            "action": Action.SET,
            "change_type": ChangeType.MANUAL,
            "new": {"override_state" if tenant else "current_state": state},
            "change_reason": "r",
            "changed_by": "ada",
            "changed_at": datetime(2026, 1, 1, tzinfo=UTC),
            "version": 1,
            "previous_hash": changes[-1].hash if changes else GENESIS,
            "hash": "0" * 64,
        }
        draft = Change.model_validate(fields)
        hashed = entry_hash(draft.previous_hash, draft.model_dump(mode="json", exclude={"hash"}))
        changes.append(draft.model_copy(update={"hash": hashed}))
    return changes


def lost(exported: list[Change], here: list[Change]) -> tuple[list[int], list[str]]:
    found = lost_changes(exported, here)
    return [change.change_id for change in found.changes], [change.flag_name for change in found.kills]


BACKUP = log(("a.a", "on"), ("b.b", "kill"), ("c.c", "on"))


def test_a_kill_after_the_backup_is_lost():
    assert lost(log(("a.a", "kill"), ("c.c", "off"), after=BACKUP), BACKUP) == ([4, 5], ["a.a"])


def test_a_kill_in_the_backup_is_not():
    assert lost(log(("c.c", "off"), after=BACKUP), BACKUP) == ([4], [])


def test_a_kill_that_was_cleared_again_is_not():
    assert lost(log(("a.a", "kill"), ("a.a", "off"), after=BACKUP), BACKUP) == ([4, 5], [])


def test_the_same_log_has_lost_nothing():
    assert lost(BACKUP, BACKUP) == ([], [])
    assert lost(BACKUP, log(("a.a", "kill"), after=BACKUP)) == ([], [])


def test_killed_again_it_is_answered_also_once_it_is_revived():
    exported = log(("a.a", "kill"), after=BACKUP)
    assert lost(exported, log(("c.c", "off"), after=BACKUP)) == ([4], ["a.a"])
    assert lost(exported, log(("c.c", "off"), ("a.a", "kill"), after=BACKUP)) == ([4], [])
    assert lost(exported, log(("c.c", "off"), ("a.a", "kill"), ("a.a", "off"), after=BACKUP)) == ([4], [])


def test_revived_and_killed_again_there_what_is_still_killed_here_is_killed():
    assert lost(log(("b.b", "off"), ("b.b", "kill"), after=BACKUP), BACKUP) == ([4, 5], [])


def test_a_tenants_override_kills_nothing():
    assert lost(log(("a.a", "off"), after=log(("a.a", "kill"), after=BACKUP), tenant="t-1"), BACKUP) == (
        [4, 5],
        ["a.a"],
    )
