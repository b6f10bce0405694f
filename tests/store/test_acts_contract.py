"""The log of acts: what changes no flag is put down as well, in a chain of its own, on every store."""

from __future__ import annotations

import contextlib
import sqlite3

import psycopg
import pytest

from flagconsole.domain.act import ActKind
from flagconsole.domain.approval import ApprovalDecline
from flagconsole.domain.audit import verify_chain
from flagconsole.domain.break_glass import GrantBegin, GrantReview
from flagconsole.domain.environment import Apply, Environment, PlanRequest
from flagconsole.domain.errors import ApprovalRequired, ChainBroken, InvalidInput, LastAdmin
from flagconsole.domain.requests import FlagCreate, FlagUpdate, KeyCreate, KeyRotate, OverrideSet
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.schedule import ScheduleCancel, ScheduleCreate
from flagconsole.domain.states import FlagState
from flagconsole.domain.stored_plan import PlanEntry
from flagconsole.operations.keys import authenticate
from flagconsole.operations.permissions import Operation
from flagconsole.operations.plan_file import named_plan
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.operations.service import Operations
from flagconsole.operations.store_environments import create_environment, rename_environment
from flagconsole.operations.transfer import transfer
from flagconsole.store import open_store
from flagconsole.store.acting import act_for

from ..conftest import ADMIN

BOB = Actor(name="bob", role=Role.ADMIN, key_id="key-of-bob")


async def kinds(operations) -> list[str]:
    return [act.kind.value for act in (await operations.audit_log(ADMIN, limit=500)).acts][::-1]


async def live(operations, store, store_url) -> None:
    """One act of each kind."""
    await operations.create(ADMIN, FlagCreate(flag_name="pos.lite"))
    first = await operations.create_key(BOB, KeyCreate(name="root", role=Role.ADMIN))
    made = await operations.create_key(BOB, KeyCreate(name="olu", role=Role.OPERATOR))
    rotated = await operations.rotate_key(BOB, made.api_key.key_id, KeyRotate(overlap_seconds=60))
    async with store.read() as reader:
        olu = await authenticate(reader, rotated.secret)
    grant = (await operations.begin_break_glass(olu, GrantBegin(reason="3 a.m."))).grant
    async with store.read() as reader:
        raised = await authenticate(reader, rotated.secret)
    await operations.note_deed(raised, Operation.CREATE, "POST /api/flags")
    await operations.end_break_glass(raised, grant.grant_id)
    await operations.review_break_glass(BOB, grant.grant_id, GrantReview(note="fine"))
    asking = Operations(store, requires_approvals=True)
    shadow = FlagUpdate(current_state=FlagState.SHADOW, change_reason="look")
    with pytest.raises(ApprovalRequired) as refused:
        await asking.update(ADMIN, "pos.lite", shadow, version=1)
    await asking.approve(BOB, str(refused.value.details["approval_id"]))
    await asking.decline(BOB, str(refused.value.details["approval_id"]), ApprovalDecline(decline_reason="no"))
    wanted = ScheduleCreate.model_validate(
        {"current_state": "off", "change_reason": "later", "at": "2026-11-23T04:00:00Z"}
    )
    schedule = (await operations.schedule(BOB, "pos.lite", wanted, version=1)).schedule
    await operations.cancel_schedule(BOB, schedule.schedule_id, ScheduleCancel(cancel_reason="not today"))
    await RolloutOperations(store).tick(BOB, "pos.lite", ("rollback tried",), "on tuesday")
    entry = PlanEntry(plan=named_plan("default", "pos.lite", ()).model_copy(update={"name": "slow"}))
    for plans, prune in (((entry,), False), ((), True)):
        request = PlanRequest(environment=Environment(flags=(), plans=plans), prune=prune)
        if prune:  # the flag is kept: only what the lists name is compared
            request = PlanRequest.model_validate({"environment": {"plans": []}, "prune": True})
        planned = await operations.plan(BOB, request)
        apply = Apply(**dict(request), change_reason="as agreed", plan_hash=planned.plan_hash)
        await operations.apply(BOB, apply)
    await operations.revoke_key(BOB, rotated.api_key.key_id)
    with pytest.raises(LastAdmin):
        await operations.revoke_key(BOB, first.api_key.key_id)
    await rename_environment(store_url, "local", "production", "ada")
    await create_environment(store_url, "staging", "ada")


