"""What each tenant was like before the canary, read from the shadow phase, once.

A day of hundreds of tenants is millions of rows, so it is read in short spans, with others' reads in between; a reading that
is cut (a look has its time limit) goes on where it stopped at the next look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from flagconsole.domain.judge import Baseline, Counts
from flagconsole.domain.judge.broken_tenant import suspects
from flagconsole.domain.judge.packed import pack, unpack
from flagconsole.domain.sketch import merged, quantile_of
from flagconsole.domain.telemetry import BUCKET_SECONDS
from flagconsole.rollout.slot import COLUMNS, References, counts_of, tenant_counts
from flagconsole.store.metric_store import MetricStore

#: Rows that one read may bring.
_ROWS_AT_ONCE: Final = 100_000


class Span(NamedTuple):
    """Whole seconds since the epoch, ``since <= t < until``."""

    since: int
    until: int


async def references_of(metrics: MetricStore, flag_name: str, shadow: Span) -> References:
    """The p95 and the median of all latencies in the span."""
    step = max(1, shadow.until - shadow.since)
    buckets = await metrics.group_series(flag_name, shadow.since, shadow.until, step)
    sketch = merged(bucket.latency for bucket in buckets)
    return References(slow=quantile_of(sketch, 0.95), slower=quantile_of(sketch, 0.5))


class ShadowBaseline:
    """Reads the shadow phase in two halves, and which tenants were broken in any ``window_seconds`` of it."""

    def __init__(
        self,
        metrics: MetricStore,
        flag_name: str,
        shadow: Span,
        tenants: Sequence[str],
        references: References,
        window_seconds: float,
    ) -> None:
        self._metrics = metrics
        self._flag_name = flag_name
        self._shadow = shadow
        self._middle = (shadow.since + shadow.until) // 2
        self._index = {name: place for place, name in enumerate(tenants)}
        self._references = references
        self._window = max(int(window_seconds), 1)
        self._step = BUCKET_SECONDS * max(1, _ROWS_AT_ONCE // max(len(tenants), 1))
        self._halves = np.zeros((2, len(COLUMNS), len(tenants)), np.int64)
        self._recent = np.zeros((2, len(tenants)), np.int64)
        self._broken = np.zeros(len(tenants), np.bool_)
        self._read_until = shadow.since

    @property
    def share_read(self) -> float:
        """How much of the shadow phase has been read, 0 to 1."""
        return (self._read_until - self._shadow.since) / max(self._shadow.until - self._shadow.since, 1)

    async def read(self) -> Baseline | None:
        """The baseline; None when nothing was measured. Raises what the store raises."""
        while self._read_until < self._shadow.until:
            since = self._read_until
            window_ends = since - (since - self._shadow.since) % self._window + self._window
            until = min(since + self._step, window_ends, self._shadow.until)
            if since < self._middle:
                until = min(until, self._middle)
            rows = await self._metrics.tenant_rows(self._flag_name, since, until)
            counts = await asyncio.to_thread(tenant_counts, rows, self._index, self._references)
            self._halves[0 if since < self._middle else 1] += counts
            self._recent += counts[:2]
            self._read_until = until
            if until in {window_ends, self._shadow.until}:
                operations, errors = self._recent.astype(np.float64)
                self._broken[suspects(operations, errors)] = True
                self._recent[:] = 0
        return self._baseline()

    def _baseline(self) -> Baseline | None:
        first, second = (counts_of(half, self._references) for half in self._halves)
        if first.operations.sum() + second.operations.sum() == 0:
            return None
        return Baseline(first, second, int(self._broken.sum()))


def kept_baseline(baseline: Baseline | None) -> dict[str, Any] | None:
    """A baseline as JSON, for the judge's state: it is read once."""
    if baseline is None:
        return None
    halves = [[*half.columns().values()] for half in (baseline.first_half, baseline.second_half)]
    return {"halves": pack(np.array(halves)), "columns": len(halves[0]), "broken_tenants": baseline.broken_tenants}


def restored_baseline(kept: dict[str, Any] | None, tenants: int) -> Baseline | None:
    """What ``kept_baseline`` was given. Raises ``ValueError`` or ``KeyError`` for anything else."""
    if kept is None:
        return None
    first, second = unpack(kept["halves"], np.float64, (2, int(kept["columns"]), tenants))
    return Baseline(Counts(*first), Counts(*second), int(kept["broken_tenants"]))
