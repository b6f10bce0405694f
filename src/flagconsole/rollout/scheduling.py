"""Carries scheduled changes out when their time comes, under the controller's lease."""

from __future__ import annotations

import logging
from typing import Final

from flagconsole.domain.errors import FlagConsoleError, LeaseLost
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.schedule import Schedule
from flagconsole.domain.text import safe_text
from flagconsole.operations import schedules
from flagconsole.operations.context import Context
from flagconsole.operations.fence import Fence
from flagconsole.operations.notifications import Pages
from flagconsole.store.protocol import Store

#: Who suspends and asks in a scheduled change's story.
SCHEDULER: Final = Actor(name="controller", role=Role.ADMIN)

log = logging.getLogger(__name__)


class Scheduling:
    """The scheduled changes of one store. ``pages`` says who is told where one needs a decision."""

    def __init__(self, store: Store, fence: Fence, pages: Pages) -> None:
        self._store, self._fence, self._pages = store, fence, pages

    async def tick(self) -> None:
        """Look at every one that isn't over, and do what follows. Raises ``LeaseLost`` where another controller leads."""
        async with self._store.read() as reader:
            found = await reader.schedules_to_tend()
        for schedule in found:
            await self._tend(schedule)

    async def _tend(self, schedule: Schedule) -> None:
        """One transaction: it is done with all that it means, or not at all. What refuses the change, and would have refused it
        had a person asked for it now, is put to a person."""
        try:
            async with self._store.write() as tx:
                await self._fence.check(tx)
                await schedules.tend(tx, Context(SCHEDULER, await tx.now()), schedule.schedule_id, self._pages)
        except LeaseLost:
            raise
        except FlagConsoleError as error:
            if error.status >= 500:
                raise  # the store's trouble is not the change's: it is tried again
            log.warning("%s: %s", schedule.schedule_id, safe_text(error))
            await self._ask(schedule, str(error))

    async def _ask(self, seen: Schedule, because: str) -> None:
        async with self._store.write() as tx:
            await self._fence.check(tx)
            present = await tx.schedule(seen.schedule_id)
            if present is None or present.status is not seen.status:
                tx.discard()
                return
            await schedules.ask_decision(tx, Context(SCHEDULER, await tx.now()), present, because, self._pages)
