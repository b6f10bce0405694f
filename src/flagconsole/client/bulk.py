"""The calls that change many flags; a part of ``Client``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagconsole.client.caller import Caller

if TYPE_CHECKING:
    from flagconsole.domain.bulk import BulkResult, BulkRollback, BulkSet


class BulkCalls:
    """Each method is one call, which does all of it or nothing."""

    _caller: Caller

    async def bulk_set(self, body: BulkSet, *, idempotency_key: str | None = None, dry_run: bool = False) -> BulkResult:
        """Change every flag that ``body`` names."""
        from flagconsole.domain.bulk import BulkResult

        return await self._caller.change(
            "POST", "/api/bulk/set", BulkResult, body, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def bulk_rollback(
        self, body: BulkRollback, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> BulkResult:
        """Undo the newest standing change of each flag of a domain, or exactly the named changes."""
        from flagconsole.domain.bulk import BulkResult

        return await self._caller.change(
            "POST", "/api/bulk/rollback", BulkResult, body, idempotency_key=idempotency_key, dry_run=dry_run
        )
