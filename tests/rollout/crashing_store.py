"""A store whose process can be killed before or after any commit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flagconsole.store import Store, Transaction


class Killed(BaseException):
    """The process is gone: nothing may catch this and go on."""


class CrashingStore:
    """Hands everything on to ``store``. The commit number ``at`` (from 0) kills: before it the transaction is rolled back,
    ``after`` it it is committed and nobody lives to know."""

    def __init__(self, store: Store, at: int, *, after: bool) -> None:
        self._store = store
        self._at = at
        self._after = after
        self.commits = 0

    def __getattr__(self, name: str):
        return getattr(self._store, name)

    @asynccontextmanager
    async def write(self, *, urgent: bool = False) -> AsyncIterator[Transaction]:
        number = self.commits
        self.commits += 1
        async with self._store.write(urgent=urgent) as tx:
            yield tx
            if number == self._at and not self._after:
                raise Killed
        if number == self._at:
            raise Killed
