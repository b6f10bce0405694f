"""A connection that answers hot reads itself: what was the header of one before is that of one again, and the answer is there already.

What isn't such a header with as many bytes behind it as it says goes through parser, cycle, task and application as ever, and so does the
first request of each kind.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final, Protocol, runtime_checkable

import h11
from starlette.types import Receive, Scope, Send

from flagconsole.server.bounds import Bounds
from flagconsole.server.guarded_connection import GuardedConnection
from flagconsole.server.hot_reads import HotReads
from flagconsole.server.hot_request import HotRequest, hot_request
from flagconsole.server.right_of_way import RightOfWay, begins_urgent, is_urgent

#: Bytes of the longest request that is remembered, and how many are.
_LONGEST: Final = 2_048
_MOST_REMEMBERED: Final = 10_000
_END_OF_HEADER: Final = b"\r\n\r\n"
#: What a request says that wants more than an answer.
_UNUSUAL: Final = frozenset({b"upgrade", b"expect"})

log = logging.getLogger(__name__)


@runtime_checkable
class AnswersAtOnce(Protocol):
    """An application that has hot reads."""

    def hot_reads_of(self, hashed: str) -> HotReads | None:
        """Those of whoever has the key with this hash; None where that is to be found out first."""


class HotConnection(GuardedConnection):
    """One connection to a server whose application has hot reads."""

    application: AnswersAtOnce | None = None
    right_of_way: RightOfWay
    #: Requests by the hash of their headers, in which there are keys.
    remembered: dict[bytes, HotRequest]

    @classmethod
    def to(cls, application: object, bounds: Bounds | None = None) -> type[HotConnection]:
        """Connections of one server."""
        own: dict[str, Any] = {"right_of_way": RightOfWay(), "remembered": {}}
        if isinstance(application, AnswersAtOnce):
            own["application"] = application
        if bounds is not None:
            own["bounds"] = bounds
        return type(cls.__name__, (cls,), own)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._amid_message = False
        self._h11: h11.Connection | None = getattr(self, "conn", None)  # of the slower parser, where there is no other
        self._waiting = b""
        self._answered_at = 0.0

    def on_message_begin(self) -> None:
        """A request begins."""
        self._amid_message = True
        super().on_message_begin()  # type: ignore[misc]

    def on_message_complete(self) -> None:
        """It is there, with its body."""
        self._amid_message = False
        super().on_message_complete()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._waiting = b""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer at once, or give way, or go on as ever."""
        if not self._begins_request():
            super().data_received(data)
        elif self._waiting or (self.right_of_way.taken and not begins_urgent(data)):
            self._give_way(data)
        else:
            self._go_on(data)

    def timeout_keep_alive_handler(self) -> None:
        """Nobody has asked for so long, unless it was answered here: then the rest of that time is still to come."""
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_urgent(scope["method"], scope["path"]):
            await super()._answer(scope, receive, send)
            return
        with self.right_of_way.holding() as begin:

            async def whole() -> Any:
                message = await receive()
                if not message.get("more_body", False):
                    begin()
                return message

            await super()._answer(scope, whole, send)

    def _begins_request(self) -> bool:
        """Whether the next byte is a request's first. One may have been answered before all of it was there."""
        if not self._is_between_requests():
            return False
        if self._h11 is None:
            return not self._amid_message
        return self._h11.their_state is h11.IDLE and not self._h11.trailing_data[0]

    def _was_one_request(self, cycle: Any) -> bool:
        """Whether what was just read was a request from its first byte to its last, and the connection stays."""
        if cycle is None or cycle.response_complete:
            return False
        if self._h11 is None:
            return not self._amid_message and not self.pipeline and bool(cycle.keep_alive)  # type: ignore[attr-defined]
        return self._h11.their_state is h11.DONE and not self._h11.trailing_data[0]

    def _give_way(self, data: bytes) -> None:
        if not self._waiting:
            self.transport.pause_reading()
            self.right_of_way.wait(self._way_is_free)
        self._waiting += data

    def _way_is_free(self) -> None:
        data, self._waiting = self._waiting, b""
        if data and not self.transport.is_closing():
            self.transport.resume_reading()
            self._go_on(data)

    def _go_on(self, data: bytes) -> None:
        """The first bytes of a request, or all of them."""
        application = self.application
        end = data.find(_END_OF_HEADER) + len(_END_OF_HEADER)
        if application is None or len(data) > _LONGEST or end < len(_END_OF_HEADER):
            super().data_received(data)
            return
        header, body = data[:end], data[end:]
        known = blake2b(header, digest_size=16).digest()
        asked = self.remembered.get(known)
        if asked is None:
            super().data_received(data)
            self._remember(known, header, body, application)
        elif len(body) != asked.length or not self._answered_at_once(asked, body, application):
            super().data_received(data)

    def _answered_at_once(self, asked: HotRequest, body: bytes, application: AnswersAtOnce) -> bool:
        if self.flow.write_paused or self._incomplete_header or self.transport.is_closing():
            return False
        hot = application.hot_reads_of(asked.hashed)
        if hot is None:
            return False
        try:
            parts = hot.at_once(asked, body, self.server_state.default_headers)
        except Exception:  # nobody is refused for what only this way can't do
            log.exception("an answer could not be given at once")
            return False
        if parts is None:
            return False
        self._send(parts)
        return True

    def _send(self, parts: Sequence[bytes]) -> None:
        for part in parts:
            self.transport.write(part)
        self.server_state.total_requests += 1
        if self._header_due is not None:
            self._header_arrived()
        # A timer for each request would cost as much as all the rest: the one that runs looks when it ends.
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _remember(self, known: bytes, header: bytes, body: bytes, application: AnswersAtOnce) -> None:
        """What was just read, where it was one whole hot read of a key that is known by now. Lines that end in another way than ours do
        would let the parser see the header's end elsewhere."""
        cycle: Any = self.cycle
        if not self._was_one_request(cycle) or header.count(b"\n") != header.count(b"\r\n"):
            return
        scope = cycle.scope
        if scope["http_version"] != "1.1" or any(name in _UNUSUAL for name, _ in scope["headers"]):
            return
        asked = hot_request(scope, self.bounds.header_bytes)
        hot = None if asked is None else application.hot_reads_of(asked.hashed)
        if asked is None or asked.length != len(body) or hot is None or not hot.knows(asked):
            return
        if len(self.remembered) >= _MOST_REMEMBERED:
            self.remembered.clear()
        self.remembered[known] = asked
