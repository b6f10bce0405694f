"""Sets of changes: wholly or not at all, one set in the log, and never above what was asked for."""

from __future__ import annotations

import pytest

from flagconsole.domain.bulk import BulkItem, BulkRollback, BulkSet
from flagconsole.domain.errors import (
    ChangedAgain,
    FlagKilled,
    InvalidInput,
    NotAllowed,
    NothingToRollBack,
    RaiseRefused,
    VersionConflict,
)
from flagconsole.domain.requests import FlagCreate, FlagUpdate, Kill, OverrideSet
from flagconsole.domain.states import FlagState

from ..conftest import ADMIN, OPERATOR, VIEWER

NAMES = ("pos.lite", "pos.receipts", "pos.tips")


@pytest.fixture
async def flags(operations):
    for name in NAMES:
        await operations.create(ADMIN, FlagCreate(flag_name=name))
    return NAMES


async def put(operations, name, state, **fields):
    return await operations.update(ADMIN, name, FlagUpdate(change_reason="x", current_state=state, **fields))


async def states(operations):
    return {flag.flag_name: flag.setting.describe() for flag in (await operations.flags(ADMIN)).flags}


def a_set(*items, reason="winter freeze"):
    return BulkSet(change_reason=reason, changes=tuple(BulkItem(**item) for item in items))


def item(name, state, **fields):
    return {"flag_name": name, "current_state": state, **fields}


async def test_a_set_is_one_correlated_set_in_the_log(operations, flags):
    request = a_set(
        item("pos.lite", "on"),
        item("pos.tips", "canary", canary_percentage=5, change_reason="pilot"),
        item("pos.receipts", "off"),
    )
    result = await operations.bulk_set(ADMIN, request)
    assert (result.changed, [outcome.changed for outcome in result.outcomes]) == (2, [True, True, False])
    assert result.outcomes[2].left_out == "it is so already"
    newest = (await operations.history(ADMIN)).changes[:2]
    assert {change.correlation_id for change in newest} == {result.correlation_id}
    assert [change.change_reason for change in newest] == ["pilot", "winter freeze"]
    assert await states(operations) == {"pos.lite": "on", "pos.receipts": "off", "pos.tips": "canary 5 %"}
    assert (await operations.verify_audit(ADMIN)).verified


async def test_the_first_refusal_leaves_everything_as_it_was(operations, flags):
    await operations.kill(ADMIN, "pos.tips", Kill(kill_reason="bad"))
    with pytest.raises(FlagKilled, match=r"pos\.tips"):
        await operations.bulk_set(ADMIN, a_set(item("pos.lite", "on"), item("pos.tips", "on")))
    assert (await states(operations))["pos.lite"] == "off"
    with pytest.raises(InvalidInput, match=r"changes\[1\]\.canary_percentage"):
        await operations.bulk_set(ADMIN, a_set(item("pos.lite", "on"), item("pos.receipts", "canary")))
    with pytest.raises(VersionConflict):
        await operations.bulk_set(ADMIN, a_set(item("pos.lite", "on"), item("pos.receipts", "on", version=7)))
    assert (await states(operations))["pos.lite"] == "off"


async def test_a_set_can_kill_and_a_dry_run_does_nothing(operations, flags):
    await put(operations, "pos.lite", FlagState.ON)
    request = a_set(item("pos.lite", "kill"), item("pos.tips", "shadow"))
    head = (await operations.status(ADMIN)).revision
    assert (await operations.bulk_set(ADMIN, request, dry_run=True)).changed == 2
    assert (await operations.status(ADMIN)).revision == head
    await operations.bulk_set(ADMIN, request)
    assert await states(operations) == {"pos.lite": "kill", "pos.receipts": "off", "pos.tips": "shadow"}
    assert [incident.flag_name for incident in (await operations.incidents(ADMIN)).incidents] == ["pos.lite"]


async def test_a_repeated_set_is_answered_and_not_done_again(operations, flags):
    request = a_set(item("pos.lite", "on"))
    first = await operations.bulk_set(ADMIN, request, idempotency_key="k")
    again = await operations.bulk_set(ADMIN, request, idempotency_key="k")
    assert (again.replayed, again.revision) == (True, first.revision)


async def test_a_flag_twice_is_refused():
    with pytest.raises(ValueError, match=r"pos\.lite is there twice"):
        a_set(item("pos.lite", "on"), item("pos.lite", "off"))


