"""Overrides: one tenant's own state, with an end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flagconsole.domain.change import Action, ChangeType
from flagconsole.domain.errors import InvalidInput, NotAllowed, OverrideNotFound, TenantRequired, VersionConflict
from flagconsole.domain.requests import FlagUpdate, Kill, OverrideRemove, OverrideSet
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.states import FlagState

from ..conftest import ADMIN, OPERATOR


def wish(state, tenant="t1", **fields):
    return OverrideSet(override_state=state, override_reason="asked by support", tenant_id=tenant, **fields)


async def state_for(operations, flag, tenant):
    detail = await operations.flag(ADMIN, flag, tenant)
    return detail.effective_state, detail.evaluation.reason


async def test_an_override_counts_for_its_tenant_only(operations, flag):
    await operations.set_override(ADMIN, flag, wish(FlagState.ON))
    assert await state_for(operations, flag, "t1") == ("on", "override")
    assert await state_for(operations, flag, "t2") == ("off", "state")


async def test_it_has_no_effect_from_the_second_it_expires_and_leaves_an_automated_entry(operations, flag, clock):
    expires = clock() + timedelta(seconds=30)
    await operations.set_override(ADMIN, flag, wish(FlagState.ON, expires_at=expires))
    clock.forward(seconds=29.999)
    assert await state_for(operations, flag, "t1") == ("on", "override")
    assert await operations.expire_overrides() == 0
    clock.forward(seconds=0.001)
    assert await state_for(operations, flag, "t1") == ("off", "state")
    assert (await operations.flags(ADMIN)).overrides == ()
    assert await operations.expire_overrides() == 1
    newest = (await operations.history(ADMIN, flag)).changes[0]
    assert (newest.action, newest.change_type) == (Action.OVERRIDE_EXPIRED, ChangeType.AUTOMATED)
    assert await operations.expire_overrides() == 0


async def test_lowering_is_an_operators_right_and_raising_an_admins(operations, flag):
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="x", current_state=FlagState.ON))
    await operations.set_override(OPERATOR, flag, wish(FlagState.OFF), version=99)
    with pytest.raises(NotAllowed):
        await operations.remove_override(OPERATOR, flag, OverrideRemove(tenant_id="t1"))
    with pytest.raises(VersionConflict):
        await operations.remove_override(ADMIN, flag, OverrideRemove(tenant_id="t1"), version=1)
    await operations.remove_override(ADMIN, flag, OverrideRemove(tenant_id="t1"), version=3)


async def test_on_a_killed_flag_off_is_still_an_operators_right(operations, flag):
    await operations.kill(OPERATOR, flag, Kill(kill_reason="bad"))
    await operations.set_override(OPERATOR, flag, wish(FlagState.OFF))
    with pytest.raises(NotAllowed):
        await operations.set_override(OPERATOR, flag, wish(FlagState.ON))


async def test_what_is_missing_or_late_is_said(operations, flag, clock):
    with pytest.raises(OverrideNotFound, match="'t1'"):
        await operations.remove_override(ADMIN, flag, OverrideRemove(tenant_id="t1"))
    with pytest.raises(TenantRequired):
        await operations.set_override(ADMIN, flag, wish(FlagState.ON, tenant=None))
    with pytest.raises(InvalidInput, match="expires_at"):
        await operations.set_override(ADMIN, flag, wish(FlagState.ON, expires_at=clock()))


async def test_a_tenants_key_speaks_for_that_tenant_alone(operations, flag):
    bound = Actor(name="tenant-key", role=Role.ADMIN, tenant_id="t1")
    result = await operations.set_override(bound, flag, wish(FlagState.ON, tenant=None))
    assert result.override.tenant_id == "t1"
    with pytest.raises(InvalidInput, match="tenant_id"):
        await operations.set_override(bound, flag, wish(FlagState.ON, tenant="t2"))
    with pytest.raises(InvalidInput, match="tenant_id"):
        await operations.flags(bound, "t2")


def test_a_kill_is_never_one_tenants():
    with pytest.raises(ValueError, match="a kill is for all tenants"):
        wish(FlagState.KILL)
