"""A connection whose other end may be up to no good: what uvicorn leaves open, bounded below HTTP.

A request's header must arrive in time and within a size, whoever doesn't read is cut off instead of buffered for, and where
there are too many connections those that have asked for nothing go first. It works on either of uvicorn's parsers.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from socket import SO_SNDBUF, SOL_SOCKET
from typing import TYPE_CHECKING, Any, Final

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from flagconsole.server.bounds import Bounds
from flagconsole.server.event_stream import CONTINUATION, Continuation
from flagconsole.server.hub import Subscription

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol
else:
    HttpProtocol = AutoHTTPProtocol

#: Bytes of a header that isn't complete. One that is has its own bound, in ``limits``.
MAX_INCOMPLETE_HEADER: Final = 64 * 1024
#: Bytes that the kernel keeps for one client beside what waits here, of which it takes twice as many: without a bound, megabytes. A listing of
#: a thousand flags fits; what is sent in parts costs half as much again.
KERNEL_SEND_BYTES: Final = 512 * 1024
#: File descriptors that aren't connections: the store's, the listener's, other servers'.
_SPARE_DESCRIPTORS: Final = 128

_TOO_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class GuardedConnection(HttpProtocol):
    """One connection."""

    bounds = Bounds()
    #: Set for tests; as long as the system's limit on open files is not known it is asked for at the first connection.
    most_connections: int | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waits_for_header = True
        self._incomplete_header = 0
        self._header_due: asyncio.TimerHandle | None = None
        self._stall_due: asyncio.TimerHandle | None = None
        self._unsent = 0
        self._application = self.app
        self.app = self._answer
        self._streaming: asyncio.Task[object] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, if need be in the place of another."""
        super().connection_made(transport)
        connected = transport.get_extra_info("socket")
        if connected is not None:
            with suppress(OSError):
                connected.setsockopt(SOL_SOCKET, SO_SNDBUF, KERNEL_SEND_BYTES)
        if len(self.connections) > self._most():
            self._make_room()
        self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._header_arrived()
        self._moves_again()
        super().connection_lost(exc)
        if self._streaming is not None:
            self._streaming.cancel()

    def data_received(self, data: bytes) -> None:
        """Count what comes before a header is complete."""
        before = self.cycle
        if self._is_between_requests():
            self._expect_header()
            self._incomplete_header += len(data)
        super().data_received(data)
        if self.cycle is not before:
            self._header_arrived()
        elif self._waits_for_header and self._incomplete_header > MAX_INCOMPLETE_HEADER:
            self._refuse(_TOO_LARGE)

    def pause_writing(self) -> None:
        """The client has stopped to take what it is sent; from now on it has to take some from time to time."""
        super().pause_writing()
        self._watch_progress()

    def resume_writing(self) -> None:
        """It has taken nearly all of it."""
        self._moves_again()
        super().resume_writing()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer. A stream it only begins: the rest is sent from here, where nothing else is kept for it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        continuation = scope[CONTINUATION] = Continuation()
        await self._application(scope, receive, send)
        frames = continuation.frames
        if frames is None:
            return
        method, subscription = scope["method"], continuation.subscription
        if subscription is not None and (method != "GET" or scope["http_version"] != "1.1"):
            subscription = None  # such an answer has no chunks
        scope["headers"].clear()
        scope.clear()
        scope["method"] = method  # uvicorn looks at it with every part that it sends
        self._streaming = asyncio.current_task()
        with continuation.counted:
            await self._stream(frames, send, subscription)

    async def _stream(self, frames: AsyncGenerator[bytes], send: Send, subscription: Subscription | None) -> None:
        try:
            async with aclosing(frames):
                async for data in frames:
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                    del data
                    if subscription is not None:
                        subscription.writes_by(self._write_chunk)
                        subscription = None
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            # The client is gone, reads too slowly, or the server has waited long enough.
            self.cycle.disconnected = True
            self.transport.abort()
        finally:
            self._streaming = None

    def _write_chunk(self, chunk: bytes) -> bool:
        """Send a chunk of the stream, unless the client has stopped to take what it is sent."""
        if self.flow.write_paused or self.transport.is_closing():
            return False
        self.transport.write(chunk)
        return True

    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect_header(self) -> None:
        self._waits_for_header = True
        if self._header_due is None:
            self._header_due = self.loop.call_later(self.bounds.header_seconds, self._refuse, _TOO_LATE)

    def _header_arrived(self) -> None:
        self._waits_for_header, self._incomplete_header = False, 0
        if self._header_due is not None:
            self._header_due.cancel()
            self._header_due = None

    def _refuse(self, answer: bytes) -> None:
        """Say why and go. Nothing that waits to be sent keeps the connection: who drips in doesn't read either."""
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
        self.loop.call_later(1.0, self.transport.abort)

    def _watch_progress(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._stall_due = self.loop.call_later(self.bounds.stall_seconds, self._refuse_stall)

    def _refuse_stall(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent:
            self._watch_progress()
        else:
            self.transport.abort()

    def _moves_again(self) -> None:
        if self._stall_due is not None:
            self._stall_due.cancel()
            self._stall_due = None

    def _most(self) -> int:
        kind = type(self)
        if kind.most_connections is None:
            kind.most_connections = most_connections(kind.bounds.connections)
        return kind.most_connections

    def _make_room(self) -> None:
        """End the oldest connection that asks for nothing now; where all are at work, this one."""
        idle = (other for other in self._others() if other._is_between_requests())
        next(idle, self).transport.abort()

    def _others(self) -> Iterator[GuardedConnection]:
        # A set, in no order: of those that wait for a header the one that is due first has waited longest.
        others = [c for c in self.connections if isinstance(c, GuardedConnection) and c is not self]
        return iter(sorted(others, key=lambda c: c._header_due.when() if c._header_due else float("inf")))


def most_connections(most: int) -> int:
    """How many connections this process takes, ``most`` at most: what the system lets it open is used to the full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _SPARE_DESCRIPTORS
    if soft < wanted:
        with suppress(OSError, ValueError):
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(min(most, soft - _SPARE_DESCRIPTORS), 16)
