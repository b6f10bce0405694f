"""A rollout's past judged again: by its own plan it comes out as it was, by another as that one says, and nothing is made up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flagconsole.domain.plan import Comparison, Criterion, Evidence
from flagconsole.domain.requests import TenantRecord, TenantsPut
from flagconsole.domain.retention import Retention
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.rollout.replay import replay

from ..conftest import ADMIN, OPERATOR
from .test_store_judging import PLAN, TENANTS, Traffic, run

CANARY_MINUTES = 8


@pytest.fixture
async def service(store, operations, flag):
    records = tuple(TenantRecord(tenant_id=name) for name in TENANTS)
    await operations.put_tenants(ADMIN, TenantsPut(tenants=records))
    service = RolloutOperations(store)
    await service.tick(OPERATOR, flag, CHECKLIST)
    await service.start(ADMIN, flag, PLAN, "go")
    return service


@pytest.fixture
async def bad(store, operations, service, clock, flag):
    """A rollout whose canary went bad three minutes after it began, and was rolled back."""
    traffic = Traffic(store, clock)
    await run(store, operations, clock, flag, traffic, 16)
    traffic.canary_errors = 0.3
    await run(store, operations, clock, flag, traffic, CANARY_MINUTES)
    rollout = (await service.detail(ADMIN, flag)).rollout
    assert rollout.status is RolloutStatus.ROLLING_BACK
    return rollout


def with_canary(plan, **changes):
    shadow, canary = plan.phases
    return plan.model_copy(update={"name": "another", "phases": (shadow, canary.model_copy(update=changes))})


async def test_by_its_own_plan_it_comes_out_as_it_was(store, bad):
    found = await replay(store, bad, bad.plan)
    shadow, canary = found.phases
    assert (found.complete, found.replayed_with) == (True, "short")
    assert (shadow.phase, shadow.judged_as, shadow.unjudged, shadow.notes) == ("shadow", "shadow", "", ())
    tick = timedelta(seconds=60)
    assert abs(shadow.would_pass_at - shadow.promoted_at) <= tick
    assert shadow.would_promote
    assert canary.rolled_back.playbook == canary.would_roll_back.playbook == "immediate"
    assert abs(canary.would_roll_back.at - canary.rolled_back.at) <= tick
    assert (
        canary.would_roll_back.because.partition(":")[0] == canary.rolled_back.because.partition(":")[0] == "error_rate"
    )
    assert canary.really.first[VerdictKind.FAIL] == canary.rolled_back.at
    assert canary.would.counts[VerdictKind.FAIL] == 1
    assert canary.promoted_at is canary.would_pass_at is None


async def test_a_laxer_plan_would_have_let_it_run_and_a_stricter_one_stopped_it_sooner(store, bad):
    lax = Criterion(metric="error_rate", comparison=Comparison.ABOVE, value=0.9)
    loose = Criterion(metric="error_rate", comparison=Comparison.AT_MOST, value=0.9)
    plan = with_canary(bad.plan, success=(loose,), rollback=(lax,))
    canary = (await replay(store, bad, plan)).phases[1]
    assert canary.would_roll_back is None
    assert VerdictKind.FAIL in canary.really.counts
    assert VerdictKind.FAIL not in canary.would.counts
    strict = Criterion(metric="error_rate", comparison=Comparison.ABOVE, value=0.001, evidence=Evidence.THRESHOLD)
    stricter = (await replay(store, bad, with_canary(bad.plan, rollback=(strict,)))).phases[1]
    assert stricter.would_roll_back.at < canary.rolled_back.at - timedelta(minutes=2)
    assert "plain threshold" in stricter.would_roll_back.because


async def test_a_plan_that_leaves_rollbacks_to_people_makes_none(store, bad):
    plan = bad.plan.model_copy(update={"auto_rollback": False, "auto_promote": False})
    shadow, canary = (await replay(store, bad, plan)).phases
    assert (shadow.would_promote, shadow.would_pass_at is not None) == (False, True)
    assert canary.would_roll_back is None
    assert canary.would.counts[VerdictKind.FAIL] == 1


async def test_a_phase_that_the_other_plan_has_not_is_said_to_be_so(store, bad):
    found = await replay(store, bad, with_canary(bad.plan, percentage=10, name="canary 10"))
    assert found.phases[0].would is not None
    assert found.phases[1].unjudged == "the plan another has no canary phase of 50 %"
    assert found.phases[1].would is None
    renamed = await replay(store, bad, with_canary(bad.plan, name="half"))
    assert renamed.phases[1].judged_as == "half"


async def test_what_was_rolled_up_is_told_and_what_is_too_coarse_or_gone_is_not_judged(store, bad, clock):
    async def kept(days):
        clock.forward(days=days)
        while await store.metrics.roll_up(clock().timestamp(), Retention()):
            pass
        return (await replay(store, bad, bad.plan)).phases

    shadow, canary = await kept(2)
    assert (shadow.look_seconds, shadow.unjudged) == (300.0, "")
    assert "its measurements are kept in steps of 300 s: times are right to that" in shadow.notes
    assert canary.unjudged == "it ran for 4 min, and is only kept in steps of 5 min: too coarse"
    shadow, canary = await kept(7)
    assert shadow.unjudged == "it ran for 12 min, and is only kept in steps of 60 min: too coarse"
    shadow, canary = await kept(90)
    assert canary.unjudged == "what was measured of it has been deleted"
    assert VerdictKind.FAIL in canary.really.counts


async def test_when_the_time_is_over_it_says_so(store, bad):
    found = await replay(store, bad, bad.plan, limit_seconds=0)
    assert not found.complete
    assert [phase.unjudged for phase in found.phases] == ["the time for it was over"] * 2


async def test_a_phase_that_nobody_looked_at_is_not_judged(store, service, flag):
    rollout = (await service.detail(ADMIN, flag)).rollout
    [shadow] = (await replay(store, rollout, rollout.plan)).phases
    assert shadow.unjudged.startswith("the judge never looked at it")
    assert shadow.really.counts == {}
