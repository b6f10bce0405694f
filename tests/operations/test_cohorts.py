"""Drawing a cohort for a flag: what it changes, who may, and what everybody is told afterwards."""

from __future__ import annotations

import asyncio

import pytest

from flagconsole.domain.cohort import Placement
from flagconsole.domain.errors import (
    BeyondTenant,
    CohortNotFound,
    FlagKilled,
    FlagNotFound,
    IdempotencyKeyReused,
    InvalidInput,
    NobodyEligible,
    NotAllowed,
    TenantNotFound,
    VersionConflict,
)
from flagconsole.domain.evaluation import Reason, in_cohort
from flagconsole.domain.requests import CohortDraw, FlagUpdate, Kill, Rollback, TenantsPut
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.states import FlagState
from flagconsole.domain.tenant import Blackout, TenantProfile
from flagconsole.operations.cohorts import usual_hours

from ..conftest import ADMIN, OPERATOR, VIEWER
from ..population import population

TENANTS = population(200)


def ask(percentage=10, **fields):
    return CohortDraw(change_reason="first canary", percentage=percentage, **{"seed": 7, **fields})


@pytest.fixture
async def tenants(operations):
    await operations.put_tenants(ADMIN, TenantsPut(tenants=tuple(TENANTS)))
    return TENANTS


async def evaluated(operations, tenant):
    return (await operations.flag(ADMIN, "pos.lite", tenant)).evaluation


async def test_a_draw_gives_the_flag_its_cohort_and_exposes_nobody_yet(operations, flag, tenants):
    drawn = await operations.draw_cohort(ADMIN, flag, ask())
    after = (await operations.flag(VIEWER, flag)).flag
    assert after.current_state is FlagState.OFF
    assert (after.canary_percentage, len(after.canary_tenant_ids)) == (10, 20)
    assert after.canary_holdout_ids is not None
    assert drawn.result.change is not None
    assert drawn.cohort.change_id == drawn.result.change.change_id
    assert drawn.cohort.in_force
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="go", current_state=FlagState.CANARY))
    inside, outside = after.canary_tenant_ids[0], after.canary_holdout_ids[0]
    assert (await evaluated(operations, inside)).reason is Reason.COHORT
    assert (await evaluated(operations, outside)).reason is Reason.OUTSIDE_COHORT


async def test_start_makes_it_a_canary_in_the_same_change(operations, flag, tenants):
    drawn = await operations.draw_cohort(ADMIN, flag, ask(start=True))
    assert drawn.result.flag.current_state is FlagState.CANARY
    assert drawn.result.revision == 2


async def test_the_seed_is_recorded_and_repeats_the_draw(operations, flag, tenants):
    by_chance = await operations.draw_cohort(ADMIN, flag, ask(seed=None), dry_run=True)
    again = await operations.draw_cohort(ADMIN, flag, ask(seed=by_chance.cohort.seed), dry_run=True)
    assert [t for t in again.cohort.tenants if t.inside] == [t for t in by_chance.cohort.tenants if t.inside]
    other = await operations.draw_cohort(ADMIN, flag, ask(seed=None), dry_run=True)
    assert other.cohort.seed != by_chance.cohort.seed


async def test_a_dry_run_changes_and_keeps_nothing(operations, flag, tenants):
    drawn = await operations.draw_cohort(ADMIN, flag, ask(), dry_run=True)
    assert drawn.result.dry_run
    assert drawn.cohort.members == 20
    assert (await operations.flag(ADMIN, flag)).flag.canary_tenant_ids == ()
    with pytest.raises(CohortNotFound):
        await operations.cohort(VIEWER, flag)


async def test_a_wider_draw_contains_the_canary_and_a_rollback_returns_to_it(operations, flag, tenants):
    first = (await operations.draw_cohort(ADMIN, flag, ask(start=True))).result.flag
    wider = (await operations.draw_cohort(ADMIN, flag, ask(50, seed=8))).result.flag
    assert len(wider.canary_tenant_ids) == 100
    assert set(first.canary_tenant_ids) < set(wider.canary_tenant_ids)
    back = await operations.rollback(OPERATOR, flag, Rollback(rollback_reason="errors"))
    assert back.flag.setting == first.setting
    view = await operations.cohort(VIEWER, flag)
    assert (view.in_force, view.percentage, view.seed) == (True, 10, 7), "the older draw is in force again"
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="by hash", canary_percentage=5))
    view = await operations.cohort(VIEWER, flag)
    assert (view.drawn, view.percentage) == (False, 5), "it goes by no draw, so the tenants that it has are told"
    rule = (await operations.flag(ADMIN, flag)).flag.rule()
    assert view.actual == sum(in_cohort(rule, tenant.tenant_id) for tenant in TENANTS)
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="stop", current_state=FlagState.OFF))
    view = await operations.cohort(VIEWER, flag)
    assert (view.drawn, view.in_force, view.percentage) == (True, False, 50), (
        "it is no canary, so the newest draw is shown"
    )


