"""What commands need of a server or a store about the environment as a whole, and the store's side of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flagconsole.domain.bulk import BulkResult
    from flagconsole.domain.environment import Apply, EnvironmentExport, EnvironmentPlan, PlanRequest
    from flagconsole.domain.role import Actor
    from flagconsole.operations.service import Operations


class EnvironmentBackend(Protocol):
    """The methods mean what ``docs/api.md`` says of the calls."""

    async def export(self) -> EnvironmentExport: ...
    async def plan(self, body: PlanRequest) -> EnvironmentPlan: ...
    async def apply(self, body: Apply, *, idempotency_key: str | None = None, dry_run: bool = False) -> BulkResult: ...


class EmbeddedEnvironment:
    """``EnvironmentBackend`` on ``Operations``, for one actor."""

    _operations: Operations
    _actor: Actor

    async def export(self) -> EnvironmentExport:
        return await self._operations.export(self._actor)

    async def plan(self, body: PlanRequest) -> EnvironmentPlan:
        return await self._operations.plan(self._actor, body)

    async def apply(self, body: Apply, *, idempotency_key: str | None = None, dry_run: bool = False) -> BulkResult:
        return await self._operations.apply(self._actor, body, idempotency_key=idempotency_key, dry_run=dry_run)
