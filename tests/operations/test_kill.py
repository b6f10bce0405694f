"""A kill wins over everything, happens once, and only revive clears it."""

from __future__ import annotations

import pytest

from flagconsole.domain.change import Action, ChangeType
from flagconsole.domain.errors import (
    FlagKilled,
    FlagNotFound,
    FlagNotKilled,
    IdempotencyKeyReused,
    InvalidInput,
    NotAllowed,
    VersionConflict,
    VersionRequired,
)
from flagconsole.domain.requests import FlagCreate, FlagUpdate, Kill, OverrideSet, Revive, Rollback
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import Operations

from ..conftest import ADMIN, OPERATOR, VIEWER


async def turn_on(operations, name):
    await operations.update(ADMIN, name, FlagUpdate(change_reason="go", current_state=FlagState.ON))


async def kill(operations, name="pos.lite", actor=OPERATOR, reason="errors", **options):
    return await operations.kill(actor, name, Kill(kill_reason=reason), **options)


async def test_a_kill_needs_no_version_and_says_what_it_replaced(operations, flag):
    await turn_on(operations, flag)
    result = await kill(operations)
    assert result.changed
    assert result.flag.current_state is FlagState.KILL
    assert result.change.action is Action.KILLED
    assert result.change.change_type is ChangeType.KILL_SWITCH
    assert (result.change.previous_state, result.change.new_state) == ("on", "kill")
    assert result.change.changed_by == "olu"


async def test_killing_twice_is_one_change(operations, flag):
    first = await kill(operations)
    second = await kill(operations, reason="again")
    assert not second.changed
    assert second.revision == first.revision
    assert second.change == first.change


async def test_an_override_does_not_help_a_killed_flag(operations, flag):
    await operations.set_override(
        ADMIN, flag, OverrideSet(override_state=FlagState.ON, override_reason="vip", tenant_id="t1")
    )
    await kill(operations)
    detail = await operations.flag(ADMIN, flag, "t1")
    assert detail.effective_state is FlagState.KILL


async def test_dependents_of_a_killed_flag_are_off(operations, flag):
    await operations.create(ADMIN, FlagCreate(flag_name="pos.loyalty", dependencies=(flag,)))
    await turn_on(operations, flag)
    await turn_on(operations, "pos.loyalty")
    blast = await operations.blast_radius(ADMIN, flag)
    assert [dependent.flag_name for dependent in blast.dependents] == ["pos.loyalty"]
    await kill(operations)
    detail = await operations.flag(ADMIN, "pos.loyalty", "t1")
    assert detail.effective_state is FlagState.OFF
    assert detail.evaluation.dependency == flag


@pytest.mark.parametrize(
    "attempt",
    [
        lambda ops, name: ops.update(ADMIN, name, FlagUpdate(change_reason="x", current_state=FlagState.ON), version=2),
        lambda ops, name: ops.update(
            ADMIN, name, FlagUpdate(change_reason="x", current_state=FlagState.OFF), version=2
        ),
        lambda ops, name: ops.update(ADMIN, name, FlagUpdate(change_reason="x", canary_percentage=5), version=2),
        lambda ops, name: ops.rollback(ADMIN, name, Rollback(rollback_reason="x", allow_raise=True), version=2),
        lambda ops, name: ops.rollback(
            ADMIN, name, Rollback(rollback_reason="x", target_change_id=1, allow_raise=True), version=2
        ),
    ],
)
async def test_nothing_but_revive_clears_a_kill(operations, flag, attempt):
    await kill(operations)
    with pytest.raises(FlagKilled):
        await attempt(operations, flag)
    assert (await operations.flag(ADMIN, flag)).flag.current_state is FlagState.KILL


async def test_setting_kill_is_a_kill(operations, flag):
    request = FlagUpdate(change_reason="errors", current_state=FlagState.KILL)
    result = await operations.update(ADMIN, flag, request)
    assert result.change.action is Action.KILLED
    assert not (await operations.update(ADMIN, flag, request)).changed


async def test_revive_lands_in_off_and_needs_version_reason_and_role(operations, flag):
    await turn_on(operations, flag)
    killed = await kill(operations)
    revive = Revive(revive_reason="fixed")
    with pytest.raises(NotAllowed):
        await operations.revive(OPERATOR, flag, revive, version=killed.flag.version)
    with pytest.raises(VersionRequired):
        await operations.revive(ADMIN, flag, revive, version=None)
    with pytest.raises(VersionConflict) as conflict:
        await operations.revive(ADMIN, flag, revive, version=1)
    assert conflict.value.details["changed_by"] == "olu"
    result = await operations.revive(ADMIN, flag, revive, version=killed.flag.version)
    assert result.flag.current_state is FlagState.OFF
    assert result.change.action is Action.REVIVED


@pytest.mark.parametrize(
    ("state", "percentage", "allowed"),
    [
        (FlagState.OFF, None, True),
        (FlagState.SHADOW, None, True),
        (FlagState.CANARY, 5, True),
        (FlagState.CANARY, 10, False),
        (FlagState.CANARY, 20, False),
        (FlagState.ON, None, False),
        (FlagState.KILL, None, False),
    ],
)
async def test_revive_may_name_a_state_below_the_one_it_was_killed_in(operations, flag, state, percentage, allowed):
    await operations.update(
        ADMIN, flag, FlagUpdate(change_reason="x", current_state=FlagState.CANARY, canary_percentage=10)
    )
    version = (await kill(operations)).flag.version
    request = Revive(revive_reason="fixed", state=state, canary_percentage=percentage)
    if not allowed:
        with pytest.raises(InvalidInput):
            await operations.revive(ADMIN, flag, request, version=version)
        return
    result = await operations.revive(ADMIN, flag, request, version=version)
    assert result.flag.current_state is state


async def test_only_a_killed_flag_is_revived(operations, flag):
    with pytest.raises(FlagNotKilled):
        await operations.revive(ADMIN, flag, Revive(revive_reason="x"), version=1)


async def test_the_same_key_answers_the_same_and_does_nothing_more(operations, flag):
    first = await kill(operations, idempotency_key="k-1")
    await operations.revive(ADMIN, flag, Revive(revive_reason="fixed"), version=first.flag.version)
    again = await kill(operations, idempotency_key="k-1")
    assert again == first.model_copy(update={"replayed": True})
    assert (await operations.flag(ADMIN, flag)).flag.current_state is FlagState.OFF
    with pytest.raises(IdempotencyKeyReused):
        await kill(operations, reason="another", idempotency_key="k-1")


async def test_a_dry_run_shows_the_kill_and_leaves_everything(operations, flag):
    result = await kill(operations, dry_run=True, idempotency_key="k-2")
    assert result.dry_run
    assert result.flag.current_state is FlagState.KILL
    assert (await operations.flag(ADMIN, flag)).flag.current_state is FlagState.OFF
    assert not (await kill(operations, idempotency_key="k-2")).replayed


async def test_an_environment_that_demands_versions_never_demands_one_for_a_kill(store, flag):
    strict = Operations(store, requires_versions=True)
    with pytest.raises(VersionRequired):
        await turn_on(strict, flag)
    assert (await kill(strict)).changed


async def test_viewers_kill_nothing_and_unknown_flags_are_named(operations, flag):
    with pytest.raises(NotAllowed):
        await kill(operations, actor=VIEWER)
    with pytest.raises(FlagNotFound, match=r"no\.such"):
        await kill(operations, "no.such")
