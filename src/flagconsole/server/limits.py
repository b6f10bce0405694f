"""Bounds on what a client may send, below routing: header size, body size, body type and the time a body may take; and on
what all of them together may have the server hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flagconsole.domain.errors import (
    BodyTooLarge,
    FlagConsoleError,
    InvalidInput,
    MalformedBody,
    ServerBusy,
    UnsupportedMediaType,
)
from flagconsole.operations.keys import authenticate
from flagconsole.server.bounds import Bounds
from flagconsole.server.problems import error_response

#: What anybody may send before it is known who they are. A kill fits in many times.
MAX_UNKNOWN_BODY_BYTES: Final = 64 * 1024
#: Where a request's scope has the stack of what is counted until its answer is sent, streams to their end.
UNDER_WAY: Final = "flagconsole.under_way"
_BUSY_SECONDS: Final = 2
_TENANTS_PATH: Final = "/api/tenants"
_LARGE_PATHS: Final = ("/api/flags", "/api/plan", "/api/apply")


class Limits:
    """ASGI middleware that reads the whole body itself, within ``bounds``, before anything else runs."""

    #: Those of a server that was told nothing.
    bounds = Bounds()

    def __init__(self, app: ASGIApp, bounds: Bounds | None = None) -> None:
        self._app = app
        if bounds is not None:
            self.bounds = bounds
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with ExitStack() as under_way:
            scope[UNDER_WAY] = under_way
            holding = _Holding(self)
            under_way.callback(holding.release)
            try:
                body = await self._body(scope, receive, holding)
            except FlagConsoleError as error:
                response = error_response(error, scope["path"])
                response.headers["Connection"] = "close"
                await response(scope, receive, send)
                return
            await self._app(scope, replaying(body, receive), send)

    def hold(self, size: int) -> None:
        """Count ``size`` bytes as held. Raises ``ServerBusy`` where that is too much: what doesn't fit is asked to come again."""
        if self._held + size > self.bounds.held_bytes:
            raise ServerBusy(retry_after=_BUSY_SECONDS)
        self._held += size

    def release(self, size: int) -> None:
        """Hold ``size`` bytes no more."""
        self._held -= size

    async def _body(self, scope: Scope, receive: Receive, holding: _Holding) -> bytes:
        headers, bounds = scope["headers"], self.bounds
        if sum(len(name) + len(value) for name, value in headers) > bounds.header_bytes:
            problem = f"are larger than {bounds.header_bytes} bytes in all"
            raise InvalidInput(field="headers", problem=problem, value="…")
        limit = _limit_of(scope["path"], bounds)
        declared = next((value for name, value in headers if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > limit:
            raise BodyTooLarge(limit=limit)
        try:
            async with asyncio.timeout(bounds.body_seconds):
                body = await _read(receive, limit, holding, lambda: _refuse_unknown(scope))
        except TimeoutError:
            raise MalformedBody(problem=f"it took longer than {bounds.body_seconds:g} s to arrive") from None
        if body:
            _refuse_type(headers)
        return body


def _limit_of(path: str, bounds: Bounds) -> int:
    """How many bytes a body sent to ``path`` may have: catalogues and cohorts are larger, and profiles of 100,000 tenants."""
    if path == _TENANTS_PATH:
        return bounds.tenants_body_bytes
    return bounds.large_body_bytes if path.startswith(_LARGE_PATHS) else bounds.body_bytes


class _Holding:
    """What one request has the server hold of its body."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._size = 0

    def grow(self, size: int) -> None:
        """Hold ``size`` bytes more. Raises ``ServerBusy``."""
        self._limits.hold(size)
        self._size += size

    def release(self) -> None:
        """Hold nothing any more."""
        self._limits.release(self._size)
        self._size = 0


async def _refuse_unknown(scope: Scope) -> None:
    """Raise ``Unauthenticated`` where no valid key came with the request."""
    sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"").decode("latin-1")
    state = scope["app"].state.server
    async with state.operations.store.read() as reader:
        await authenticate(reader, sent.removeprefix("Bearer ").strip())


async def _read(
    receive: Receive, limit: int, holding: _Holding, refuse_unknown: Callable[[], Awaitable[None]]
) -> bytes:
    parts: list[bytes] = []
    size = 0
    known = False
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise MalformedBody(problem="it was cut off")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise BodyTooLarge(limit=limit)
        if size > MAX_UNKNOWN_BODY_BYTES:
            if not known:
                await refuse_unknown()
                holding.grow(size - len(parts[-1]))
                known = True
            holding.grow(len(parts[-1]))
        if not message.get("more_body", False):
            return b"".join(parts)


def _refuse_type(headers: list[tuple[bytes, bytes]]) -> None:
    given = next((value for name, value in headers if name == b"content-type"), b"").decode("latin-1")
    media = given.partition(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise UnsupportedMediaType("Send JSON with Content-Type: application/json.", value=given[:200])


def replaying(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body once and then waits for the disconnect as before."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
