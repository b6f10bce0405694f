"""The calls about shadow executions."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from flagconsole.client.caller import Caller
from flagconsole.domain.duration import duration_text

if TYPE_CHECKING:
    from flagconsole.domain.shadow import ShadowBatch
    from flagconsole.domain.shadow_report import ShadowReport
    from flagconsole.domain.telemetry import Taken


class ShadowCalls:
    """Mixed into ``Client``."""

    _caller: Caller

    async def shadow_report(self, name: str, window: int = 86_400) -> ShadowReport:
        """What shadow executions of the newest ``window`` seconds say of a flag."""
        from flagconsole.domain.shadow_report import ShadowReport

        path = f"/api/flags/{quote(name.encode('utf-8', 'replace'), safe='')}/shadow-report"
        return await self._caller.get(path, ShadowReport, window=duration_text(window))

    async def shadow_executions(self, body: ShadowBatch) -> Taken:
        """Report executions. Harmless to repeat: a batch counts once."""
        from flagconsole.domain.telemetry import Taken

        return await self._caller.change("POST", "/api/shadow-executions", Taken, body)