async def test_each_is_put_down_once_with_who_and_why_and_moves_no_revision(operations, store, store_url):
    await live(operations, store, store_url)
    assert await kinds(operations) == [
        "key_created",
        "key_created",
        "key_rotated",
        "break_glass_begun",
        "break_glass_used",
        "break_glass_ended",
        "break_glass_reviewed",
        "approval_asked",
        "approval_given",
        "approval_declined",
        "schedule_created",
        "schedule_cancelled",
        "checklist_ticked",
        "plan_written",
        "plan_removed",
        "key_revoked",
        "environment_renamed",
        "environment_created",
    ]
    assert set(await kinds(operations)) == {kind.value for kind in ActKind}
    acts = (await operations.audit_log(ADMIN, limit=500)).acts[::-1]
    assert [act.act_id for act in acts] == list(range(1, 19))
    assert [act.reason for act in acts if act.reason] == [
        "3 a.m.",
        "fine",
        "no",
        "later",
        "not today",
        "on tuesday",
        "as agreed",
        "as agreed",
    ]
    assert (acts[0].done_by, acts[0].key_id, acts[0].details["role"]) == ("bob", "key-of-bob", "admin")
    assert acts[4].break_glass == acts[3].subject
    report = await operations.verify_audit(ADMIN)
    assert (report.verified, report.entries, report.acts.entries) == (True, 1, 18)
    async with store.read() as reader:
        assert (await reader.head()).revision == 1
        assert [change.change_id for change in await reader.changes()] == [1]
    secrets = [value for act in acts for value in act.details.values() if "fc_" in str(value)]
    assert secrets == []


async def test_what_changes_nothing_or_is_refused_or_tried_leaves_no_act(operations):
    made = await operations.create_key(ADMIN, KeyCreate(name="ada", role=Role.SDK))
    await operations.revoke_key(ADMIN, made.api_key.key_id)
    await operations.revoke_key(ADMIN, made.api_key.key_id)
    with pytest.raises(InvalidInput):
        await operations.create_key(
            ADMIN, KeyCreate.model_validate({"name": "late", "role": "sdk", "expires_at": "2020-01-01T00:00:00Z"})
        )
    await operations.create(ADMIN, FlagCreate(flag_name="pos.lite"))
    wanted = {"current_state": "off", "change_reason": "later", "at": "2026-11-23T04:00:00Z"}
    await operations.schedule(ADMIN, "pos.lite", ScheduleCreate.model_validate(wanted), dry_run=True)
    assert await kinds(operations) == ["key_created", "key_revoked"]


async def test_pages_follow_each_other(operations):
    for number in range(5):
        await operations.create_key(ADMIN, KeyCreate(name=f"key {number}", role=Role.SDK))
    first = await operations.audit_log(ADMIN, limit=2)
    second = await operations.audit_log(ADMIN, limit=2, before=first.next_before)
    third = await operations.audit_log(ADMIN, limit=2, before=second.next_before)
    assert [[act.act_id for act in page.acts] for page in (first, second, third)] == [[5, 4], [3, 2], [1]]
    assert (third.next_before, first.act_id, first.act_hash) == (None, 5, first.acts[0].hash)
    acts = [*third.acts, *second.acts[::-1], *first.acts[::-1]]
    assert verify_chain(acts, 5, first.act_hash).verified


async def test_what_a_tenants_key_asks_for_is_put_down_and_not_shown_to_it(operations, store):
    await operations.create(ADMIN, FlagCreate(flag_name="pos.lite"))
    asking = Operations(store, requires_approvals=True)
    own = Actor(name="branch", role=Role.ADMIN, tenant_id="tenant-1", key_id="key-1")
    request = OverrideSet(override_state=FlagState.ON, override_reason="now", tenant_id="tenant-1")
    act_for("tenant-1")
    try:
        with pytest.raises(ApprovalRequired):
            await asking.set_override(own, "pos.lite", request, version=1)
        with pytest.raises(ApprovalRequired):  # the one that was asked for is found again
            await asking.set_override(own, "pos.lite", request, version=1)
    finally:
        act_for(None)
    (asked,) = (await operations.approvals(ADMIN)).approvals
    assert (asked.requested_by, asked.tenant_id) == ("branch", "tenant-1")
    await asking.approve(BOB, asked.approval_id)
    act_for("tenant-1")
    try:
        assert (await asking.set_override(own, "pos.lite", request, version=1)).changed
    finally:
        act_for(None)
    assert await kinds(operations) == ["approval_asked", "approval_given"]
    assert (await operations.verify_audit(ADMIN)).verified


