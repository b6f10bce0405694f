"""Tells the streams that ask for it what happens to incidents, whoever writes about them."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from flagconsole.domain.errors import FlagConsoleError
from flagconsole.operations.affected import assessed
from flagconsole.operations.incident_reading import view_of
from flagconsole.server.hub import Hub, Topic
from flagconsole.server.projection import frame
from flagconsole.store.protocol import Store

#: How often the store is asked for what is new, seconds; one indexed query.
TELL_INTERVAL: Final = 0.2
_BATCH: Final = 100

log = logging.getLogger(__name__)


class IncidentTeller:
    """Publishes each incident that something new was written about, as it is now."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store = store
        self._hub = hub
        self._told: int | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell, from the next write on."""
        self._task = asyncio.create_task(self._forever(), name="flagconsole-incidents")

    async def stop(self) -> None:
        """Tell no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def tell(self) -> None:
        """Publish what is new."""
        async with self._store.read() as reader:
            if self._told is None:
                self._told = await reader.incidents_touched()
            while found := await reader.incidents_touched_after(self._told, _BATCH):
                for touched, incident in found:
                    view = await view_of(reader, await assessed(reader, incident, await reader.now()))
                    self._hub.publish(frame("incident", view.model_dump_json()), topic=Topic.INCIDENTS)
                    self._told = touched

    async def _forever(self) -> None:
        while True:
            try:
                await self.tell()
            except FlagConsoleError as error:
                log.warning("incidents can't be followed: %s", error)
            await asyncio.sleep(TELL_INTERVAL)
