"""After an exposure was halved, only evidence that what failed is over is an improvement."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta

import httpx
import pytest

from flagconsole.domain.bucketing import in_percentage
from flagconsole.domain.group import Group
from flagconsole.domain.plan import Comparison, Criterion, Phase, PhaseKind, Plan
from flagconsole.domain.requests import TenantRecord, TenantsPut
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.sketch import LatencySketch
from flagconsole.domain.tally import Tally
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.rollout.controller import Controller
from flagconsole.rollout.improvement import ImprovementVerdicts
from flagconsole.rollout.lease import Leadership
from flagconsole.rollout.playbook_file import read_playbooks
from flagconsole.rollout.playbook_runner import PlaybookRunner
from flagconsole.rollout.response import Response
from flagconsole.rollout.store_judging import StoreJudging
from flagconsole.store.metric_store import GroupBucket, MetricWrite, TenantBucket

from ..conftest import ADMIN, OPERATOR

TENANTS = [f"t{number:03}" for number in range(80)]


def limit(metric, comparison, value):
    return Criterion(metric=metric, comparison=Comparison(comparison), value=value)


PLAN = Plan(
    name="short",
    auto_promote=True,
    phases=(
        Phase(name="shadow", kind=PhaseKind.SHADOW, min_hours=0.1, success=(limit("error_rate", "<=", 0.05),)),
        Phase(
            name="canary 50",
            kind=PhaseKind.CANARY,
            percentage=50,
            min_hours=10,
            success=(limit("error_rate", "<=", 0.02), limit("p95_regression", "<=", 0.05)),
            rollback=(limit("error_rate", ">", 0.05), limit("p95_regression", ">", 0.15)),
        ),
    ),
)


class World:
    """A rollout on a real store: traffic, controller and playbook runner, moved on together by 30 s."""

    def __init__(self, store, operations, service, clock, flag, connection) -> None:
        self.store, self.operations, self.service, self.clock, self.flag = store, operations, service, clock, flag
        self.slower, self.errors, self.quiet = 1.0, 0.005, False
        self.canary_errors = 0.0
        self._chance = random.Random(5)
        self._batches = itertools.count()
        leadership = Leadership(store, holder="c1", monotonic=lambda: clock().timestamp())
        self._leadership = leadership
        self._controller = Controller(store, StoreJudging(store), leadership)
        self._connection = connection
        self.restart()

    def restart(self):
        self.runner = PlaybookRunner(
            self.store,
            read_playbooks(),
            response=Response(),
            verdicts=ImprovementVerdicts(self.store, self._leadership),
            metrics=None,
            fence=self._leadership,
            connection=self._connection,
        )

    async def move(self, minutes):
        for _ in range(int(minutes * 2)):
            if not self.quiet:
                await self._work()
            self.clock.forward(seconds=30)
            assert await self._controller.tick()
            await self.runner.tick()

    async def _work(self):
        setting = (await self.operations.flag(ADMIN, self.flag)).flag
        start = int(self.clock().timestamp()) // 30 * 30
        tenants, groups = [], {}
        for name in TENANTS:
            inside = in_percentage(self.flag, name, setting.canary_percentage)
            group = Group.SHADOW
            if setting.current_state == "canary":
                group = Group.CANARY if inside else Group.CONTROL
            sketch = LatencySketch()
            for _ in range(20):
                sketch.add(self._chance.lognormvariate(-1.4, 0.5) * (self.slower if group is Group.CANARY else 1))
            rate = self.errors + (self.canary_errors if group is Group.CANARY else 0.0)
            errors = sum(self._chance.random() < rate for _ in range(20))
            tally = Tally(20, 20 - errors, errors, 0, 0, 20, 5.0)
            tenants.append(TenantBucket(self.flag, name, group, start, 30, tally, sketch.to_bytes()))
            total = groups.setdefault(group, [Tally(), LatencySketch()])
            total[0] = total[0].plus(tally)
            total[1].merge(sketch)
        buckets = [GroupBucket(self.flag, g, start, 30, tally, s.to_bytes()) for g, (tally, s) in groups.items()]
        await self.store.metrics.save([MetricWrite(f"b{next(self._batches)}", start + 900, buckets, tenants)])

    async def rollout(self):
        return (await self.service.detail(ADMIN, self.flag)).rollout

    async def looks(self):
        """What the judge said since the rollback began, oldest first."""
        found = (await self.service.verdicts(ADMIN, self.flag, limit=200)).verdicts
        return [one.verdict for one in reversed(found) if "that kept it" in one.verdict.because]

    async def state(self):
        return (await self.operations.flag(ADMIN, self.flag)).flag.setting.describe()


@pytest.fixture
async def world(store, operations, clock, flag):
    """A canary that was halved since its latencies had doubled."""
    records = tuple(TenantRecord(tenant_id=name) for name in TENANTS)
    await operations.put_tenants(ADMIN, TenantsPut(tenants=records))
    service = RolloutOperations(store)
    await service.tick(OPERATOR, flag, CHECKLIST)
    await service.start(ADMIN, flag, PLAN, "go")
    async with httpx.AsyncClient() as connection:
        made = World(store, operations, service, clock, flag, connection)
        await made.move(8)
        made.slower = 2.0
        for _ in range(20):
            await made.move(0.5)
            if (await made.rollout()).status is RolloutStatus.ROLLING_BACK:
                break
        assert await made.state() == "canary 25 %"
        yield made


async def test_where_it_is_over_the_half_is_kept(world):
    world.slower = 1.0
    await world.move(20)
    looks = await world.looks()
    assert looks[-1].kind is VerdictKind.PASS
    assert "back within limits: p95_regression" in looks[-1].because
    # While it settles it is looked at, but nothing counts yet.
    assert len({look.watched_since for look in looks}) == 2
    settled = [look for look in looks if look.watched_since == looks[-1].watched_since]
    assert {look.kind for look in settled[:-1]} == {VerdictKind.NO_DATA, VerdictKind.INCONCLUSIVE}
    assert await world.state() == "canary 25 %"
    rollout = await world.rollout()
    assert rollout.status is RolloutStatus.ROLLED_BACK
    assert rollout.verdict.kind is VerdictKind.FAIL  # what it was rolled back for


async def test_where_it_goes_on_the_rollback_is_completed(world):
    await world.move(31)
    looks = await world.looks()
    assert len(looks) > 40
    assert VerdictKind.PASS not in {look.kind for look in looks}
    assert looks[-1].kind is VerdictKind.FAIL
    assert looks[-1].tenants == sum(in_percentage(world.flag, name, 25) for name in TENANTS)
    assert await world.state() == "shadow"


async def test_silence_is_no_improvement(world):
    world.quiet = True
    await world.move(31)
    assert {look.kind for look in await world.looks()} == {VerdictKind.NO_DATA}
    assert await world.state() == "shadow"


async def test_a_restart_says_the_same(world):
    world.slower = 1.0
    await world.move(5.5)
    before = (await world.looks())[-1]
    [incident] = (await world.operations.incidents(ADMIN)).incidents
    run = (await world.operations.incident(ADMIN, incident.incident_id)).incident.run
    [watch] = [record for record in run.steps if record.step == "watch"]
    again = ImprovementVerdicts(world.store, world._leadership)
    said = await again.verdict(world.flag, watch.started_at + timedelta(minutes=5), world.clock())
    assert said is before.kind
    assert (await world.looks())[-1] == before


async def test_without_a_rollout_there_is_nothing_that_could_be_met_again(store, operations, clock, flag):
    verdicts = ImprovementVerdicts(store, Leadership(store, holder="c1"))
    assert await verdicts.verdict(flag, clock(), clock()) is VerdictKind.NO_DATA


async def test_what_can_not_be_read_is_no_improvement(world):
    world.slower = 1.0
    await world.move(4)

    async def away(*_):
        raise ValueError("disk away")

    original = world.store.metrics.tenant_rows
    world.store.metrics.tenant_rows = away
    world.restart()
    await world.move(3)
    looks = (await world.service.verdicts(ADMIN, world.flag, limit=5)).verdicts
    world.store.metrics.tenant_rows = original
    assert {look.verdict.kind for look in looks[:3]} == {VerdictKind.NO_DATA}
    assert "disk away" in looks[0].verdict.because


async def test_errors_that_come_while_it_is_watched_end_it_at_once_in_the_same_incident(world):
    """Latencies had called for the gentle playbook; errors of those who kept the feature call for another."""
    world.errors = 0.5  # of everybody, with the feature and without: that is no reason
    await world.move(2)
    assert await world.state() == "canary 25 %"
    world.errors, world.canary_errors = 0.005, 0.5
    await world.move(3)
    assert await world.state() == "off"
    [incident] = (await world.operations.incidents(ADMIN)).incidents
    assert incident.playbook == "immediate"
    assert incident.trigger.startswith("p95_regression: ")
    assert "; then error_rate: " in incident.trigger  # as the metrics are called, whoever looked
    rollout = await world.rollout()
    assert "p95_regression" in rollout.rolled_back_for