async def test_a_canary_that_nothing_drew_has_tenants_all_the_same(operations, flag, tenants):
    begin = FlagUpdate(change_reason="a plan began it", current_state=FlagState.CANARY, canary_percentage=10)
    await operations.update(ADMIN, flag, begin)
    hashed = await operations.cohort(VIEWER, flag, limit=1000)
    assert (hashed.drawn, hashed.in_force, hashed.named, hashed.population) == (False, True, None, 200)
    assert hashed.actual == sum(tenant.inside for tenant in hashed.tenants) > 5
    for tenant in hashed.tenants:
        assert (await evaluated(operations, tenant.tenant_id)).enabled == tenant.inside
        assert tenant.text.startswith("bucket ")
    one = hashed.tenants[3].tenant_id
    assert (await operations.cohort(VIEWER, flag, tenant_id=one)).tenants == (hashed.tenants[3],)
    page = await operations.cohort(VIEWER, flag, inside=True, limit=2)
    assert page.tenants == tuple(tenant for tenant in hashed.tenants if tenant.inside)[:2]
    rest = await operations.cohort(VIEWER, flag, inside=True, after=page.next_after, limit=1000)
    assert len(page.tenants) + len(rest.tenants) == hashed.actual
    with pytest.raises(TenantNotFound):
        await operations.cohort(VIEWER, flag, tenant_id="nobody")

    named = FlagUpdate(change_reason="these two", canary_tenant_ids=(one, "not-imported"))
    await operations.update(ADMIN, flag, named)
    view = await operations.cohort(VIEWER, flag, limit=1000)
    assert (view.drawn, view.named, view.actual) == (False, 2, 1)
    assert {tenant.tenant_id: tenant.text for tenant in view.tenants if tenant.inside} == {
        one: "named",
        "not-imported": "named; the store knows no such tenant",
    }


async def test_a_lower_percentage_takes_away_only_and_needs_no_version(operations, flag, tenants):
    first = (await operations.draw_cohort(ADMIN, flag, ask(50, start=True))).result.flag
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="x", description="moved on"))
    lower = await operations.draw_cohort(ADMIN, flag, ask(25), version=first.version)
    assert len(lower.result.flag.canary_tenant_ids) == 50
    assert set(lower.result.flag.canary_tenant_ids) < set(first.canary_tenant_ids)
    with pytest.raises(VersionConflict):
        await operations.draw_cohort(ADMIN, flag, ask(40), version=first.version)


async def test_tenants_that_join_later_are_marked_and_bucketed(operations, flag, tenants):
    await operations.draw_cohort(ADMIN, flag, ask(start=True))
    newcomers = [TenantProfile(tenant_id=f"new{number}", risk_score=0.1) for number in range(60)]
    await operations.put_tenants(ADMIN, TenantsPut(tenants=tuple(newcomers)))
    view = await operations.cohort(VIEWER, flag, limit=1000)
    told = {tenant.tenant_id: tenant for tenant in view.tenants if tenant.tenant_id.startswith("new")}
    assert len(told) == view.joined_later == 60
    assert 0 < view.joined_inside < 20
    for name, tenant in told.items():
        assert not tenant.drawn
        assert tenant.placement in {Placement.JOINED_IN, Placement.JOINED_OUT}
        assert (await evaluated(operations, name)).enabled is tenant.inside
    assert view.by_placement[Placement.JOINED_IN] == view.joined_inside