def outside(store_url: str, *statements: str) -> None:
    """As whoever owns the database, past all triggers."""
    if store_url.startswith("sqlite:"):
        with contextlib.closing(sqlite3.connect(store_url.removeprefix("sqlite:"))) as connection, connection:
            for operation in ("update", "delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS audit_log_no_{operation}")
            for statement in statements:
                connection.execute(statement)
        return
    with psycopg.connect(store_url) as connection:
        connection.execute("ALTER TABLE audit_log DISABLE TRIGGER ALL")
        connection.execute("SET LOCAL flagconsole.tenant = '*'")
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statements", "act", "problem"),
    [
        (["""UPDATE audit_log SET details = '{"role": "viewer"}' WHERE act_id = 2"""], 2, "content does not match"),
        (["DELETE FROM audit_log WHERE act_id = 6"], 6, "the head names entry 6"),
        (
            [
                "UPDATE audit_log SET act_id = 99 WHERE act_id = 2",
                "UPDATE audit_log SET act_id = 2 WHERE act_id = 3",
                "UPDATE audit_log SET act_id = 3 WHERE act_id = 99",
            ],
            2,
            "previous_hash is not the hash of the entry before it",
        ),
        (
            [
                "INSERT INTO audit_log (act_id, epoch, revision, kind, subject, details, done_by, done_at, previous_hash, hash)"
                " SELECT 7, epoch, revision, kind, 'key-forged', details, done_by, done_at, hash, hash FROM audit_log"
                " WHERE act_id = 6"
            ],
            7,
            "content does not match its hash",
        ),
    ],
    ids=["edit", "cut off", "swap", "insert"],
)
async def test_the_first_bad_act_is_named_and_the_chain_of_changes_still_holds(
    operations, store_url, statements, act, problem
):
    await operations.create(ADMIN, FlagCreate(flag_name="pos.lite"))
    for number in range(6):
        await operations.create_key(ADMIN, KeyCreate(name=f"key {number}", role=Role.SDK))
    outside(store_url, *statements)
    report = await operations.verify_audit(ADMIN)
    assert (report.verified, report.problem, report.acts.verified) == (False, None, False)
    assert (report.acts.first_broken, problem in report.acts.problem) == (act, True), report.acts
    assert report.fault == f"act {act}: {report.acts.problem}"


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET reason = 'x'", "DELETE FROM audit_log"])
async def test_the_database_itself_refuses_to_edit_it(operations, store_url, statement):
    await operations.create_key(ADMIN, KeyCreate(name="ada", role=Role.SDK))
    refused = (sqlite3.IntegrityError, psycopg.errors.RaiseException)
    if store_url.startswith("sqlite:"):
        with (
            contextlib.closing(sqlite3.connect(store_url.removeprefix("sqlite:"))) as connection,
            pytest.raises(refused, match="append-only"),
        ):
            connection.execute(statement)
    else:
        with psycopg.connect(store_url) as connection:
            connection.execute("SET LOCAL flagconsole.tenant = '*'")
            with pytest.raises(refused, match="append-only"):
                connection.execute(statement)


async def test_a_move_takes_it_along_and_refuses_one_that_was_edited(operations, store, store_url, tmp_path):
    for number in range(3):
        await operations.create_key(ADMIN, KeyCreate(name=f"key {number}", role=Role.SDK))
    before = await operations.verify_audit(ADMIN)
    await store.close()
    there = f"sqlite:{tmp_path / 'moved.db'}"
    assert (await transfer(store_url, there)).tables["audit_log"] == 3
    moved = await open_store(there)
    try:
        assert await Operations(moved).verify_audit(ADMIN) == before
        await Operations(moved).create_key(ADMIN, KeyCreate(name="later", role=Role.SDK))
        assert (await Operations(moved).verify_audit(ADMIN)).acts.entries == 4
    finally:
        await moved.close()
    outside(store_url, "UPDATE audit_log SET subject = 'key-of-mine' WHERE act_id = 2")
    with pytest.raises(ChainBroken, match="act 2: its content"):
        await transfer(store_url, f"sqlite:{tmp_path / 'again.db'}")
    assert not (tmp_path / "again.db").exists()
