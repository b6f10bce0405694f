"""The calls about tenants and cohorts; a part of ``Client``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from flagconsole.client.caller import Caller
from flagconsole.domain.errors import FlagNotFound
from flagconsole.domain.requests import CohortDraw, TenantsPut
from flagconsole.domain.views import TenantList

if TYPE_CHECKING:
    from flagconsole.domain.cohort_views import AnyCohort, CohortResult


class CohortCalls:
    """Each method is one call."""

    _caller: Caller

    async def tenants(self) -> TenantList:
        """The known tenants."""
        return await self._caller.get("/api/tenants", TenantList)

    async def put_tenants(self, body: TenantsPut, *, dry_run: bool = False) -> TenantList:
        """Add tenants, all or none. Of those that exist, the fields that were never set keep their value."""
        return await self._caller.change("PUT", "/api/tenants", TenantList, body, dry_run=dry_run)

    async def cohort(
        self,
        name: str,
        *,
        tenant_id: str | None = None,
        inside: bool | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> AnyCohort:
        """The cohort that a flag goes by, or was drawn last, with a page of its tenants."""
        from flagconsole.domain.cohort_views import CohortAnswer

        only = None if inside is None else str(inside).lower()
        answer = await self._caller.get(
            _cohort_path(name), CohortAnswer, tenant_id=tenant_id, inside=only, after=after, limit=limit
        )
        return answer.root

    async def draw_cohort(
        self,
        name: str,
        body: CohortDraw,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> CohortResult:
        """Draw a cohort and give it to the flag, decided on ``version``."""
        from flagconsole.domain.cohort_views import CohortResult

        return await self._caller.change(
            "POST",
            _cohort_path(name),
            CohortResult,
            body,
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )


def _cohort_path(name: str) -> str:
    """``name`` as one segment of a path; dots would mean another route."""
    if name in ("", ".", ".."):
        raise FlagNotFound(flag=name)
    return f"/api/flags/{quote(name.encode('utf-8', 'replace'), safe='')}/cohort"
