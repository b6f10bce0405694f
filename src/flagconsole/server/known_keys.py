"""Whose keys were looked up a moment ago. After any commit to the store they are looked up anew, so that one that was revoked isn't
known any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from flagconsole.domain.errors import Unauthenticated
from flagconsole.domain.role import Actor
from flagconsole.operations.keys import actor_of
from flagconsole.store.protocol import Store

#: Seconds after which a key is looked up anew though nothing is known to have changed: where another server's word is lost.
_MOST_SECONDS: Final = 1.0
_MOST_KEYS: Final = 10_000


class KnownKey(NamedTuple):
    """A key that is valid. ``actor`` has its own role and no rights beside it. ``read_at`` is the store's time at which it was looked up, ``at`` and ``until`` are
    this process's."""

    actor: Actor
    hashed: str
    version: int
    read_at: datetime
    at: float
    until: float


class KnownKeys:
    """The keys of one store by their hash."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, KnownKey] = {}

    async def of(self, hashed: str) -> KnownKey | None:
        """Whose key has this hash; None where there is no valid one. Raises ``StoreUnavailable``."""
        version = self._store.version()
        return self._held(hashed, version) or await self._look_up(hashed, version)

    def held(self, hashed: str) -> KnownKey | None:
        """The same as far as it is known without looking it up. Raises ``StoreUnavailable``."""
        return self._held(hashed, self._store.version())

    def _held(self, hashed: str, version: int) -> KnownKey | None:
        known = self._known.get(hashed)
        return known if known is not None and known.version == version and self._clock() < known.until else None

    def now(self, known: KnownKey) -> datetime:
        """The store's time; where that is a database's, by when the key was looked up and how long ago that is."""
        return self._store.time() or known.read_at + timedelta(seconds=self._clock() - known.at)

    async def _look_up(self, hashed: str, version: int) -> KnownKey | None:
        # ``version`` is from before reading: what is committed meanwhile makes this answer the last one that it is good for.
        async with self._store.read() as reader:
            read_at, key = await reader.now(), await reader.api_key(hashed)
        self._known.pop(hashed, None)
        try:
            actor = actor_of(key, read_at)
        except Unauthenticated:
            return None
        lasts = _MOST_SECONDS
        if key is not None and key.expires_at is not None:
            lasts = min(lasts, (key.expires_at - read_at).total_seconds())
        at = self._clock()
        known = KnownKey(actor, hashed, version, read_at, at, at + lasts)
        if len(self._known) >= _MOST_KEYS:
            self._known.clear()
        self._known[hashed] = known
        return known
