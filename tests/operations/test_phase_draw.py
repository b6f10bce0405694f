"""The cohort of a rollout's phase: drawn before the transaction, whatever the number of tenants, and never for another flag
than the one that is there."""

from __future__ import annotations

import pytest

from flagconsole.domain.errors import VersionConflict
from flagconsole.domain.plan import Phase, PhaseKind, Plan
from flagconsole.domain.requests import FlagUpdate, TenantRecord, TenantsPut
from flagconsole.domain.states import FlagState
from flagconsole.operations import rollout_service
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.phase_draw import phase_draw
from flagconsole.operations.rollout_service import RolloutOperations

from ..conftest import ADMIN, OPERATOR

PLAN = Plan(name="at once", phases=(Phase(name="canary 10", kind=PhaseKind.CANARY, percentage=10),))


@pytest.fixture
async def service(operations, store, flag):
    tenants = tuple(
        TenantRecord(tenant_id=f"t{number:05d}", risk_score=0.1, engagement_score=0.9) for number in range(6_000)
    )
    await operations.put_tenants(ADMIN, TenantsPut(tenants=tenants))
    service = RolloutOperations(store)
    await service.tick(OPERATOR, flag, CHECKLIST)
    return service


async def test_thousands_of_tenants_are_drawn_from_and_the_draw_names_its_change(operations, service, flag):
    await service.start(ADMIN, flag, PLAN, "go")
    view = await operations.cohort(ADMIN, flag)
    newest = (await operations.history(ADMIN, flag)).changes[0]
    assert (view.members, view.in_force, view.change_id) == (600, True, newest.change_id)


async def test_a_flag_that_moves_during_the_draw_gets_one_that_was_drawn_for_it(operations, service, flag, monkeypatch):
    draws = []

    async def moving(store, flag_name, *rest):
        drawn = await phase_draw(store, flag_name, *rest)
        if not draws:
            request = FlagUpdate(change_reason="meanwhile", current_state=FlagState.SHADOW)
            await operations.update(ADMIN, flag_name, request)
        draws.append(drawn)
        return drawn

    monkeypatch.setattr(rollout_service, "phase_draw", moving)
    await service.start(ADMIN, flag, PLAN, "go")
    assert [draw.seen.current_state for draw in draws] == [FlagState.OFF, FlagState.SHADOW]
    assert (await operations.cohort(ADMIN, flag)).in_force


async def test_a_flag_that_never_stands_still_is_refused_with_who_moves_it(operations, service, flag, monkeypatch):
    async def racing(store, flag_name, *rest):
        drawn = await phase_draw(store, flag_name, *rest)
        present = (await operations.flag(ADMIN, flag_name)).flag.current_state
        after = FlagState.OFF if present is FlagState.SHADOW else FlagState.SHADOW
        await operations.update(ADMIN, flag_name, FlagUpdate(change_reason="meanwhile", current_state=after))
        return drawn

    monkeypatch.setattr(rollout_service, "phase_draw", racing)
    with pytest.raises(VersionConflict, match="changed by ada"):
        await service.start(ADMIN, flag, PLAN, "go")
    assert (await operations.flag(ADMIN, flag)).flag.current_state is FlagState.SHADOW
    assert await service.rollouts(ADMIN, flag) == []
