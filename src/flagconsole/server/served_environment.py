"""One environment as a server has it: open, or tried again until it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from flagconsole.domain.errors import FlagConsoleError, StoreUnavailable
from flagconsole.domain.store_environment import FIRST
from flagconsole.domain.text import safe_text
from flagconsole.server.state import ServerState

#: Seconds until an environment that couldn't be opened is tried again.
RETRY_SECONDS: Final = 5.0
#: Seconds that running requests get when it ends.
ANSWER_SECONDS: Final = 5.0

log = logging.getLogger(__name__)


class ServedEnvironment:
    """An environment by its ``name``, in its ``partition``. ``opening`` opens its store and runs its application while the block runs."""

    def __init__(
        self, name: str, opening: Callable[[], AbstractAsyncContextManager[FastAPI]], *, partition: str = FIRST
    ) -> None:
        self.name = name
        self.partition = partition
        self._opening = opening
        self._tried = asyncio.Event()
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._answering = 0
        self._answered = asyncio.Event()
        #: The application, while it runs.
        self.app: FastAPI | None = None
        #: Why it doesn't.
        self.problem: FlagConsoleError | None = None

    @property
    def state(self) -> ServerState | None:
        """What the application was started with, while it runs."""
        return None if self.app is None else self.app.state.server

    @property
    def ready(self) -> bool:
        """Whether it answers from its store."""
        state = self.state
        return state is not None and state.follower.healthy and not state.hub.closing

    @property
    def ending(self) -> bool:
        """Whether it has been told to end."""
        return self._ending.is_set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, while it is open."""
        assert self.app is not None, "whoever hands a request over has looked"
        self._answering += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._answering -= 1
            if not self._answering:
                self._answered.set()

    async def start(self) -> None:
        """Begin, and return when it runs or has failed once."""
        self._task = asyncio.create_task(self._until_ended(), name=f"flagconsole-environment-{self.name}")
        await self._tried.wait()

    async def stop(self, *, patience: float = ANSWER_SECONDS) -> None:
        """End it in order: its streams at once, what it is answering within ``patience`` seconds before it goes."""
        self._ending.set()
        self.say_goodbye()
        self._answered.clear()
        if self._answering:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._answered.wait(), patience)
        self._ended.set()
        if self._task is not None:
            await self._task

    def say_goodbye(self) -> None:
        """End its streams, and begin no new ones."""
        if self.app is not None:
            self.app.state.hub.close()

    async def _until_ended(self) -> None:
        while not self._ended.is_set():
            try:
                async with self._opening() as app:
                    self.app, self.problem = app, None
                    self._tried.set()
                    await self._ended.wait()
            except FlagConsoleError as error:
                self._failed(error)
            except Exception as error:  # whatever is wrong with one environment, the others are served
                log.exception("the environment %s failed", self.name)
                self._failed(StoreUnavailable(problem=f"an internal error ({type(error).__name__})"))
            finally:
                self.app = None
                self._tried.set()
            await self._rest()

    def _failed(self, error: FlagConsoleError) -> None:
        self.problem = error
        log.error("the environment %s is not served: %s", self.name, safe_text(error, 500))

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._ended.wait(), RETRY_SECONDS)
        except TimeoutError:
            return
