"""Bounds on what a client may send, below routing: header size, body size, body type and the time a body may take."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flagconsole.domain.errors import BodyTooLarge, FlagConsoleError, InvalidInput, MalformedBody, UnsupportedMediaType
from flagconsole.server.problems import error_response

MAX_HEADER_BYTES: Final = 32 * 1024
MAX_BODY_BYTES: Final = 1024 * 1024
#: Catalogues and cohorts are larger.
MAX_LARGE_BODY_BYTES: Final = 16 * 1024 * 1024
#: 100,000 tenants with their profiles.
MAX_TENANTS_BODY_BYTES: Final = 48 * 1024 * 1024
BODY_SECONDS: Final = 15.0
_TENANTS_PATH: Final = "/api/tenants"
_LARGE_PATH: Final = "/api/flags"


class Limits:
    """ASGI middleware that reads the whole body itself, within bounds, before anything else runs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._body(scope, receive)
        except FlagConsoleError as error:
            response = error_response(error, scope["path"])
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        await self._app(scope, _replaying(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        headers = scope["headers"]
        if sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
            raise InvalidInput(field="headers", problem=f"are larger than {MAX_HEADER_BYTES} bytes in all", value="…")
        limit = _limit_of(scope["path"])
        declared = next((value for name, value in headers if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > limit:
            raise BodyTooLarge(limit=limit)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive, limit)
        except TimeoutError:
            raise MalformedBody(problem=f"it took longer than {BODY_SECONDS:.0f} s to arrive") from None
        if body:
            _refuse_type(headers)
        return body


def _limit_of(path: str) -> int:
    """How many bytes a body sent to ``path`` may have."""
    if path == _TENANTS_PATH:
        return MAX_TENANTS_BODY_BYTES
    return MAX_LARGE_BODY_BYTES if path.startswith(_LARGE_PATH) else MAX_BODY_BYTES


async def _read(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise MalformedBody(problem="it was cut off")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise BodyTooLarge(limit=limit)
        if not message.get("more_body", False):
            return b"".join(parts)


def _refuse_type(headers: list[tuple[bytes, bytes]]) -> None:
    given = next((value for name, value in headers if name == b"content-type"), b"").decode("latin-1")
    media = given.partition(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise UnsupportedMediaType("Send JSON with Content-Type: application/json.", value=given[:200])


def _replaying(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body once and then waits for the disconnect as before."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
