"""A stream that is read on the straight way: what arrives is heard in the same step of the loop, before any other task runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from flagconsole.client.answer import MAX_PROBLEM
from flagconsole.client.answer_reader import AnswerReader, BadAnswer, Head
from flagconsole.client.event_reader import Event, EventReader
from flagconsole.client.route import End, Route

#: An event may take so long to arrive whole, however slowly its bytes trickle in.
EVENT_SECONDS: Final = 120.0


class NotAStream(Exception):
    """The server answered with something else: ``status`` and ``body``, or why it can't be read."""

    def __init__(self, problem: str, status: int = 200, body: bytes = b"", *, encoded: bool = False) -> None:
        super().__init__(problem)
        self.status = status
        self.body = body
        #: Whether somebody in between has compressed it.
        self.encoded = encoded


async def listen(
    route: Route,
    target: str,
    headers: Mapping[str, str],
    *,
    opened: Callable[[], None],
    hear: Callable[[Event], bool],
    patience: float,
) -> None:
    """Ask for ``target``, and give each event to ``hear`` as it arrives; return where that is False, or the server ends the stream.
    ``opened`` is called when the server has begun one.

    Raises ``NotAStream``, ``TimeoutError`` after ``patience`` seconds of silence, and whatever the network and a stranger's bytes can
    cause.
    """
    listening = _Listening(opened, hear, patience)
    try:
        await route.connect(listening)
        listening.ask(route.request("GET", target, headers))
        await listening.over
    finally:
        listening.close()


class _Listening(End):
    def __init__(self, opened: Callable[[], None], hear: Callable[[Event], bool], patience: float) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._opened, self._hear, self._patience = opened, hear, patience
        self._answer = AnswerReader(self._began, self._part, self._ended)
        self._events: EventReader | None = None
        self._status, self._body = 0, b""
        self._heard = self._event_at = self._loop.time()
        # One timer for all that arrives, which looks now and then how long ago the last of it was.
        self._watch = self._loop.call_later(patience, self._look)
        self._transport: asyncio.Transport | None = None
        self.over: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> None:
        assert self._transport is not None
        self._transport.write(request)

    def close(self) -> None:
        self._watch.cancel()
        if self._transport is not None:
            self._transport.abort()
        if self.over.done() and not self.over.cancelled():
            self.over.exception()  # whoever was cancelled doesn't ask any more

    def data_received(self, data: bytes) -> None:
        if self.over.done():
            return
        self._heard = self._loop.time()
        try:
            self._answer.feed(data)
        except Exception as error:  # whatever a stranger's bytes can cause
            self._end(error)

    def connection_lost(self, error: Exception | None) -> None:
        if self.over.done():
            return
        try:
            if error is None and self._answer.closed():
                error = BadAnswer("the connection was closed in the midst of the answer")
        except Exception as problem:  # what is left of an answer may end with the connection
            error = problem
        if not self.over.done():
            self._end(
                error or (None if self._events is not None else BadAnswer("the server disconnected without an answer"))
            )

    def _end(self, error: Exception | None = None) -> None:
        if self.over.done():
            return
        if error is None:
            self.over.set_result(None)
        else:
            self.over.set_exception(error)

    def _began(self, head: Head) -> None:
        self._status = head.status
        if head.status != 200:
            return
        kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            raise NotAStream("the answer is not text/event-stream")
        if head.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise NotAStream("the stream is compressed", encoded=True)
        self._events = EventReader()
        self._opened()

    def _part(self, data: bytes) -> None:
        if self._events is None:
            self._body += data
            if len(self._body) > MAX_PROBLEM:
                raise NotAStream(f"the answer is larger than {MAX_PROBLEM // 1024} KiB", self._status)
            return
        for event in self._events.feed(data):
            self._event_at = self._heard
            if not self._hear(event):
                self._end()
                return

    def _ended(self) -> None:
        self._end(None if self._events is not None else NotAStream("", self._status, self._body))

    def _look(self) -> None:
        now = self._loop.time()
        # Comments alone keep nothing alive.
        due = min(self._heard + self._patience, self._event_at + max(EVENT_SECONDS, self._patience))
        if now >= due:
            self._end(TimeoutError())
        else:
            self._watch = self._loop.call_later(due - now, self._look)
