"""The calls about measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from flagconsole.client.caller import Caller
from flagconsole.domain.duration import duration_text
from flagconsole.domain.stale import UNUSED_DAYS

if TYPE_CHECKING:
    from flagconsole.domain.flag_metrics import FlagMetrics
    from flagconsole.domain.stale import StaleList
    from flagconsole.domain.telemetry import FeedbackBatch, Taken, TelemetryBatch


class MetricCalls:
    """Mixed into ``Client``."""

    _caller: Caller

    async def metrics(self, name: str, window: int = 3600, step: int | None = None) -> FlagMetrics:
        """What was measured of a flag in the newest ``window`` seconds, in steps of ``step`` seconds."""
        from flagconsole.domain.flag_metrics import FlagMetrics

        path = f"/api/flags/{quote(name.encode('utf-8', 'replace'), safe='')}/metrics"
        width = None if step is None else duration_text(step)
        return await self._caller.get(path, FlagMetrics, window=duration_text(window), step=width)

    async def stale(self, unused_days: int = UNUSED_DAYS) -> StaleList:
        """The flags that are due for removal, with the reasons."""
        from flagconsole.domain.stale import StaleList

        return await self._caller.get("/api/stale", StaleList, unused_days=unused_days)

    async def telemetry(self, body: TelemetryBatch) -> Taken:
        """Report what was measured. Harmless to repeat: a batch counts once."""
        from flagconsole.domain.telemetry import Taken

        return await self._caller.change("POST", "/api/telemetry", Taken, body)

    async def feedback(self, body: FeedbackBatch) -> Taken:
        """Report CSAT answers, tickets, conversions. Harmless to repeat: a batch counts once."""
        from flagconsole.domain.telemetry import Taken

        return await self._caller.change("POST", "/api/events", Taken, body)
