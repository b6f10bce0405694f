"""How much one key may ask for. Kill, hold and rollback are never refused here."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from flagconsole.domain.errors import TooManyRequests
from flagconsole.domain.role import Actor
from flagconsole.operations.permissions import URGENT, Operation
from flagconsole.server.bounds import Bounds


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class Quotas:
    """What every key has asked for lately. In memory, for this server: replicas count for themselves. A fleet of services shares a
    key, so that the bounds are wide."""

    bounds: Bounds = field(default_factory=Bounds)
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _streams: Counter[str] = field(default_factory=Counter)
    _requests: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def asking(self, actor: Actor, operation: Operation, *, streams: bool = False) -> Iterator[None]:
        """Let the request through while the block runs. Raises ``TooManyRequests`` where it goes beyond the quota."""
        key = actor.key_id or actor.name
        under_way, most = (self._streams, self.bounds.streams) if streams else (self._requests, self.bounds.requests)
        if operation not in URGENT:
            self._take_token(key)
            if under_way[key] >= most:
                what = "open streams" if streams else "requests under way"
                raise TooManyRequests(what=what, limit=most, retry_after=_LATER)
        under_way[key] += 1
        try:
            yield
        finally:
            under_way[key] -= 1
            if not under_way[key]:
                del under_way[key]

    def begin(self, actor: Actor) -> bool:
        """Let a request through that is neither urgent nor a stream, until ``end``; False, and nothing is counted, where it goes
        beyond the quota."""
        if not self.take(actor):
            return False
        self._requests[actor.key_id or actor.name] += 1
        return True

    def take(self, actor: Actor) -> bool:
        """Let such a request through that is over at once; False, and nothing is counted, where it goes beyond the quota."""
        key = actor.key_id or actor.name
        if self._requests.get(key, 0) >= self.bounds.requests:
            return False
        bucket = self._filled(key)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def give_back(self, actor: Actor) -> None:
        """What ``take`` let through wasn't answered: whoever answers it counts it again."""
        self._filled(actor.key_id or actor.name).tokens += 1

    def end(self, actor: Actor, *, answered: bool) -> None:
        """The request that ``begin`` let through is over. One that wasn't answered counts as not asked: whoever answers it counts it
        again."""
        key = actor.key_id or actor.name
        if self._requests[key] == 1:
            del self._requests[key]
        else:
            self._requests[key] -= 1
        if not answered:
            self.give_back(actor)

    def _take_token(self, key: str) -> None:
        bucket, rate = self._filled(key), self.bounds.rate
        if bucket.tokens < 1:
            wait = math.ceil((1 - bucket.tokens) / rate)
            raise TooManyRequests(what="requests a second", limit=math.ceil(rate), retry_after=wait)
        bucket.tokens -= 1

    def _filled(self, key: str) -> _Bucket:
        """The key's bucket, with what has run into it until now."""
        now = self.clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _MOST_KEYS:
                self._buckets.clear()  # all begin rested: a bound on memory, not on anybody's rate
            bucket = self._buckets[key] = _Bucket(self.bounds.burst, now)
        tokens = bucket.tokens + (now - bucket.at) * self.bounds.rate
        bucket.tokens = tokens if tokens < self.bounds.burst else self.bounds.burst
        bucket.at = now
        return bucket


#: Seconds after which something that is under way may be over.
_LATER: Final = 5
_MOST_KEYS: Final = 100_000
