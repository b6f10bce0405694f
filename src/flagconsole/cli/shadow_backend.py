"""What commands need of a server or a store about shadow executions, and the store's side of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flagconsole.domain.role import Actor
    from flagconsole.domain.shadow_report import ShadowReport
    from flagconsole.operations.service import Operations


class ShadowBackend(Protocol):
    """The methods mean what ``docs/api.md`` says of the calls; durations in seconds."""

    async def shadow_report(self, name: str, window: int = 86_400) -> ShadowReport: ...


class EmbeddedShadow:
    """Mixed into ``Embedded``."""

    _operations: Operations
    _actor: Actor

    async def shadow_report(self, name: str, window: int = 86_400) -> ShadowReport:
        # Not at the top: no other command has a use for it.
        from flagconsole.operations.shadow_reading import shadow_report

        listing = await self._operations.flags(self._actor)
        flag = (await self._operations.flag(self._actor, name)).flag
        store = self._operations.store
        async with store.read() as reader:
            now = await reader.now()
        states = {other.flag_name: other.current_state for other in listing.flags}
        return await shadow_report(store.metrics, self._actor, flag, states, now, window)
