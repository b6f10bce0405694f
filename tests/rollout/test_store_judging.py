"""The controller with the real judge on real measurements: a bad canary is stopped, a healthy one goes on, silence waits."""

from __future__ import annotations

import json
import random

import pytest

from flagconsole.domain.group import Group
from flagconsole.domain.judge import MetricValue
from flagconsole.domain.plan import Comparison, Criterion, Phase, PhaseKind, Plan
from flagconsole.domain.requests import TenantRecord, TenantsPut
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.sketch import LatencySketch
from flagconsole.domain.tally import Tally
from flagconsole.domain.verdict import CohortBasis, VerdictKind
from flagconsole.operations import rollouts as rollouts_of_store
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.context import Context
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.rollout.controller import Controller
from flagconsole.rollout.lease import Leadership
from flagconsole.rollout.playbook_file import shipped_playbook
from flagconsole.rollout.store_judging import StoreJudging
from flagconsole.store.metric_store import GroupBucket, MetricWrite, TenantBucket

from ..conftest import ADMIN, OPERATOR

TENANTS = [f"t{number:03}" for number in range(60)]
OPERATIONS = 20


def limit(metric, comparison, value):
    return Criterion(metric=metric, comparison=Comparison(comparison), value=value)


PLAN = Plan(
    name="short",
    auto_promote=True,
    phases=(
        Phase(name="shadow", kind=PhaseKind.SHADOW, min_hours=0.2, success=(limit("error_rate", "<=", 0.05),)),
        Phase(
            name="canary 50",
            kind=PhaseKind.CANARY,
            percentage=50,
            min_hours=10,
            success=(limit("error_rate", "<=", 0.01),),
            rollback=(limit("error_rate", ">", 0.05),),
        ),
    ),
)


class Traffic:
    """Twenty operations of each tenant every 30 s, with errors as told."""

    def __init__(self, store, clock) -> None:
        self._store, self._clock = store, clock
        self._chance = random.Random(5)
        self.canary_errors = self.errors = 0.005
        self.quiet = False

    async def flow(self, operations, flag):
        if self.quiet:
            return
        listing = await operations.flags(ADMIN, TENANTS[0])
        state = next(f.current_state for f in listing.flags if f.flag_name == flag)
        start = int(self._clock().timestamp()) // 30 * 30
        tenants, groups = [], {}
        for tenant in TENANTS:
            group = await self._group(operations, flag, tenant, state)
            rate = self.canary_errors if group is Group.CANARY else self.errors
            errors = sum(self._chance.random() < rate for _ in range(OPERATIONS))
            tally = Tally(OPERATIONS, OPERATIONS - errors, errors, 0, 0, OPERATIONS, 0.2 * OPERATIONS)
            sketch = LatencySketch()
            for _ in range(OPERATIONS):
                sketch.add(self._chance.lognormvariate(-1.4, 0.5))
            tenants.append(TenantBucket(flag, tenant, group, start, 30, tally, sketch.to_bytes()))
            total, latency = groups.setdefault(group, [Tally(), LatencySketch()])
            groups[group][0] = total.plus(tally)
            latency.merge(sketch)
        buckets = [GroupBucket(flag, g, start, 30, tally, s.to_bytes()) for g, (tally, s) in groups.items()]
        await self._store.metrics.save([MetricWrite(f"batch-{start}", start + 900, buckets, tenants)])

    async def _group(self, operations, flag, tenant, state):
        if state == "shadow":
            return Group.SHADOW
        found = await operations.flag(ADMIN, flag, tenant)
        return Group.CANARY if found.effective_state == "canary" else Group.CONTROL


@pytest.fixture
async def rollouts(store, operations, flag):
    records = tuple(TenantRecord(tenant_id=name) for name in TENANTS)
    await operations.put_tenants(ADMIN, TenantsPut(tenants=records))
    service = RolloutOperations(store)
    await service.tick(OPERATOR, flag, CHECKLIST)
    await service.start(ADMIN, flag, PLAN, "go")
    return service


