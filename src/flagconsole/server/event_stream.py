"""An answer that goes on for hours, without all that was needed to begin it.

A request runs through middleware, routing and dependencies, a task and a coroutine deep in each other. A stream that is sent from in
there keeps all of it: 41 KiB for each client, of which a stream needs a fifth. So the response only begins the answer and hands the
rest to the connection, which sends it once everything around has returned.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import ExitStack
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from flagconsole.server.hub import Subscription
from flagconsole.server.limits import UNDER_WAY

#: Where a request's scope has its ``Continuation``, where the connection can go on with an answer by itself.
CONTINUATION: Final = "flagconsole.continuation"
#: What every stream is sent with.
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Continuation:
    """What is left of an answer: ``frames``, and what is counted until they end. Where there is a ``subscription``, what follows the
    first of the frames may be written past them, as ``Subscription.writes_by`` has it."""

    __slots__ = ("counted", "frames", "subscription")

    def __init__(self) -> None:
        self.frames: AsyncGenerator[bytes] | None = None
        self.subscription: Subscription | None = None
        self.counted = ExitStack()


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"

    def __init__(
        self, frames: AsyncGenerator[bytes], status_code: int = 200, subscription: Subscription | None = None
    ) -> None:
        # The OpenAPI document reads the status off this signature.
        super().__init__(frames, status_code, headers=HEADERS)
        self._frames = frames
        self._subscription = subscription

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin, and leave the rest to the connection. One that can't go on by itself is sent everything here."""
        continuation: Continuation | None = scope.get(CONTINUATION)
        if continuation is None:
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        continuation.frames, continuation.subscription = self._frames, self._subscription
        continuation.counted = scope[UNDER_WAY].pop_all()
