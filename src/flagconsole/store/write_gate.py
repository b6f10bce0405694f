"""The order of writers: one at a time, urgent ones first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple


class _Waiting(NamedTuple):
    turn: asyncio.Future[None]
    shares: bool


class WriteGate:
    """Lets one writer in at a time. Of those that wait, urgent ones (kills) go first, else first come, first served."""

    def __init__(self) -> None:
        self._busy = False
        self._urgent: deque[_Waiting] = deque()
        self._waiting: deque[_Waiting] = deque()
        #: What becomes of the gate where the writer whose turn has come was given up in that very moment.
        self.on_given_up: Callable[[], None] = self.leave

    @asynccontextmanager
    async def entered(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Hold the gate for the body of the ``async with``."""
        await self.enter(urgent=urgent)
        try:
            yield
        finally:
            self.leave()

    async def enter(self, *, urgent: bool = False, shares: bool = False) -> None:
        """Hold the gate, until ``leave``. ``shares``: this writer may go on in the transaction of the one before it."""
        if self._busy:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            queue, waiting = self._urgent if urgent else self._waiting, _Waiting(turn, shares)
            queue.append(waiting)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.on_given_up()  # the turn had come while we were being cancelled: hand it on
                else:
                    with suppress(ValueError):
                        queue.remove(waiting)
                raise
        self._busy = True

    def somebody_waits(self) -> bool:
        """Whether there is a next one."""
        return self._next() is not None

    def next_shares(self) -> bool:
        """Whether somebody waits, and whoever is next may go on in the transaction of the one before."""
        following = self._next()
        return following is not None and following.shares

    def _next(self) -> _Waiting | None:
        for queue in (self._urgent, self._waiting):
            while queue and queue[0].turn.done():
                queue.popleft()
            if queue:
                return queue[0]
        return None

    def leave(self) -> None:
        """Let the next one in."""
        for queue in (self._urgent, self._waiting):
            while queue:
                turn = queue.popleft().turn
                if not turn.done():
                    turn.set_result(None)
                    return
        self._busy = False
