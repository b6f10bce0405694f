"""Rolling back: newest standing decision first, or to right after a named change; never above without being asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flagconsole.domain.change import Action, ChangeType
from flagconsole.domain.errors import ChangeNotFound, NotAllowed, NothingToRollBack, RaiseRefused, VersionConflict
from flagconsole.domain.requests import FlagUpdate, Kill, OverrideRemove, OverrideSet, Revive, Rollback
from flagconsole.domain.states import FlagState

from ..conftest import ADMIN, OPERATOR


async def set_to(operations, name, state, percentage=None, tenants=None):
    fields = {"canary_percentage": percentage} if percentage is not None else {}
    if tenants is not None:
        fields["canary_tenant_ids"] = tenants
    return await operations.update(ADMIN, name, FlagUpdate(change_reason="x", current_state=state, **fields))


async def roll_back(operations, name, actor=OPERATOR, version=None, **fields):
    return await operations.rollback(actor, name, Rollback(rollback_reason="worse", **fields), version=version)


async def test_each_rollback_undoes_one_more_decision(operations, flag):
    await set_to(operations, flag, FlagState.SHADOW)
    await set_to(operations, flag, FlagState.CANARY, 10)
    await set_to(operations, flag, FlagState.CANARY, tenants=("t1", "t2", "t3"))
    first = await roll_back(operations, flag, actor=ADMIN, allow_raise=True)
    assert first.flag.setting.describe() == "canary 10 %"
    assert first.flag.canary_tenant_ids == ()
    assert first.change.reverts == (4,)
    assert first.change.change_type is ChangeType.ROLLBACK
    assert (await roll_back(operations, flag)).flag.current_state is FlagState.SHADOW
    assert (await roll_back(operations, flag)).flag.current_state is FlagState.OFF
    with pytest.raises(NothingToRollBack):
        await roll_back(operations, flag)


async def test_a_target_is_returned_to_and_everything_since_is_named(operations, flag):
    shadow = await set_to(operations, flag, FlagState.SHADOW)
    await set_to(operations, flag, FlagState.CANARY, 10)
    await set_to(operations, flag, FlagState.ON)
    result = await roll_back(operations, flag, target_change_id=shadow.revision)
    assert result.flag.current_state is FlagState.SHADOW
    assert result.change.reverts == (3, 4)
    assert (await roll_back(operations, flag)).flag.current_state is FlagState.OFF


async def test_a_rollback_can_be_taken_back_by_naming_the_change(operations, flag):
    await set_to(operations, flag, FlagState.SHADOW)
    on = await set_to(operations, flag, FlagState.ON)
    await roll_back(operations, flag)
    with pytest.raises(RaiseRefused, match="shadow to on"):
        await roll_back(operations, flag, target_change_id=on.revision)
    with pytest.raises(NotAllowed):
        await roll_back(operations, flag, target_change_id=on.revision, allow_raise=True)
    with pytest.raises(VersionConflict):
        await roll_back(operations, flag, actor=ADMIN, version=1, target_change_id=on.revision, allow_raise=True)
    back = await roll_back(operations, flag, actor=ADMIN, version=4, target_change_id=on.revision, allow_raise=True)
    assert back.flag.current_state is FlagState.ON
    # "on" stands again, so it is what the next rollback undoes.
    assert (await roll_back(operations, flag)).flag.current_state is FlagState.SHADOW


async def test_a_raise_is_refused_unless_asked_for(operations, flag):
    await set_to(operations, flag, FlagState.ON)
    await set_to(operations, flag, FlagState.OFF)
    with pytest.raises(RaiseRefused, match="off to on"):
        await roll_back(operations, flag)
    raised = await roll_back(operations, flag, actor=ADMIN, allow_raise=True)
    assert raised.flag.current_state is FlagState.ON


async def test_a_tenants_change_restores_the_override(operations, flag, clock):
    await set_to(operations, flag, FlagState.ON)
    off = OverrideSet(override_state=FlagState.OFF, override_reason="o", tenant_id="t1")
    await operations.set_override(ADMIN, flag, off)
    await operations.remove_override(ADMIN, flag, OverrideRemove(tenant_id="t1"))
    result = await roll_back(operations, flag)
    assert result.change.tenant_id == "t1"
    assert result.override.override_state is FlagState.OFF
    assert result.flag.current_state is FlagState.ON
    [override] = (await operations.flags(ADMIN)).overrides
    assert override.tenant_id == "t1"


async def test_an_override_whose_time_is_over_is_not_restored(operations, flag, clock):
    await set_to(operations, flag, FlagState.ON)
    expires = clock() + timedelta(minutes=5)
    off = OverrideSet(override_state=FlagState.OFF, override_reason="o", tenant_id="t1", expires_at=expires)
    await operations.set_override(ADMIN, flag, off)
    await operations.remove_override(ADMIN, flag, OverrideRemove(tenant_id="t1"))
    clock.forward(minutes=6)
    assert (await roll_back(operations, flag)).override is None


async def test_undoing_a_revive_kills_again(operations, flag):
    killed = await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))
    await operations.revive(ADMIN, flag, Revive(revive_reason="fixed"), version=killed.flag.version)
    assert (await roll_back(operations, flag)).flag.current_state is FlagState.KILL


async def test_what_was_not_this_flags_is_not_found(operations, flag):
    with pytest.raises(ChangeNotFound):
        await roll_back(operations, flag, target_change_id=99)
    with pytest.raises(NothingToRollBack):
        await roll_back(operations, flag, target_change_id=1)


async def test_descriptions_are_restored_too(operations, flag):
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="x", owner="payments"))
    result = await roll_back(operations, flag)
    assert result.flag.owner == ""
    assert result.change.action is Action.ROLLED_BACK


async def test_a_rollback_brings_back_the_cohort_that_the_changes_between_had_left_alone(operations, flag):
    chosen = await set_to(operations, flag, FlagState.CANARY, tenants=("t1", "t2"))
    await set_to(operations, flag, FlagState.ON)
    everyone = await set_to(operations, flag, FlagState.SHADOW)
    assert "canary_tenant_ids" not in everyone.change.previous
    assert everyone.change.previous["canary_tenants"] == 2
    other = await set_to(operations, flag, FlagState.CANARY, tenants=("t3",))
    result = await roll_back(operations, flag, actor=ADMIN, target_change_id=chosen.revision, allow_raise=True)
    assert result.flag.setting.describe() == "canary of 2 tenants"
    assert result.flag.canary_tenant_ids == ("t1", "t2")
    again = await roll_back(operations, flag, actor=ADMIN, target_change_id=other.revision, allow_raise=True)
    assert again.flag.canary_tenant_ids == ("t3",)


async def test_undoing_a_change_of_state_keeps_the_cohort(operations, flag):
    await set_to(operations, flag, FlagState.CANARY, tenants=("t1", "t2"))
    await set_to(operations, flag, FlagState.ON)
    result = await roll_back(operations, flag)
    assert result.flag.setting.describe() == "canary of 2 tenants"