async def run(store, operations, clock, flag, traffic, minutes, judging=None):
    monotonic = lambda: clock().timestamp()  # noqa: E731
    controller = Controller(store, judging or StoreJudging(store), Leadership(store, holder="c1", monotonic=monotonic))
    for _ in range(minutes * 2):
        await traffic.flow(operations, flag)
        clock.forward(seconds=30)
        assert await controller.tick()


async def newest(service, flag):
    return (await service.detail(ADMIN, flag)).rollout


async def test_a_bad_canary_is_rolled_back_by_itself_and_says_why(store, operations, rollouts, clock, flag):
    traffic = Traffic(store, clock)
    await run(store, operations, clock, flag, traffic, 16)
    rollout = await newest(rollouts, flag)
    assert rollout.phase == "canary 50", rollout.verdict
    traffic.canary_errors = 0.3
    await run(store, operations, clock, flag, traffic, 12)
    rollout = await newest(rollouts, flag)
    assert rollout.status is RolloutStatus.ROLLING_BACK
    assert rollout.verdict.kind is VerdictKind.FAIL
    assert "error_rate" in rollout.verdict.because
    assert (await operations.flag(ADMIN, flag)).flag.current_state == "off"


async def test_a_healthy_canary_is_left_alone(store, operations, rollouts, clock, flag):
    traffic = Traffic(store, clock)
    await run(store, operations, clock, flag, traffic, 30)
    rollout = await newest(rollouts, flag)
    assert (rollout.phase, rollout.status) == ("canary 50", RolloutStatus.RUNNING)
    assert rollout.verdict.kind in {VerdictKind.INCONCLUSIVE, VerdictKind.PASS}


async def test_an_incident_that_hits_everybody_accuses_nobody(store, operations, rollouts, clock, flag):
    traffic = Traffic(store, clock)
    await run(store, operations, clock, flag, traffic, 16)
    traffic.canary_errors = traffic.errors = 0.04
    await run(store, operations, clock, flag, traffic, 10)
    assert (await newest(rollouts, flag)).status is RolloutStatus.RUNNING


async def test_silence_neither_promotes_nor_rolls_back(store, operations, rollouts, clock, flag):
    traffic = Traffic(store, clock)
    traffic.quiet = True
    await run(store, operations, clock, flag, traffic, 20)
    rollout = await newest(rollouts, flag)
    assert (rollout.phase, rollout.status, rollout.fresh_seconds) == ("shadow", RolloutStatus.RUNNING, 0.0)
    assert rollout.verdict.kind is VerdictKind.NO_DATA


async def test_without_tenants_it_says_what_to_do_and_goes_on_once_they_are_there(store, operations, clock, flag):
    service = RolloutOperations(store)
    await service.tick(OPERATOR, flag, CHECKLIST)
    await service.start(ADMIN, flag, PLAN, "go")
    traffic = Traffic(store, clock)
    await run(store, operations, clock, flag, traffic, 4)
    rollout = await newest(service, flag)
    assert (rollout.verdict.kind, rollout.phase) == (VerdictKind.NO_DATA, "shadow")
    assert rollout.verdict.because == "no active tenants are known, so there is nobody to compare: import them first"
    records = tuple(TenantRecord(tenant_id=name) for name in TENANTS)
    await operations.put_tenants(ADMIN, TenantsPut(tenants=records))
    await run(store, operations, clock, flag, traffic, 16)
    assert (await newest(service, flag)).phase == "canary 50"


async def test_a_restart_in_the_middle_changes_no_verdict(store, operations, rollouts, clock, flag):
    traffic = Traffic(store, clock)
    await run(store, operations, clock, flag, traffic, 18)
    before = await newest(rollouts, flag)
    await run(store, operations, clock, flag, traffic, 3, StoreJudging(store))
    after = await newest(rollouts, flag)
    assert after.phase == before.phase == "canary 50"
    assert "can't be read" not in after.verdict.because
    assert after.verdict.kind is not VerdictKind.NO_DATA


