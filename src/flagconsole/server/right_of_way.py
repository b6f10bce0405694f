"""Kill, hold and rollback go first: while one of them is answered, requests that come after it wait a moment.

A kill takes a dozen turns of the event loop. Where services read as fast as they can, each turn answers all of them before it comes back to
the kill; without them it is through in milliseconds.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from flagconsole.operations.permissions import URGENT
from flagconsole.server.route_table import ROUTES

#: Seconds that a request waits at most, however long the urgent one takes.
MOST_SECONDS: Final = 0.05


def _pattern() -> bytes:
    calls = (call for call, operation in ROUTES.items() if operation in URGENT)
    return "|".join(re.sub("{[^}]*}", "[^/ ?]+", call) for call in calls).encode()


_URGENT: Final = re.compile(_pattern())
_URGENT_BEGINS: Final = re.compile(b"(?:%b)[ ?]" % _pattern())


def is_urgent(method: str, path: str) -> bool:
    """Whether this is a kill, a hold or a rollback, as far as its address tells."""
    return method != "GET" and _URGENT.fullmatch(f"{method} {path}".encode()) is not None


def begins_urgent(data: bytes) -> bool:
    """The same of the first bytes of a request."""
    return _URGENT_BEGINS.match(data) is not None


class RightOfWay:
    """That of one server. ``taken`` while something urgent is answered, and nobody has waited for too long."""

    def __init__(self) -> None:
        self.taken = False
        self._urgent = 0
        self._waiting: list[Callable[[], None]] = []
        self._ends: asyncio.TimerHandle | None = None

    @contextmanager
    def holding(self) -> Iterator[Callable[[], None]]:
        """Around one urgent request. What it gives is called when the request is there as a whole: nobody waits for what drips in."""
        begun = False

        def begin() -> None:
            nonlocal begun
            if not begun:
                begun = True
                self._begin()

        try:
            yield begin
        finally:
            if begun:
                self._urgent -= 1
                if not self._urgent:
                    self._release()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call ``go_on`` when the way is free."""
        self._waiting.append(go_on)

    def _begin(self) -> None:
        self._urgent += 1
        if self._ends is None:
            self.taken = True
            self._ends = asyncio.get_running_loop().call_later(MOST_SECONDS, self._release)

    def _release(self) -> None:
        self.taken = False
        if not self._urgent and self._ends is not None:
            self._ends.cancel()
            self._ends = None
        waiting, self._waiting = self._waiting, []
        loop = asyncio.get_running_loop()
        for go_on in waiting:
            loop.call_soon(go_on)
