"""What commands need of a server or a store about sets of changes, and the store's side of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flagconsole.domain.bulk import BulkResult, BulkRollback, BulkSet
    from flagconsole.domain.role import Actor
    from flagconsole.operations.service import Operations


class BulkBackend(Protocol):
    """The methods mean what ``docs/api.md`` says of the calls."""

    async def bulk_set(
        self, body: BulkSet, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> BulkResult: ...
    async def bulk_rollback(
        self, body: BulkRollback, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> BulkResult: ...


class EmbeddedBulk:
    """``BulkBackend`` on ``Operations``, for one actor."""

    _operations: Operations
    _actor: Actor

    async def bulk_set(self, body: BulkSet, *, idempotency_key: str | None = None, dry_run: bool = False) -> BulkResult:
        return await self._operations.bulk_set(self._actor, body, idempotency_key=idempotency_key, dry_run=dry_run)

    async def bulk_rollback(
        self, body: BulkRollback, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> BulkResult:
        return await self._operations.bulk_rollback(self._actor, body, idempotency_key=idempotency_key, dry_run=dry_run)
