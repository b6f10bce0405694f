"""Phases of minutes, as in a demo: 500 tenants, 300 operations a second, a look every 5 s."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from flagconsole.domain.bucketing import in_percentage
from flagconsole.domain.group import Group
from flagconsole.domain.plan import Comparison, Criterion, Phase, PhaseKind, Plan
from flagconsole.domain.requests import TenantRecord, TenantsPut
from flagconsole.domain.rollout import Rollout, RolloutStep
from flagconsole.domain.sketch import bin_of, merged, packed
from flagconsole.domain.tally import Tally
from flagconsole.domain.verdict import VerdictKind
from flagconsole.rollout.store_judging import StoreJudging
from flagconsole.store.metric_store import GroupBucket, MetricWrite, TenantBucket

from ..conftest import ADMIN

TENANTS = tuple(f"tenant-{number:03}" for number in range(500))
BUCKET = 5
PER_SECOND = 300
SHADOW_SECONDS, CANARY_SECONDS = 120, 180


def limit(metric, comparison, value):
    return Criterion(metric=metric, comparison=Comparison(comparison), value=value)


CANARY = Phase(
    name="canary 10",
    kind=PhaseKind.CANARY,
    percentage=10,
    min_hours=CANARY_SECONDS / 3600,
    look_seconds=5,
    success=(limit("error_rate", "<=", 0.01), limit("p95_regression", "<=", 0.05)),
    rollback=(limit("error_rate", ">", 0.02), limit("p95_regression", ">", 0.15)),
)
SHADOW = Phase(name="shadow", kind=PhaseKind.SHADOW, min_hours=SHADOW_SECONDS / 3600, look_seconds=5)
PLAN = Plan(name="demo", phases=(SHADOW, CANARY))


class Fleet:
    """Tenants of unequal size, with latencies and errors of their own."""

    def __init__(self, store, flag, seed) -> None:
        self._store, self._flag = store, flag
        self._rng = np.random.default_rng(seed)
        weight = self._rng.lognormal(0, 0.8, len(TENANTS))
        self._rates = PER_SECOND * BUCKET * weight / weight.sum()
        self._own = self._rng.lognormal(0, 0.5, len(TENANTS))
        self._slowness = self._rng.lognormal(0, 0.2, len(TENANTS))
        self.inside = np.array([in_percentage(flag, name, 10) for name in TENANTS])

    async def work(self, start, *, shadow=False, errors=0.003, canary_errors=None):
        rate = np.full(len(TENANTS), errors) * self._own
        if canary_errors is not None:
            rate[self.inside] = canary_errors
        operations = self._rng.poisson(self._rates)
        failed = self._rng.binomial(operations, np.minimum(rate, 0.9))
        rows, groups = [], {}
        for place in np.flatnonzero(operations):
            group = Group.SHADOW if shadow else Group.CANARY if self.inside[place] else Group.CONTROL
            many, bad = int(operations[place]), int(failed[place])
            latencies = self._rng.lognormal(-1.4, 0.5, many) * self._slowness[place]
            sketch = packed((key, 1) for key in sorted(map(bin_of, latencies.tolist())))
            tally = Tally(many, many - bad, bad, 0, 0, many, 1.0)
            rows.append(TenantBucket(self._flag, TENANTS[place], group, start, BUCKET, tally, sketch))
            total = groups.setdefault(group, [Tally(), []])
            total[0] = total[0].plus(tally)
            total[1].append(sketch)
        buckets = [
            GroupBucket(self._flag, group, start, BUCKET, tally, merged(parts))
            for group, (tally, parts) in groups.items()
        ]
        await self._store.metrics.save([MetricWrite(f"b{start}", start + 900, buckets, rows)])


@pytest.fixture
async def canary(store, operations, clock, flag):
    """After a shadow phase: looks at a canary, given what its operations are like at each second of it."""
    clock.at = clock.at.replace(second=0, microsecond=0)
    await operations.put_tenants(ADMIN, TenantsPut(tenants=tuple(TenantRecord(tenant_id=name) for name in TENANTS)))
    shadow_at = clock.at
    clock.forward(seconds=SHADOW_SECONDS)
    rollout = Rollout(
        rollout_id="r1",
        flag_name=flag,
        plan=PLAN,
        phase=CANARY.name,
        seed=1,
        started_at=shadow_at,
        started_by="ada",
        phase_started_at=clock.at,
        expected_version=1,
    )
    async with store.write() as tx:
        found = (await tx.flag(flag)).model_copy(update={"canary_percentage": 10})
        await tx.save_rollout(rollout)
        for name, at in (("shadow", shadow_at), (CANARY.name, clock.at)):
            await tx.take_step(RolloutStep(rollout_id="r1", step=f"enter {name}", at=at, by="ada"))

    async def look(seed, seconds, operations_at):
        fleet = Fleet(store, flag, seed)
        for start in range(int(shadow_at.timestamp()), int(rollout.phase_started_at.timestamp()), BUCKET):
            await fleet.work(start, shadow=True)
        judging, state, now = StoreJudging(store), None, rollout.phase_started_at
        for second in range(0, seconds, BUCKET):
            await fleet.work(int(now.timestamp()), **operations_at(second))
            now += timedelta(seconds=BUCKET)
            judged = rollout.model_copy(update={"fresh_seconds": float(second)})
            answer = await judging.look(judged, found, state, now)
            state = answer.state
            if answer.verdict.kind is VerdictKind.FAIL:
                return second + BUCKET, answer.verdict
        return None, answer.verdict

    return look


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_healthy_canary_is_left_alone(canary, seed):
    found, verdict = await canary(seed, CANARY_SECONDS, lambda second: {})
    assert found is None, verdict.because


async def test_what_hits_everybody_is_not_the_canarys(canary):
    found, verdict = await canary(4, CANARY_SECONDS, lambda second: {"errors": 0.05 if 60 <= second < 120 else 0.003})
    assert found is None, verdict.because


@pytest.mark.parametrize("seed", [5, 6])
async def test_errors_of_the_canary_are_found_within_a_minute(canary, seed):
    begins = 40
    found, verdict = await canary(seed, 120, lambda second: {"canary_errors": 0.05} if second >= begins else {})
    assert found is not None
    assert begins < found <= begins + 60
    assert "error_rate" in verdict.because
