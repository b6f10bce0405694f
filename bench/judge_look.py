"""How long one whole look takes at the end of a phase of 48 h: reading the store, the verdict, the state to keep."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from bench.judge_run import judged_phase
from flagconsole.domain.bucketing import in_percentage
from flagconsole.domain.flag import Flag
from flagconsole.domain.group import Group
from flagconsole.domain.plan import Phase, PhaseKind, Plan
from flagconsole.domain.requests import FlagCreate, TenantRecord, TenantsPut
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.rollout import Rollout, RolloutStep
from flagconsole.domain.sketch import bin_of, packed
from flagconsole.domain.tally import Tally
from flagconsole.operations.service import Operations
from flagconsole.rollout.store_judging import StoreJudging
from flagconsole.store import Store, open_store
from flagconsole.store.metric_store import GroupBucket, MetricWrite, TenantBucket

FLAG = "pos.lite"
ADMIN = Actor(name="bench", role=Role.ADMIN)
SLOT = 30
HOURS = 48
LOOKS = 12
#: Before the last look: long enough for a rank of the judge's budget to fall due.
PAUSE = timedelta(hours=5)
#: How long batches are still taken: the slots that a look may have to read again.
OPEN_SLOTS = 40
#: Up to so many tenants each of them has a row in every slot of the phase and of the shadow phase, as in a real store. More
#: would take hours to write; they have them in the newest slots, which are all that a look reads.
EVERY_SLOT = 500
PLAN = Plan(name="bench", phases=(Phase(name="shadow", kind=PhaseKind.SHADOW, min_hours=24), judged_phase()))


class Clock:
    """The store's time."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


class Fleet:
    """Writes what tenants of unequal size did in a slot."""

    def __init__(self, store: Store, size: int) -> None:
        self._store = store
        self._rng = np.random.default_rng([5, size])
        self.names = [f"tenant-{number:05d}" for number in range(size)]
        self._batches = itertools.count()
        latencies = self._rng.lognormal(-1.4, 0.55, (64, 6))
        self._sketches = [packed(sorted((bin_of(value), 1) for value in six)) for six in latencies]
        self._merged = packed(sorted((key, 50) for key in {bin_of(value) for value in latencies.ravel()}))

    async def work(self, start: int, *, shadow: bool = False, tenants: bool = True, share: float = 1.0) -> None:
        """One slot's batch, of a ``share`` of the tenants (a late one), or with no rows of tenants at all."""
        names = self.names if share == 1.0 else self.names[: int(share * len(self.names))]
        failed = self._rng.random(len(names)) < 0.02
        rows = []
        if tenants:
            for number, name in enumerate(names):
                tally = _CLEAN if not failed[number] else _FAILED
                rows.append(
                    TenantBucket(FLAG, name, self._group(name, shadow), start, SLOT, tally, self._sketches[number % 64])
                )
        groups = {Group.SHADOW} if shadow else {Group.CANARY, Group.CONTROL}
        total = Tally(6 * len(names), 6 * len(names), 0, 0, 0, 6 * len(names), 1.5)
        buckets = [GroupBucket(FLAG, group, start, SLOT, total, self._merged) for group in groups]
        await self._store.metrics.save([MetricWrite(f"b{next(self._batches)}", start + 10**6, buckets, rows)])

    def _group(self, name: str, shadow: bool) -> Group:
        if shadow:
            return Group.SHADOW
        return Group.CANARY if in_percentage(FLAG, name, 10) else Group.CONTROL


_CLEAN, _FAILED = Tally(6, 6, 0, 0, 0, 6, 1.5), Tally(6, 5, 1, 0, 0, 6, 1.5)


def look_times(size: int, folder: Path, hours: int = HOURS) -> dict[str, float | None]:
    """Milliseconds of a look with ``size`` tenants that are all active in every slot; each reads the newest slot, one that
    a late batch came for, and one that it has seen before."""
    return asyncio.run(_measure(size, folder / f"looks-{size}.db", hours))


async def _measure(size: int, path: Path, hours: int) -> dict[str, float | None]:
    clock = Clock()
    store = await open_store(f"sqlite:{path}", clock=clock)
    try:
        fleet = Fleet(store, size)
        rollout, flag = await _under_way(store, clock, fleet, hours)
        now = int(clock.at.timestamp())
        begin, began = int(rollout.phase_started_at.timestamp()), now - OPEN_SLOTS * SLOT
        everywhere = size <= EVERY_SLOT
        for start in range(begin - hours * 1800, begin, SLOT if everywhere else 3600):
            await fleet.work(start, shadow=True)
        for start in range(begin, now, SLOT):
            await fleet.work(start, tenants=everywhere or start >= began)
        return {"tenants": size, "hours": hours} | await _looks(store, clock, fleet, rollout, flag)
    finally:
        await store.close()


async def _under_way(store: Store, clock: Clock, fleet: Fleet, hours: int) -> tuple[Rollout, Flag]:
    operations = Operations(store)
    await operations.create(ADMIN, FlagCreate(flag_name=FLAG))
    for first in range(0, len(fleet.names), 1000):
        some = tuple(TenantRecord(tenant_id=name) for name in fleet.names[first : first + 1000])
        await operations.put_tenants(ADMIN, TenantsPut(tenants=some))
    began = clock.at - timedelta(hours=hours)
    rollout = Rollout(
        rollout_id="bench",
        flag_name=FLAG,
        plan=PLAN,
        phase=PLAN.phases[1].name,
        seed=1,
        started_at=began - timedelta(hours=hours / 2),
        started_by=ADMIN.name,
        phase_started_at=began,
        expected_version=1,
    )
    async with store.write() as tx:
        found = await tx.flag(FLAG)
        assert found is not None
        await tx.save_rollout(rollout)
        for name, at in (("shadow", rollout.started_at), (rollout.phase, began)):
            await tx.take_step(RolloutStep(rollout_id="bench", step=f"enter {name}", at=at, by=ADMIN.name))
    return rollout, found.model_copy(update={"canary_percentage": 10})


async def _looks(store: Store, clock: Clock, fleet: Fleet, rollout: Rollout, flag: Flag) -> dict[str, float | None]:
    judging = StoreJudging(store)
    state = (await judging.look(rollout, flag, None, clock.at)).state
    wall, cpu, restart = [], [], 0.0
    for look in range(LOOKS):
        if look == LOOKS - 1:
            begin = time.perf_counter()
            await StoreJudging(store).look(rollout, flag, state, clock.at)
            restart = time.perf_counter() - begin
            clock.at += PAUSE
        start = int(clock.at.timestamp())
        await fleet.work(start)
        await fleet.work(start - 10 * SLOT, share=0.1)
        clock.at += timedelta(seconds=SLOT)
        begin, used = time.perf_counter(), time.process_time()
        state = (await judging.look(rollout, flag, state, clock.at)).state
        wall.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - used)
    return {
        # Where rows are missing, a restart would look quicker than it is.
        "restart_ms": restart * 1000 if len(fleet.names) <= EVERY_SLOT else None,
        "median_ms": statistics.median(wall) * 1000,
        "slowest_ms": max(wall) * 1000,
        "median_cpu_ms": statistics.median(cpu) * 1000,
        "state_bytes": len(state or b""),
    }
