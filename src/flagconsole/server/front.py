"""What stands before the environments of a store: it finds the one that a key belongs to and hands the request over.

An environment's application sees only requests with its own keys, and those without any valid one, which it refuses as ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from flagconsole.domain.errors import FlagConsoleError, StoreUnavailable
from flagconsole.operations.keys import key_hash
from flagconsole.server.environment_health import health_of, metrics_of
from flagconsole.server.hot_app import HotApp
from flagconsole.server.hot_reads import HotReads
from flagconsole.server.ofrep_answer import STREAM
from flagconsole.server.presented_key import key_in
from flagconsole.server.problems import error_response
from flagconsole.server.served_environment import ServedEnvironment

_MOST_KEYS: Final = 100_000


class Front:
    """The ASGI application over ``environments``, the first one first; the list may change while it runs."""

    def __init__(self, environments: Sequence[ServedEnvironment]) -> None:
        self._environments = environments
        # A key belongs to one environment for ever, valid or not; whether it is valid that one says each time.
        self._homes: dict[str, ServedEnvironment] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All environments run while the block does, or are tried again and again. Raises what the first one failed with where
        none could be opened."""
        await asyncio.gather(*(environment.start() for environment in self._environments))
        try:
            if not any(environment.app for environment in self._environments):
                raise self._environments[0].problem or StoreUnavailable(problem="no environment could be opened")
            yield
        finally:
            await asyncio.gather(*(environment.stop() for environment in self._environments))

    def close(self) -> None:
        """Say goodbye to all streams."""
        for environment in self._environments:
            environment.say_goodbye()

    def hot_reads_of(self, hashed: str) -> HotReads | None:
        """Those of the environment of the key with this hash; None where that isn't known yet, or it isn't open."""
        alone = len(self._environments) == 1
        home = self._environments[0] if alone else self._homes.get(hashed)
        if home is None or (home.ending and not alone):
            return None
        return home.app.hot_reads if isinstance(home.app, HotApp) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _no_lifespan(receive, send)
            return
        try:
            app = await self._app_for(scope)
        except FlagConsoleError as error:
            app = error_response(error, scope["path"])
        await app(scope, receive, send)

    async def _app_for(self, scope: Scope) -> ASGIApp:
        if len(self._environments) == 1:
            return _open(self._environments[0])
        hashed = _hash_in(scope)
        home = None if hashed is None else await self._home_of(hashed)
        if home is not None:
            return _open(home)
        if scope["method"] in {"GET", "HEAD"}:
            if scope["path"] == "/health":
                return health_of(self._environments)
            if scope["path"] == "/metrics":
                return Response(metrics_of(self._environments), media_type="text/plain; version=0.0.4; charset=utf-8")
        # None of them lets it in; which one says so makes no difference.
        for environment in self._environments:
            if environment.app is not None:
                return environment
        raise StoreUnavailable("Try again in a moment.", problem="it could not be opened")

    async def _home_of(self, hashed: str) -> ServedEnvironment | None:
        """The environment of a key by its hash; None for one that nobody knows. Raises ``StoreUnavailable`` where that can't be told, since one
        of them can't be asked."""
        home = self._homes.get(hashed)
        if home is not None and not home.ending:
            return home
        asked = tuple(self._environments)
        answers = await asyncio.gather(*(_has(one, hashed) for one in asked), return_exceptions=True)
        unknown = None
        for environment, answer in zip(asked, answers, strict=True):
            if answer is True:
                if len(self._homes) >= _MOST_KEYS:
                    self._homes.clear()
                self._homes[hashed] = environment
                return environment
            if isinstance(answer, FlagConsoleError):
                unknown = answer
            elif isinstance(answer, BaseException):
                raise answer
        if unknown is not None:
            raise StoreUnavailable("Try again in a moment.", problem="not every key can be looked up") from unknown
        return None


def _open(environment: ServedEnvironment) -> ServedEnvironment:
    if environment.app is None:
        raise StoreUnavailable("Try again in a moment.", problem="it could not be opened")
    return environment


def _hash_in(scope: Scope) -> str | None:
    """The hash of the key that a request carries. A browser's stream has it in its address (``ofrep_routes.listener``)."""
    secret = key_in(scope["headers"])
    if secret is not None:
        return key_hash(secret)
    if scope["path"] == STREAM:
        return dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("ticket")
    return None


async def _has(environment: ServedEnvironment, hashed: str) -> bool:
    state = environment.state
    if state is None:
        raise environment.problem or StoreUnavailable(problem="it is not open")
    async with state.operations.store.read() as reader:
        return await reader.api_key(hashed) is not None


async def _no_lifespan(receive: Receive, send: Send) -> None:
    """The environments run for as long as ``running`` does, which is around the server."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
