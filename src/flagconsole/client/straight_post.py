"""Small requests on the straight way, one at a time over one connection that is kept."""

from __future__ import annotations

import asyncio
from typing import Final

from flagconsole.client.answer import MAX_PROBLEM, AnswerTooLarge
from flagconsole.client.answer_reader import AnswerReader, BadAnswer, Head
from flagconsole.client.connection import KEEP_ALIVE_SECONDS
from flagconsole.client.route import End, Route

#: An answer may take so long.
ANSWER_SECONDS: Final = 10.0
_HEADERS: Final = {"Accept": "application/json", "Content-Type": "application/json"}


class StraightPost:
    """Posts JSON to one server."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._kept: _Exchange | None = None

    async def post(self, target: str, content: bytes) -> tuple[int, bytes]:
        """The answer's status and body. Raises ``OSError``, ``TimeoutError``, ``BadAnswer`` and ``AnswerTooLarge``."""
        request = self._route.request("POST", target, _HEADERS, content)
        exchange = self._kept
        self._kept = None
        if exchange is not None and exchange.is_usable():
            try:
                return await self._answer(exchange, request)
            except _Unanswered:
                pass  # an idle connection that the server closed meanwhile ends like this; a new one won't
        elif exchange is not None:
            exchange.close()
        exchange = _Exchange()
        await self._route.connect(exchange)
        return await self._answer(exchange, request)

    async def _answer(self, exchange: _Exchange, request: bytes) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await exchange.ask(request)
        except BaseException:
            exchange.close()
            raise
        if exchange.lasts:
            self._kept = exchange
        else:
            exchange.close()
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


class _Unanswered(OSError):
    """The connection was closed before anything of an answer came."""


class _Exchange(End):
    """One connection, on which one thing is asked after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._reader = AnswerReader(self._began, self._part, self._ended)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._status, self._body = 0, b""
        self._used_at = self._loop.time()
        self._lost = False
        #: Whether something else can be asked here after this.
        self.lasts = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def is_usable(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return not self._lost and self._loop.time() - self._used_at < KEEP_ALIVE_SECONDS

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and body of the answer."""
        assert self._transport is not None
        self._status, self._body = 0, b""
        self._answer = self._loop.create_future()
        if self._lost:
            raise _Unanswered("the server closed the connection")
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._lost = True
        if self._transport is not None:
            self._transport.abort()
        if self._answer is not None and self._answer.done() and not self._answer.cancelled():
            self._answer.exception()

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # nothing was asked
            return
        try:
            self._reader.feed(data)
        except Exception as error:  # whatever a stranger's bytes can cause
            self._fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost, self.lasts = True, False
        try:
            unfinished = self._reader.closed()
        except Exception as problem:  # what is left of an answer may end with the connection
            unfinished, error = True, problem
        if self._status or unfinished:
            self._fail(error or BadAnswer("the connection was closed in the midst of the answer"))
        else:
            self._fail(_Unanswered(str(error) if error else "the server closed the connection"))

    def _fail(self, error: Exception) -> None:
        self.lasts = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _began(self, head: Head) -> None:
        self._status = head.status
        self.lasts = self.lasts and head.lasts

    def _part(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > MAX_PROBLEM:
            raise AnswerTooLarge(f"the answer is larger than {MAX_PROBLEM // 1024} KiB")

    def _ended(self) -> None:
        self._used_at = self._loop.time()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._status, self._body))