async def test_the_baseline_is_read_once_and_small_shifts_of_latency_are_counted(
    store, operations, rollouts, clock, flag
):
    traffic = Traffic(store, clock)
    await run(store, operations, clock, flag, traffic, 16)
    rollout = await newest(rollouts, flag)
    state = await judge_state(store, rollout)
    question = state["fixed"]["question"]
    slow, slower = question["references"]
    assert 0.4 < slow < 0.8
    assert 0.2 < slower < 0.3
    assert state["fixed"]["baseline"]["columns"] == 5
    assert 20 < len(question["cohort"]) < 40
    await run(store, operations, clock, flag, traffic, 2, StoreJudging(store))
    assert (await judge_state(store, rollout))["fixed"] == state["fixed"]


async def judge_state(store, rollout):
    async with store.read() as reader:
        return json.loads(await reader.judge_state(rollout.rollout_id, rollout.phase))


async def test_where_another_server_went_on_its_state_counts(store, operations, rollouts, clock, flag):
    traffic = Traffic(store, clock)
    first, second = StoreJudging(store), StoreJudging(store)
    await run(store, operations, clock, flag, traffic, 14, first)
    await run(store, operations, clock, flag, traffic, 1, second)
    await run(store, operations, clock, flag, traffic, 1, first)
    rollout = await newest(rollouts, flag)
    kept = await judge_state(store, rollout)
    alone = await reference(store, rollout, flag, clock)
    assert kept["changing"]["judge"]["totals"] == alone["changing"]["judge"]["totals"]
    assert kept["changing"]["judge"]["last_seconds"] == alone["changing"]["judge"]["last_seconds"]


async def reference(store, rollout, flag, clock):
    async with store.read() as reader:
        found = await reader.flag(flag)
    return json.loads((await StoreJudging(store).look(rollout, found, None, clock())).state)


async def test_metrics_of_others_take_the_place_of_the_stores_own(store, operations, rollouts, clock, flag):
    class Others:
        async def values(self, rollout, now):
            return {"error_rate": MetricValue(None)}

    traffic = Traffic(store, clock)
    await run(store, operations, clock, flag, traffic, 16, StoreJudging(store, Others()))
    rollout = await newest(rollouts, flag)
    assert rollout.phase == "shadow"
    assert "no data for error_rate" in rollout.verdict.because


async def test_while_it_is_rolled_back_the_drawn_cohort_is_judged_on_after_a_restart_too(
    store, operations, clock, flag
):
    records = tuple(
        TenantRecord(
            tenant_id=name,
            size="small",
            industry="restaurants",
            region="eu",
            risk_score=0.1,
            engagement_score=0.9,
            timezone="Europe/Berlin",
        )
        for name in TENANTS
    )
    await operations.put_tenants(ADMIN, TenantsPut(tenants=records))
    service = RolloutOperations(store)
    await service.tick(OPERATOR, flag, CHECKLIST)
    await service.start(ADMIN, flag, PLAN, "go")
    traffic = Traffic(store, clock)
    await run(store, operations, clock, flag, traffic, 16)
    before = await newest(service, flag)
    assert (before.phase, before.verdict.cohort) == ("canary 50", CohortBasis.DRAWN)
    async with store.write() as tx:
        playbook = shipped_playbook("gradual")
        await rollouts_of_store.begin_rollback(tx, Context(ADMIN, clock()), before, playbook, "by hand")
    halved = (await operations.flag(ADMIN, flag)).flag.canary_tenant_ids
    assert len(halved) == 15
    traffic.canary_errors = 0.5
    await run(store, operations, clock, flag, traffic, 3, StoreJudging(store))
    after = await newest(service, flag)
    assert after.verdict.cohort is CohortBasis.DRAWN
    assert after.verdict.cohort_size == 30  # as it was drawn: those who lost it since are its tenants still
    assert after.verdict.kind is VerdictKind.FAIL
    assert (await operations.flag(ADMIN, flag)).flag.current_state == "off"
