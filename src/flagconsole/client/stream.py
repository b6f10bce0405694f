"""The reconnecting reader of a server's event stream, used by the SDK and by the console.

It never raises and never ends by itself: whatever goes wrong becomes a ``Disconnected`` and another attempt. It doesn't
judge positions; whoever reads decides what may be applied.
"""

from __future__ import annotations

import asyncio
import codecs
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote, urlencode

from flagconsole.client.answer import MAX_PROBLEM, AnswerTooLarge, error_of, read_body
from flagconsole.client.answer_reader import BadAnswer
from flagconsole.client.backoff import Backoff
from flagconsole.client.connection import open_connection
from flagconsole.client.event_reader import MAX_FRAME, Event, EventTooLarge
from flagconsole.client.frames import (
    MAX_RETRY_SECONDS,
    BadFrame,
    ChangeFrame,
    Connected,
    Disconnected,
    Frame,
    Goodbye,
    Heartbeat,
    IncidentFrame,
    ReceiptFrame,
    RolloutFrame,
    Snapshot,
    StreamEvent,
    VerdictFrame,
    frame_of,
)
from flagconsole.client.position import HEADER, Position, position_text
from flagconsole.client.reaching import what_failed
from flagconsole.client.route import Route
from flagconsole.client.straight_stream import EVENT_SECONDS, NotAStream, listen
from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    import httpx

__all__ = [
    "ChangeFrame",
    "Connected",
    "Disconnected",
    "Goodbye",
    "Heartbeat",
    "IncidentFrame",
    "ReceiptFrame",
    "RolloutFrame",
    "Snapshot",
    "Stream",
    "StreamEvent",
    "VerdictFrame",
]

#: Three heartbeats of the server.
WATCHDOG_SECONDS: Final = 15.0
#: A connection that lasted so long was healthy: the next failure begins with short waits again.
HEALTHY_SECONDS: Final = 10.0
#: Whoever is watched by a person is one of few, and waits no longer than this for the sake of the others.
IMPATIENT_SECONDS: Final = 0.5
#: A refused key or a missing route won't mend within moments: then at least this long between attempts.
REFUSED_SECONDS: Final = 5.0
_REFUSALS: Final = frozenset({401, 403, 404, 405, 406, 410, 501})


_CLOSED: Final = Disconnected("the server closed the stream", 0.0)


@dataclass(slots=True)
class _Attempt:
    """One connection: since when the server has answered with a stream, and its goodbye."""

    began: float | None = None
    goodbye: Goodbye | None = None


class StreamBroken(Exception):
    """The connection can't be used any longer; the message says why."""