async def test_a_domain_goes_back_by_one_change_each(operations, flags):
    await put(operations, "pos.lite", FlagState.ON)
    await put(operations, "pos.tips", FlagState.CANARY, canary_percentage=10)
    await put(operations, "pos.tips", FlagState.CANARY, canary_percentage=50)
    result = await operations.bulk_rollback(OPERATOR, BulkRollback(rollback_reason="storm", domain="pos"))
    assert await states(operations) == {"pos.lite": "off", "pos.receipts": "off", "pos.tips": "canary 10 %"}
    assert result.changed == 2
    assert "no change that could be rolled back" in result.outcomes[1].left_out


async def test_a_domain_is_never_raised_without_being_asked(operations, flags):
    await put(operations, "pos.lite", FlagState.ON)
    await put(operations, "pos.tips", FlagState.ON)
    await put(operations, "pos.tips", FlagState.OFF)
    with pytest.raises(RaiseRefused, match=r"pos\.tips"):
        await operations.bulk_rollback(OPERATOR, BulkRollback(rollback_reason="storm", domain="pos"))
    assert (await states(operations))["pos.lite"] == "on"
    leaving = BulkRollback(rollback_reason="storm", domain="pos", leave_raising=True)
    result = await operations.bulk_rollback(OPERATOR, leaving)
    assert (await states(operations))["pos.lite"] == "off"
    assert "would raise the exposure" in result.outcomes[2].left_out
    raising = BulkRollback(rollback_reason="storm", domain="pos", allow_raise=True)
    with pytest.raises(NotAllowed):
        await operations.bulk_rollback(OPERATOR, raising)
    await operations.bulk_rollback(ADMIN, raising)
    assert (await states(operations))["pos.tips"] == "on"


async def test_an_unknown_domain_is_named(operations, flags):
    with pytest.raises(InvalidInput, match="domain: has no flags"):
        await operations.bulk_rollback(OPERATOR, BulkRollback(rollback_reason="x", domain="po"))


async def test_exactly_the_named_changes_are_undone(operations, flags):
    first = await put(operations, "pos.lite", FlagState.SHADOW)
    second = await put(operations, "pos.lite", FlagState.ON)
    other = await put(operations, "pos.tips", FlagState.ON)
    await put(operations, "pos.receipts", FlagState.ON)
    chosen = BulkRollback(rollback_reason="these", change_ids=(first.revision, second.revision, other.revision))
    result = await operations.bulk_rollback(OPERATOR, chosen)
    assert await states(operations) == {"pos.lite": "off", "pos.receipts": "on", "pos.tips": "off"}
    assert {outcome.change.reverts for outcome in result.outcomes} == {
        (first.revision, second.revision),
        (other.revision,),
    }
    with pytest.raises(NothingToRollBack, match="doesn't stand"):
        await operations.bulk_rollback(OPERATOR, chosen)


async def test_a_change_below_one_that_stands_is_not_undone_alone(operations, flags):
    first = await put(operations, "pos.lite", FlagState.SHADOW)
    second = await put(operations, "pos.lite", FlagState.ON)
    with pytest.raises(ChangedAgain, match=f"change {second.revision}"):
        await operations.bulk_rollback(OPERATOR, BulkRollback(rollback_reason="x", change_ids=(first.revision,)))


async def test_a_tenants_change_is_undone_for_that_tenant(operations, flags):
    await put(operations, "pos.lite", FlagState.ON)
    own = await operations.set_override(
        ADMIN, "pos.lite", OverrideSet(override_state=FlagState.OFF, override_reason="x", tenant_id="t1")
    )
    chosen = BulkRollback(rollback_reason="x", change_ids=(own.revision,), allow_raise=True)
    result = await operations.bulk_rollback(ADMIN, chosen)
    assert result.outcomes[0].tenant_id == "t1"
    assert (await operations.flag(ADMIN, "pos.lite", "t1")).effective_state is FlagState.ON


async def test_a_viewer_changes_nothing(operations, flags):
    for work in (
        operations.bulk_set(VIEWER, a_set(item("pos.lite", "on"))),
        operations.bulk_rollback(VIEWER, BulkRollback(rollback_reason="x", domain="pos")),
    ):
        with pytest.raises(NotAllowed):
            await work
