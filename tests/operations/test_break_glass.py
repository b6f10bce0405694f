"""Rights that were taken end with their time, on every backend."""

from __future__ import annotations

import pytest

from flagconsole.domain.break_glass import GrantBegin
from flagconsole.domain.errors import BreakGlassUnderWay
from flagconsole.domain.requests import FlagCreate, FlagUpdate, KeyCreate
from flagconsole.domain.role import Role
from flagconsole.domain.states import FlagState
from flagconsole.operations.keys import authenticate

from ..conftest import ADMIN


async def test_rights_end_with_their_time_and_the_log_keeps_the_mark(operations, store, clock):
    await operations.create(ADMIN, FlagCreate(flag_name="pos.lite"))
    made = await operations.create_key(ADMIN, KeyCreate(name="olu", role=Role.OPERATOR))

    async def who():
        async with store.read() as reader:
            return await authenticate(reader, made.secret)

    view = await operations.begin_break_glass(await who(), GrantBegin(reason="3 a.m.", minutes=10))
    actor = await who()
    assert (actor.role, actor.own_role, actor.break_glass) == (Role.ADMIN, Role.OPERATOR, view.grant.grant_id)
    with pytest.raises(BreakGlassUnderWay):
        await operations.begin_break_glass(actor, GrantBegin(reason="longer"))
    await operations.update(
        actor, "pos.lite", FlagUpdate(current_state=FlagState.SHADOW, change_reason="look"), version=1
    )
    clock.forward(minutes=10)
    assert (await who()).role is Role.OPERATOR
    (listed,) = (await operations.break_glass(ADMIN)).grants
    assert [change.flag_name for change in listed.changes] == ["pos.lite"]
    assert listed.changes[0].break_glass == view.grant.grant_id
    assert (await operations.verify_audit(ADMIN)).verified
    await operations.begin_break_glass(await who(), GrantBegin(reason="again"))
    assert (await who()).role is Role.ADMIN
