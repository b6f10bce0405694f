"""Forty looks at metrics that are missing, not numbers, empty, old, slow, coming and going, or unclear promote nothing.

The store, the judge and the controller are the real ones, and the plan promotes by itself; what is broken is what they read.
"""

from __future__ import annotations

import asyncio
import math

import pytest

from flagconsole.domain.group import Group
from flagconsole.domain.judge import GroupValue, MetricValue
from flagconsole.domain.plan import Comparison, Criterion, Phase, PhaseKind, Plan
from flagconsole.domain.requests import TenantRecord, TenantsPut
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.sketch import bin_of, packed
from flagconsole.domain.tally import Tally
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.rollout.controller import Controller
from flagconsole.rollout.lease import Leadership
from flagconsole.rollout.store_judging import StoreJudging
from flagconsole.store.metric_store import GroupBucket, MetricWrite, TenantBucket

from ..conftest import ADMIN, OPERATOR

TENANTS = tuple(f"t{number}" for number in range(30))
TRIES = 40
GOOD = MetricValue(GroupValue(0.96, 500))


def limit(metric, comparison, value):
    return Criterion(metric=metric, comparison=Comparison(comparison), value=value)


PLAN = Plan(
    name="eager",
    auto_promote=True,
    phases=(
        Phase(
            name="shadow",
            kind=PhaseKind.SHADOW,
            min_hours=0.05,
            success=(limit("error_rate", "<=", 0.05), limit("csat", ">=", 0.9)),
            rollback=(limit("csat", "<", 0.8),),
        ),
        Phase(name="canary 50", kind=PhaseKind.CANARY, percentage=50, min_hours=10),
    ),
)


class Source:
    """What is read at each look. Each fault is a method that is told how often it was asked."""

    def __init__(self, fault) -> None:
        self.fault, self.looks = fault, 0

    async def values(self, rollout, now):
        self.looks += 1
        return await getattr(self, self.fault)()

    async def good(self):
        return {"csat": GOOD}

    async def missing(self):
        return {}

    async def nan(self):
        return {"csat": MetricValue(GroupValue(math.nan, 500))}

    async def infinite(self):
        return {"csat": MetricValue(GroupValue(math.inf, 500))}

    async def empty(self):
        return {"csat": MetricValue(GroupValue(1.0, 0))}

    async def unknown(self):
        return {"csat": MetricValue(None)}

    async def impossible(self):
        return {"csat": MetricValue(GroupValue(96.0, 500))}

    async def failing(self):
        raise OSError("the source is away")

    async def slow(self):
        await asyncio.sleep(60)
        return {"csat": GOOD}

    async def coming_and_going(self):
        return {"csat": GOOD} if self.looks % 2 else {}

    async def nan_now_and_then(self):
        return await (self.nan() if self.looks % 3 == 0 else self.good())

    async def failing_every_other_time(self):
        return await (self.good() if self.looks % 2 else self.failing())

    async def slow_every_other_time(self):
        return await (self.good() if self.looks % 2 else self.slow())

    async def unclear(self):
        return {"csat": MetricValue(GroupValue(0.91, 30))}

    async def bad_by_estimate(self):
        return {"csat": MetricValue(GroupValue(0.88, 500))}

    async def too_few(self):
        return {"csat": MetricValue(GroupValue(1.0, 3))}


class Traffic:
    """Ten operations of each tenant every 30 s, without an error."""

    def __init__(self, store, clock, flag) -> None:
        self._store, self._clock, self._flag = store, clock, flag
        self._sketch = packed([(bin_of(0.2), 10)])

    async def flow(self):
        start = int(self._clock().timestamp()) // 30 * 30
        tally = Tally(10, 10, 0, 0, 0, 10, 2.0)
        rows = [TenantBucket(self._flag, name, Group.SHADOW, start, 30, tally, self._sketch) for name in TENANTS]
        group = GroupBucket(self._flag, Group.SHADOW, start, 30, Tally(300, 300, 0, 0, 0, 300, 60.0), self._sketch)
        await self._store.metrics.save([MetricWrite(f"b{start}", start + 900, [group], rows)])


@pytest.fixture
async def rollouts(store, operations, flag):
    await operations.put_tenants(ADMIN, TenantsPut(tenants=tuple(TenantRecord(tenant_id=name) for name in TENANTS)))
    service = RolloutOperations(store)
    await service.tick(OPERATOR, flag, CHECKLIST)
    await service.start(ADMIN, flag, PLAN, "go")
    return service


async def looks(store, clock, flag, rollouts, fault, *, flows=lambda look: True):
    """The kinds of forty looks, and the rollout after them."""
    traffic, source = Traffic(store, clock, flag), Source(fault)
    leadership = Leadership(store, holder="c1", monotonic=lambda: clock().timestamp())
    quickly = 0.05 if "slow" in fault else 20.0
    controller = Controller(store, StoreJudging(store, source), leadership, look_seconds=quickly)
    kinds = []
    for look in range(TRIES):
        if flows(look):
            await traffic.flow()
        clock.forward(seconds=30)
        assert await controller.tick()
        rollout = (await rollouts.detail(ADMIN, flag)).rollout
        kinds.append(None if rollout.verdict is None else rollout.verdict.kind)
    return kinds, rollout


async def test_good_metrics_promote(store, operations, rollouts, clock, flag):
    _, rollout = await looks(store, clock, flag, rollouts, "good")
    assert rollout.phase == "canary 50"


FAULTS = [name for name in vars(Source) if not name.startswith("_") and name not in {"values", "good"}]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_broken_source_promotes_nothing(store, operations, rollouts, clock, flag, fault):
    kinds, rollout = await looks(store, clock, flag, rollouts, fault)
    assert (rollout.phase, rollout.status) == ("shadow", RolloutStatus.RUNNING)
    assert len(kinds) == TRIES
    assert set(kinds) <= {VerdictKind.NO_DATA, VerdictKind.INCONCLUSIVE}
    assert (await operations.flag(ADMIN, flag)).flag.current_state == "shadow"


@pytest.mark.parametrize(
    "flows",
    [lambda look: False, lambda look: look < 4, lambda look: look % 4 == 0, lambda look: look % 8 < 2],
    ids=["never", "stops", "every two minutes", "in bursts"],
)
async def test_operations_that_are_old_or_come_and_go_promote_nothing(store, operations, rollouts, clock, flag, flows):
    kinds, rollout = await looks(store, clock, flag, rollouts, "good", flows=flows)
    assert (rollout.phase, rollout.status) == ("shadow", RolloutStatus.RUNNING)
    assert VerdictKind.PASS not in kinds
    assert VerdictKind.NO_DATA in kinds


async def test_what_comes_back_for_good_promotes_after_some_looks_without_a_gap(
    store, operations, rollouts, clock, flag
):
    _, rollout = await looks(store, clock, flag, rollouts, "good", flows=lambda look: not 3 <= look < 20)
    assert rollout.phase == "canary 50"
