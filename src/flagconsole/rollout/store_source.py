"""Metrics from the store: what SDKs measured and people said."""

from __future__ import annotations

import math
from datetime import datetime

from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.text import safe_text
from flagconsole.operations.metrics import flag_metrics, metric_value
from flagconsole.rollout.sources import Failed, MetricQuery, NoData, NotANumber, Reading, Stale, Value
from flagconsole.store.metric_store import MetricStore

#: Instances report a bucket up to this long after its end, seconds.
STALE_SECONDS = 90.0


class StoreSource:
    """``MetricSource`` on a store's measurements; those that ended longer than ``stale_seconds`` ago are stale."""

    def __init__(self, metrics: MetricStore, *, stale_seconds: float = STALE_SECONDS) -> None:
        self._metrics = metrics
        self._stale_seconds = stale_seconds

    async def read(self, query: MetricQuery, now: datetime) -> Reading:
        """The metric over the window, of all that the group's tenants did in it."""
        try:
            # In fine steps: one as wide as the window would begin anew at every multiple of it.
            found = await flag_metrics(self._metrics, query.flag_name, now, query.window_seconds)
        except FlagConsoleError as error:
            return Failed(safe_text(error, 300))
        value = metric_value(found, query.group, query.metric, query.kind)
        if value is None or found.age_seconds is None:
            return NoData(f"no {query.metric} was measured for {query.group}")
        if not math.isfinite(value):
            return NotANumber(str(value))
        if found.age_seconds > self._stale_seconds:
            return Stale(value, found.age_seconds)
        return Value(value, found.age_seconds)