async def test_explanations_are_paged_filtered_and_complete(operations, flag, tenants):
    await operations.draw_cohort(ADMIN, flag, ask())
    seen, after = [], None
    while True:
        page = await operations.cohort(VIEWER, flag, after=after, limit=70)
        seen += [tenant.tenant_id for tenant in page.tenants]
        after = page.next_after
        if after is None:
            break
    assert seen == sorted(tenant.tenant_id for tenant in tenants)
    inside = await operations.cohort(VIEWER, flag, inside=True)
    assert len(inside.tenants) == 20
    assert all(tenant.inside for tenant in inside.tenants)
    assert (await operations.cohort(VIEWER, flag, tenant_id="t00003")).tenants[0].tenant_id == "t00003"
    with pytest.raises(TenantNotFound):
        await operations.cohort(VIEWER, flag, tenant_id="nobody")
    with pytest.raises(InvalidInput):
        await operations.cohort(VIEWER, flag, limit=1001)


async def test_a_tenants_key_sees_no_draw_but_whether_it_is_inside(operations, flag, tenants):
    drawn = await operations.draw_cohort(ADMIN, flag, ask())
    members = drawn.result.flag.canary_tenant_ids
    for tenant in (members[0], next(t.tenant_id for t in TENANTS if t.tenant_id not in members)):
        theirs = Actor(name="t", role=Role.VIEWER, tenant_id=tenant)
        with pytest.raises(BeyondTenant):
            await operations.cohort(theirs, flag)
        seen = (await operations.flag(theirs, flag)).flag
        assert seen.canary_tenant_ids == ((tenant,) if tenant in members else ())


async def test_what_is_refused(operations, flag, tenants):
    with pytest.raises(NotAllowed):
        await operations.draw_cohort(OPERATOR, flag, ask())
    with pytest.raises(FlagNotFound):
        await operations.draw_cohort(ADMIN, "no.such", ask())
    await operations.kill(ADMIN, flag, Kill(kill_reason="x"))
    with pytest.raises(FlagKilled):
        await operations.draw_cohort(ADMIN, flag, ask())


async def test_a_cohort_of_nobody_is_refused_with_the_reason(operations, flag):
    with pytest.raises(NobodyEligible, match="knows no tenants"):
        await operations.draw_cohort(ADMIN, flag, ask())
    risky = tuple(TenantProfile(tenant_id=f"t{number}", risk_score=0.9) for number in range(5))
    await operations.put_tenants(ADMIN, TenantsPut(tenants=risky))
    with pytest.raises(NobodyEligible, match="5 risk"):
        await operations.draw_cohort(ADMIN, flag, ask(90))


async def test_a_repeated_request_is_answered_again_and_done_once(operations, flag, tenants):
    first = await operations.draw_cohort(ADMIN, flag, ask(seed=None), idempotency_key="k")
    again = await operations.draw_cohort(ADMIN, flag, ask(seed=None), idempotency_key="k")
    assert again.result.replayed
    assert again.cohort == first.cohort
    assert (await operations.history(ADMIN, flag)).changes[0].change_id == first.cohort.change_id
    with pytest.raises(IdempotencyKeyReused):
        await operations.draw_cohort(ADMIN, flag, ask(20), idempotency_key="k")


async def test_a_kill_meanwhile_wins(operations, flag, tenants, monkeypatch):
    """The draw runs beside the loop, so a kill gets in between; the cohort must not touch the killed flag."""
    to_thread = asyncio.to_thread

    async def kill_meanwhile(*work):
        result = await to_thread(*work)
        await operations.kill(ADMIN, flag, Kill(kill_reason="now"))
        return result

    monkeypatch.setattr(asyncio, "to_thread", kill_meanwhile)
    with pytest.raises(FlagKilled):
        await operations.draw_cohort(ADMIN, flag, ask(start=True))
    assert (await operations.flag(ADMIN, flag)).flag.current_state is FlagState.KILL


async def test_a_blackout_within_the_phase_counts(operations, flag, clock):
    clock_day = clock().date()
    soon = Blackout(
        starts_on=clock_day.replace(day=clock_day.day + 2), ends_on=clock_day.replace(day=clock_day.day + 3)
    )
    tenants = tuple(
        TenantProfile(tenant_id=f"t{n}", risk_score=0.1, beta_participant=True, blackouts=(soon,) if n else ())
        for n in range(20)
    )
    await operations.put_tenants(ADMIN, TenantsPut(tenants=tenants))
    assert usual_hours(10) == 48
    usual = await operations.draw_cohort(ADMIN, flag, ask(), dry_run=True)
    assert (usual.cohort.members, usual.cohort.shortfall) == (1, 1)
    short = await operations.draw_cohort(ADMIN, flag, ask(lasts_hours=1), dry_run=True)
    assert short.cohort.shortfall == 0