class Stream:
    """Events of one server, over as many connections as it takes.

    ``position`` is asked before each connection for where to continue; ``None`` asks for a snapshot. ``instance``,
    ``service`` and ``sdk_version`` say who listens; ``include`` asks for ``receipts``, ``incidents`` or ``rollouts`` too. ``watchdog_seconds`` of silence end a connection. A server tells how long its
    clients should take to come back, so that thousands don't at once; who is ``impatient``, since a person waits, takes half a second at
    most. ``connection`` lends
    an open pool instead of ``url`` and ``api_key`` making one; ``route`` is the straight way to the server, where there is one, for ``follow``. ``draw`` (0 to 1) and ``clock`` (monotonic seconds) are for
    tests. Iterate it, or use ``events()`` with ``aclosing``.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        instance: str | None = None,
        service: str | None = None,
        sdk_version: str | None = None,
        include_receipts: bool = False,
        include: Sequence[str] = (),
        position: Callable[[], Position | None] = lambda: None,
        watchdog_seconds: float = WATCHDOG_SECONDS,
        impatient: bool = False,
        connection: httpx.AsyncClient | None = None,
        route: Route | None = None,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._api_key = api_key
        self._who = {
            name: header_text(value)
            for name, value in (
                ("X-Flagconsole-Instance", instance),
                ("X-Flagconsole-Service", service),
                ("X-Flagconsole-SDK", sdk_version),
            )
            if value
        }
        topics = dict.fromkeys((*(("receipts",) if include_receipts else ()), *include))
        self._query = {"include": ",".join(topics)} if topics else {}
        self._position = position
        self._watchdog_seconds = watchdog_seconds
        self._most = IMPATIENT_SECONDS if impatient else MAX_RETRY_SECONDS
        self._spread = 0.0
        self._connection = connection
        self._route = route
        self._draw = draw
        self._clock = clock
        self._wake = asyncio.Event()

    def reconnect_now(self) -> None:
        """Cut the present wait between two attempts short."""
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self.events()

    async def events(self) -> AsyncGenerator[StreamEvent, None]:
        """All events from now on; ends only when it is closed or cancelled."""
        backoff = Backoff(draw=self._draw)
        own: httpx.AsyncClient | None = None
        try:
            while True:
                attempt = self._begin()
                lost = _CLOSED
                try:
                    connection = self._connection or own
                    if connection is None:
                        connection = own = open_connection(self._url, self._api_key)
                    async with aclosing(self._frames_of(connection)) as frames:
                        async for event in frames:
                            self._note(attempt, event)
                            yield event
                            if attempt.goodbye is not None:
                                break
                except Exception as error:  # whatever a stranger's bytes or network can cause
                    lost = self._problem(error)
                lost = self._after(attempt, lost, backoff)
                yield lost
                await self._pause(lost.retry_in)
        finally:
            if own is not None:
                await own.aclose()

    async def follow(self, take: Callable[[StreamEvent], None]) -> None:
        """Give ``take`` all events from now on, until cancelled. On the straight way each is given in the same step of the loop in which
        its last byte arrives."""
        backoff = Backoff(draw=self._draw)
        while (route := self._route) is not None:
            attempt = self._begin()
            lost = _CLOSED
            try:
                await self._listen(route, attempt, take)
            except Exception as error:  # whatever a stranger's bytes or network can cause
                lost = self._problem(error)
            lost = self._after(attempt, lost, backoff)
            take(lost)
            await self._pause(lost.retry_in)
        async with aclosing(self.events()) as events:
            async for event in events:
                take(event)

    async def _listen(self, route: Route, attempt: _Attempt, take: Callable[[StreamEvent], None]) -> None:
        """One connection on the straight way."""

        def told(event: StreamEvent) -> None:
            self._note(attempt, event)
            take(event)

        def hear(event: Event) -> bool:
            frame = frame_of(event.name, event.id, event.data)
            if frame is not None:
                told(frame)
            return attempt.goodbye is None

        query = f"?{urlencode(self._query)}" if self._query else ""
        target, patience = f"/api/stream{query}", self._watchdog_seconds
        try:
            await listen(route, target, self._headers(), opened=lambda: told(Connected()), hear=hear, patience=patience)
        except NotAStream as error:
            if error.encoded:
                self._route = None
            if error.status != 200:
                raise error_with(self._url, error.status, error.body) from error
            raise StreamBroken(str(error)) from error

    def _begin(self) -> _Attempt:
        self._wake.clear()
        return _Attempt()

    def _note(self, attempt: _Attempt, event: StreamEvent) -> None:
        if isinstance(event, Connected):
            attempt.began = self._clock()
        elif isinstance(event, Heartbeat):
            self._spread = min(event.retry_ms / 1000, self._most)
        elif isinstance(event, Goodbye):
            attempt.goodbye = event

    def _after(self, attempt: _Attempt, lost: Disconnected, backoff: Backoff) -> Disconnected:
        """What to say of a connection that is over, and how long to wait for the next."""
        if attempt.began is not None and self._clock() - attempt.began >= HEALTHY_SECONDS:
            backoff.reset()
        goodbye = attempt.goodbye
        problem = f"the server said goodbye: {goodbye.reason}" if goodbye is not None else lost.problem
        return lost._replace(problem=problem, retry_in=self._wait(backoff, lost, goodbye))

    def _wait(self, backoff: Backoff, lost: Disconnected, goodbye: Goodbye | None) -> float:
        if goodbye is not None:
            backoff.reset()
            return backoff.next(min(goodbye.retry_ms / 1000, self._most))
        # A connection that was refused says nothing new about how many others wait.
        wait = backoff.next(self._spread)
        return REFUSED_SECONDS + wait if lost.status in _REFUSALS else wait

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    def _headers(self) -> dict[str, str]:
        headers = {
            "Accept": "text/event-stream",
            "Cache-Control": "no-store",
            "Accept-Encoding": "identity",
            **self._who,
        }
        position = self._position()
        text = None if position is None else position_text(position)
        if text is not None:
            headers["Last-Event-ID"] = text
            headers[HEADER] = text
        return headers

    async def _frames_of(self, connection: httpx.AsyncClient) -> AsyncGenerator[Connected | Frame, None]:
        """The events of one connection."""
        import httpx_sse

        patience = self._watchdog_seconds
        request = connection.build_request("GET", "/api/stream", params=self._query, headers=self._headers())
        request.extensions["timeout"] |= {"read": patience}
        async with asyncio.timeout(patience):
            response = await connection.send(request, stream=True)
        try:
            if response.status_code != 200:
                async with asyncio.timeout(patience):
                    raise error_with(self._url, response.status_code, await read_body(response, MAX_PROBLEM))
            text = BoundedText(response)
            source = httpx_sse.EventSource(cast("httpx.Response", text))
            yield Connected()
            async with aclosing(source.aiter_sse()) as events:
                while True:
                    try:
                        async with asyncio.timeout(max(EVENT_SECONDS, patience)):
                            event = await anext(events)
                    except StopAsyncIteration:
                        return
                    text.event_read()
                    frame = frame_of(event.event, event.id, event.data)
                    if frame is not None:
                        yield frame
        finally:
            await response.aclose()

    def _problem(self, error: Exception) -> Disconnected:
        if isinstance(error, Refused):
            return Disconnected(safe_text(error.error, 300), 0.0, error.status, error.error.code)
        if isinstance(error, TimeoutError) or type(error).__name__ == "ReadTimeout":
            return Disconnected(f"nothing was heard for {self._watchdog_seconds:g} s", 0.0)
        if isinstance(error, BadFrame | StreamBroken | BadAnswer | EventTooLarge | AnswerTooLarge | FlagConsoleError):
            return Disconnected(safe_text(error, 300), 0.0)
        if isinstance(error, UnicodeDecodeError):
            return Disconnected("the stream is not UTF-8 text", 0.0)
        return Disconnected(safe_text(what_failed(error) or type(error).__name__, 300), 0.0)


class Refused(Exception):
    """The server answered a request for the stream with another status than 200."""

    def __init__(self, status: int, error: FlagConsoleError) -> None:
        super().__init__(str(error))
        self.status = status
        self.error = error


def error_with(url: str, status: int, body: bytes) -> Refused:
    """What a refusal says."""
    return Refused(status, error_of(url, status, body))


class BoundedText:
    """A response as the text that httpx-sse reads: strictly UTF-8, and no event larger than ``MAX_FRAME``."""

    def __init__(self, response: httpx.Response, limit: int = MAX_FRAME) -> None:
        self.headers = response.headers
        self._response = response
        self._limit = limit
        self._size = 0

    def event_read(self) -> None:
        """An event is complete: what was counted so far belongs to the past."""
        self._size = 0

    async def aiter_text(self) -> AsyncGenerator[str, None]:
        """The text, as it arrives. Raises ``StreamBroken``, ``UnicodeDecodeError`` or httpx's errors."""
        decoder = codecs.getincrementaldecoder("utf-8")("strict")
        async for chunk in self._response.aiter_bytes():
            self._size += len(chunk)
            if self._size > self._limit:
                raise StreamBroken(f"an event is larger than {self._limit // (1024 * 1024)} MiB")
            text = decoder.decode(chunk)
            if text:
                yield text


def header_text(value: str) -> str:
    """``value`` as it may stand in a header: visible ASCII, the rest percent-encoded, at most 200 characters."""
    return quote(value[:200], safe=" !#$&'()*+,/:;=?@[]^`{|}<>\"\\")[:200]
