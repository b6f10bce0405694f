"""The calls about the environment as a whole; a part of ``Client``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagconsole.client.caller import Caller

if TYPE_CHECKING:
    from flagconsole.domain.bulk import BulkResult
    from flagconsole.domain.environment import Apply, EnvironmentExport, EnvironmentPlan, PlanRequest

#: How long a server may take to compare a large file with its store.
_PLAN_SECONDS: Final = 60.0


class EnvironmentCalls:
    """Each method is one call; applying does all of it or nothing."""

    _caller: Caller

    async def export(self) -> EnvironmentExport:
        """Every flag with all its properties, and every override in force."""
        from flagconsole.domain.environment import EnvironmentExport

        return await self._caller.get("/api/export", EnvironmentExport)

    async def plan(self, body: PlanRequest) -> EnvironmentPlan:
        """What applying the environment would change."""
        from flagconsole.domain.environment import EnvironmentPlan

        return await self._caller.compute("/api/plan", EnvironmentPlan, body, seconds=_PLAN_SECONDS)

    async def apply(self, body: Apply, *, idempotency_key: str | None = None, dry_run: bool = False) -> BulkResult:
        """Carry out the plan that was shown."""
        from flagconsole.domain.bulk import BulkResult

        return await self._caller.change(
            "POST", "/api/apply", BulkResult, body, idempotency_key=idempotency_key, dry_run=dry_run
        )
