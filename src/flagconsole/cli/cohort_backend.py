"""What commands need of a server or a store about tenants and cohorts, and the store's side of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flagconsole.domain.cohort_views import AnyCohort, CohortResult
    from flagconsole.domain.requests import CohortDraw, TenantsPut
    from flagconsole.domain.role import Actor
    from flagconsole.domain.views import TenantList
    from flagconsole.operations.service import Operations


class CohortBackend(Protocol):
    """The methods mean what ``docs/api.md`` says of the calls."""

    async def tenants(self) -> TenantList: ...
    async def put_tenants(self, body: TenantsPut, *, dry_run: bool = False) -> TenantList: ...
    async def cohort(
        self,
        name: str,
        *,
        tenant_id: str | None = None,
        inside: bool | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> AnyCohort: ...
    async def draw_cohort(
        self,
        name: str,
        body: CohortDraw,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> CohortResult: ...


class EmbeddedCohorts:
    """``CohortBackend`` on ``Operations``, for one actor."""

    _operations: Operations
    _actor: Actor

    async def tenants(self) -> TenantList:
        return await self._operations.tenants(self._actor)

    async def put_tenants(self, body: TenantsPut, *, dry_run: bool = False) -> TenantList:
        return await self._operations.put_tenants(self._actor, body, dry_run=dry_run)

    async def cohort(
        self,
        name: str,
        *,
        tenant_id: str | None = None,
        inside: bool | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> AnyCohort:
        return await self._operations.cohort(
            self._actor, name, tenant_id=tenant_id, inside=inside, after=after, limit=limit
        )

    async def draw_cohort(
        self,
        name: str,
        body: CohortDraw,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> CohortResult:
        return await self._operations.draw_cohort(
            self._actor, name, body, version=version, idempotency_key=idempotency_key, dry_run=dry_run
        )
