"""The hours before the demo starts, so that charts have something to show at once: what would have been kept of them, written
at once. In rates, spread and noise it is what the services do while the demo runs; single operations aren't simulated."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from flagconsole.demo.services import operations_per_second
from flagconsole.demo.workload import CONVERSION_RATE, Workload
from flagconsole.domain.group import Group
from flagconsole.domain.retention import COARSE_SECONDS
from flagconsole.domain.sketch import bin_of, packed
from flagconsole.domain.states import FlagState
from flagconsole.domain.tally import Tally
from flagconsole.store.metric_store import GroupBucket, MetricWrite, TenantBucket
from flagconsole.store.protocol import Store

HOURS: Final = 3
#: Besides the flags in rollout, whose hours end where their rollouts begin.
BUSY_FLAGS: Final = ("invoices.write", "estimates.write", "scheduling.write", "pos.lite", "invoices.pdf_generation")
_BUCKET_SECONDS: Final = 30
_SAMPLES: Final = 4000
#: How much busier the busiest quarter of an hour is than the mean.
_WAVE: Final = 0.2
_GROUPS: Final = {FlagState.ON: Group.ON, FlagState.SHADOW: Group.SHADOW}


class Hours:
    """Writes the hours of flags that everybody has in one state."""

    def __init__(self, store: Store, workload: Workload, seed: int) -> None:
        self._store, self._workload = store, workload
        self._chance = random.Random(f"hours {seed}")  # noqa: S311  # a simulation
        tenants = Counter(workload.next_tenant(self._chance) for _ in range(_SAMPLES))
        self._shares = {tenant: count / _SAMPLES for tenant, count in tenants.items()}
        latencies = [workload.outcome(self._chance, name).seconds for name in tenants.elements()]
        self._bins = [(key, count / _SAMPLES) for key, count in sorted(Counter(map(bin_of, latencies)).items())]
        self._mean_seconds = sum(latencies) / _SAMPLES
        self._error_rate = workload.error_rate

    async def write(self, flag_name: str, until: datetime) -> None:
        """What was measured of the flag in the hours up to ``until``, in the state that it has now."""
        async with self._store.read() as reader:
            flag = await reader.flag(flag_name)
        group = None if flag is None else _GROUPS.get(flag.current_state)
        if group is None:
            return
        end = int(until.timestamp()) // _BUCKET_SECONDS * _BUCKET_SECONDS
        begin = end - int(timedelta(hours=HOURS).total_seconds())
        groups: list[GroupBucket] = []
        hourly: Counter[int] = Counter()
        for start in range(begin, end, _BUCKET_SECONDS):
            bucket = self._bucket(flag_name, group, start)
            groups.append(bucket)
            hourly[start // COARSE_SECONDS * COARSE_SECONDS] += bucket.tally.operations
        tenants = [
            TenantBucket(flag_name, tenant, group, start, COARSE_SECONDS, self._tally(round(share * operations)))
            for start, operations in hourly.items()
            for tenant, share in self._shares.items()
        ]
        write = MetricWrite(f"hours {flag_name}", end + COARSE_SECONDS, groups=groups, tenants=tenants)
        await self._store.metrics.save([write])

    def _bucket(self, flag_name: str, group: Group, start: int) -> GroupBucket:
        wave = 1 + _WAVE * math.sin(start / 900)
        expected = operations_per_second(flag_name) * _BUCKET_SECONDS * wave
        busy = max(1.0, self._chance.gauss(expected, math.sqrt(expected)))
        # Rounded by chance, so that rare latencies are as frequent as they are.
        counted = ((key, int(busy * share + self._chance.random())) for key, share in self._bins)
        latency = [(key, times) for key, times in counted if times]
        operations = sum(times for _, times in latency)
        tally = self._tally(operations)._replace(timed=operations, latency_seconds=operations * self._mean_seconds)
        return GroupBucket(flag_name, group, start, _BUCKET_SECONDS, tally, packed(latency))

    def _tally(self, operations: int) -> Tally:
        errors, conversions = (
            min(operations, self._drawn(operations * rate)) for rate in (self._error_rate, CONVERSION_RATE)
        )
        return Tally(operations, operations - errors, errors, 0, conversions)

    def _drawn(self, expected: float) -> int:
        """About a Poisson count."""
        return max(0, int(self._chance.gauss(expected, math.sqrt(expected)) + self._chance.random()))
