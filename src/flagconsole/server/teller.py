"""Telling streams what other tables than the flags' bring, whoever writes it: this server or another on the same store."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import ClassVar, Final

from flagconsole.domain.text import safe_text
from flagconsole.server.hub import Hub
from flagconsole.store.protocol import Store

#: How often the store is asked for what is new, seconds; indexed queries that mostly find nothing.
TELL_INTERVAL: Final = 0.2
#: Rows that are read at once.
BATCH: Final = 100

log = logging.getLogger(__name__)


class Teller(ABC):
    """Asks the store again and again, and publishes what is new. ``what`` names it in the log."""

    what: ClassVar[str]

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store = store
        self._hub = hub
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell, from the next write on."""
        self._task = asyncio.create_task(self._forever(), name=f"flagconsole-{self.what}")

    async def stop(self) -> None:
        """Tell no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @abstractmethod
    async def tell(self) -> None:
        """Publish what is new."""

    async def _forever(self) -> None:
        trouble = ""
        while True:
            try:
                await self.tell()
                trouble = ""
            except Exception as error:  # a row that can't be read must not silence the stream for ever
                if str(error) != trouble:
                    trouble = str(error)
                    log.warning("%s can't be followed: %s", self.what, safe_text(trouble, 300))
            await asyncio.sleep(TELL_INTERVAL)
