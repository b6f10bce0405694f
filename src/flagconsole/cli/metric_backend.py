"""What commands need of a server or a store about measurements, and the store's side of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flagconsole.domain.flag_metrics import FlagMetrics
    from flagconsole.domain.role import Actor
    from flagconsole.domain.stale import StaleList
    from flagconsole.operations.service import Operations


class MetricBackend(Protocol):
    """The methods mean what ``docs/api.md`` says of the calls; durations in seconds."""

    async def metrics(self, name: str, window: int = 3600, step: int | None = None) -> FlagMetrics: ...
    async def stale(self, unused_days: int = ...) -> StaleList: ...


class EmbeddedMetrics:
    """Mixed into ``Embedded``."""

    _operations: Operations
    _actor: Actor

    async def metrics(self, name: str, window: int = 3600, step: int | None = None) -> FlagMetrics:
        # Not at the top: sketches and their library are of no use to any other command.
        from flagconsole.operations.metrics import flag_metrics

        await self._operations.flag(self._actor, name)
        store = self._operations.store
        async with store.read() as reader:
            now = await reader.now()
        return await flag_metrics(store.metrics, name, now, window, step)

    async def stale(self, unused_days: int = 30) -> StaleList:
        from flagconsole.operations.stale import stale_flags

        listing = await self._operations.flags(self._actor)
        return await stale_flags(self._operations.store, tuple(listing.flags), listing.now, unused_days)
