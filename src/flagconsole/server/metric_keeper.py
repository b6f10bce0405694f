"""Keeps the size of what was measured: rolls old buckets up and deletes the oldest, a little at a time."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.retention import Retention
from flagconsole.store.protocol import Store

#: Seconds between two looks for something to do.
LOOK_SECONDS: Final = 60.0
#: Between two pieces of work everybody else may write first, for at least this long (seconds).
_PAUSE_SECONDS: Final = 0.02

log = logging.getLogger(__name__)


class MetricKeeper:
    """Does what ``retention`` asks for while it runs. Several servers on one store don't disturb each other: what one has
    rolled up, the other doesn't find."""

    def __init__(self, store: Store, retention: Retention) -> None:
        self._store = store
        self._retention = retention
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._for_ever(), name="flagconsole-metric-keeper")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def keep(self) -> int:
        """Do all there is to do. Returns how many rows went."""
        rows = 0
        while done := await self._store.metrics.roll_up(await self._now(), self._retention):
            rows += done
            await asyncio.sleep(_PAUSE_SECONDS)
        return rows

    async def _now(self) -> float:
        async with self._store.read() as reader:
            return (await reader.now()).timestamp()

    async def _for_ever(self) -> None:
        while True:
            try:
                await self.keep()
            except FlagConsoleError as error:
                log.warning("measurements can't be rolled up: %s", error)
            await asyncio.sleep(LOOK_SECONDS)
