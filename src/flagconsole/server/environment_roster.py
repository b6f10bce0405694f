"""Which environments of a store a server serves, as they are made and renamed while it runs.

The list is looked at every few seconds. A new environment is opened beside the others. A renamed one is opened under its new name
while the old one still answers, as two servers on one store would; then the old one ends, and its clients come back to the new one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Final

from fastapi import FastAPI

from flagconsole.domain.errors import FlagConsoleError, StoreUnavailable
from flagconsole.domain.store_environment import FIRST, StoreEnvironment
from flagconsole.domain.text import safe_text
from flagconsole.operations.store_environments import known_environments
from flagconsole.server.served_environment import ServedEnvironment
from flagconsole.server.serving import Serving, running_app
from flagconsole.store import open_store
from flagconsole.store.protocol import Store

#: How often the list is looked at, seconds.
LOOK_SECONDS: Final = 2.0
#: Seconds that what a renamed environment is still answering gets: nobody waits for it to end.
PATIENCE_SECONDS: Final = 60.0

log = logging.getLogger(__name__)


class EnvironmentRoster:
    """The environments of the store at ``store_url`` that ``serving`` asks for, of those that are ``known`` at the start. ``opening`` runs
    the application on one, given the name by which the server's settings are its own (None: those of no name are)."""

    def __init__(
        self,
        store_url: str,
        serving: Serving,
        known: tuple[StoreEnvironment, ...],
        opening: Callable[[StoreEnvironment, str | None], AbstractAsyncContextManager[FastAPI]] | None = None,
    ) -> None:
        self._store_url, self._serving = store_url, serving
        self._opening = opening or partial(running_app, store_url, serving=serving)
        served = serving.served(known)
        self._only = None if serving.environment is None else served[0].partition
        #: By partition, what the server's settings know it by: its name when it was first seen here.
        self._settled = {one.partition: one.name for one in served}
        self._over = asyncio.Event()
        #: Where the list is read when the first environment isn't served.
        self._list: Store | None = None
        #: Those that are served now, the first one first. Changed in place.
        self.environments = [self._served(one, one.name) for one in served]

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Look at the list again and again while the block runs."""
        task = asyncio.create_task(self._forever(), name="flagconsole-environments")
        try:
            yield
        finally:
            # What it has begun it finishes, so that nothing is left open that nobody knows of.
            self._over.set()
            await task
            if self._list is not None:
                await self._list.close()

    async def look(self) -> None:
        """Serve what is there now. Raises ``StoreUnavailable`` where the list can't be read."""
        known = await self._known()
        for one in known:
            served = next((served for served in self.environments if served.partition == one.partition), None)
            if served is None:
                if self._only is None:
                    await self._add(one)
            elif one.created_at is not None and one.name != served.name:
                await self._rename(served, one)

    async def _known(self) -> Sequence[StoreEnvironment]:
        async with (await self._listing()).read() as reader:
            return await known_environments(reader)

    async def _listing(self) -> Store:
        first = next((served for served in self.environments if served.partition == FIRST), None)
        if first is None:
            if self._list is None:
                self._list = await open_store(self._store_url, listen_url=self._serving.listen_url)
            return self._list
        state = first.state
        if state is None:
            raise StoreUnavailable(problem="the first environment is not open")
        return state.operations.store

    async def _add(self, environment: StoreEnvironment) -> None:
        # A name that another environment had when its settings were given doesn't bring them along.
        taken = environment.name in self._settled.values()
        served = self._served(environment, None if taken else environment.name)
        await served.start()
        self._settled[environment.partition] = environment.name
        self.environments.append(served)
        self.environments.sort(key=lambda one: one.partition)
        log.warning("the environment %s is new, and served", environment.name)

    async def _rename(self, before: ServedEnvironment, environment: StoreEnvironment) -> None:
        settled = self._settled[environment.partition]
        after = self._served(environment, settled)
        await after.start()
        if after.app is None:
            # The old name is better than nothing.
            await after.stop()
            raise after.problem or StoreUnavailable(problem=f"{environment.name} could not be opened")
        self.environments[self.environments.index(before)] = after
        log.warning(
            "the environment %s is called %s now; what this server was told for %s still holds for it",
            before.name,
            environment.name,
            settled,
        )
        await before.stop(patience=PATIENCE_SECONDS)

    def _served(self, environment: StoreEnvironment, settled: str | None) -> ServedEnvironment:
        return ServedEnvironment(
            environment.name, partial(self._opening, environment, settled), partition=environment.partition
        )

    async def _forever(self) -> None:
        while not self._over.is_set():
            try:
                await asyncio.wait_for(self._over.wait(), LOOK_SECONDS)
                return
            except TimeoutError:
                pass
            try:
                await self.look()
            except FlagConsoleError as error:
                log.warning("the list of environments can't be read: %s", safe_text(error, 500))
            except Exception:  # whatever it is, what is served goes on
                log.exception("the list of environments can't be followed")
