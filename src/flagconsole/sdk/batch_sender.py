"""Sends what was gathered in tables, in batches that count once however often they have to be sent."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NamedTuple, Protocol, TypeVar

from flagconsole.client.answer import MAX_PROBLEM, error_of, read_body
from flagconsole.client.backoff import Backoff
from flagconsole.domain.text import safe_text
from flagconsole.sdk.settings import Settings

if TYPE_CHECKING:
    import httpx

#: Seconds between two looks whether a bucket is over.
LOOK_SECONDS: Final = 0.5
#: Buckets in one batch: few enough to be written between two events of the stream.
BATCH: Final = 200
#: What waits while the server is away; beyond it the oldest goes.
MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
_RETRY_CAP: Final = 10.0
#: Statuses that another attempt with the same content may well get past.
_WORTH_RETRYING: Final = frozenset({401, 403, 404, 408, 429})


class _Batch(NamedTuple):
    content: bytes
    buckets: int


Gathered = TypeVar("Gathered")


class Source(Protocol[Gathered]):
    """Where things are gathered: in tables, each for one bucket of ``width`` seconds."""

    width: int
    dropped: int

    def take(self, now: float, *, everything: bool = False) -> list[Gathered]:
        """The tables whose buckets are over at ``now``, oldest first."""
        ...


class Progress(NamedTuple):
    """How many buckets arrived and were given up so far, and how many attempts failed."""

    sent: int = 0
    failures: int = 0
    dropped: int = 0


class BatchSender(ABC, Generic[Gathered]):
    """Sends what ``source`` gathers shortly after each bucket's end. ``now`` is the server's time; ``tell`` hears of each step."""

    path: ClassVar[str]
    subject: ClassVar[str]

    def __init__(
        self, settings: Settings, source: Source[Gathered], now: Callable[[], float], tell: Callable[[Progress], None]
    ) -> None:
        self._settings = settings
        self._source = source
        self._now = now
        self._tell = tell
        self._waiting: deque[_Batch] = deque()
        self._bytes = 0
        self._prefix = secrets.token_hex(8)
        self._number = 0
        self._given_up = self._sent = self._failures = 0
        self._told = 0
        #: Why the last batch could not be sent, safe to show; ``None`` after one that arrived.
        self.problem: str | None = None

    @abstractmethod
    def parts(self, table: Gathered) -> Iterator[tuple[dict[str, Any], int]]:
        """What a table comes to, as parts of a batch's body each, and how many buckets are in it."""

    async def run(self, connection: httpx.AsyncClient) -> None:
        """Send until cancelled."""
        backoff = Backoff(base=0.5, cap=_RETRY_CAP)
        # All instances' buckets end at the same moment; they needn't all send at it.
        spread = random.uniform(0.0, 0.1) * self._source.width  # noqa: S311
        while True:
            # More often than buckets end, since a table that filled up early waits as well.
            await asyncio.sleep(LOOK_SECONDS)
            await self._write(self._source.take(self._now() - spread))
            while self._waiting:
                if await self._send(connection):
                    backoff.reset()
                    continue
                await asyncio.sleep(backoff.next())
                await self._write(self._source.take(self._now() - spread))

    async def leave(self, connection: httpx.AsyncClient) -> None:
        """Send what there is, the bucket that isn't over included."""
        await self._write(self._source.take(self._now(), everything=True))
        while self._waiting and await self._send(connection):
            pass

    async def _write(self, tables: list[Gathered]) -> None:
        for table in tables:
            for part, buckets in self.parts(table):
                self._keep(self._written(part), buckets)
                await asyncio.sleep(0)  # an event of the stream may be waiting

    def _written(self, part: dict[str, Any]) -> bytes:
        self._number += 1
        dropped = self._source.dropped + self._given_up
        batch = {
            "batch_id": f"{self._prefix}-{self._number}",
            "instance": self._settings.instance,
            "service": self._settings.service,
            "bucket_seconds": self._source.width,
            "dropped": dropped - self._told,
            **part,
        }
        self._told = dropped
        return json.dumps(batch, separators=(",", ":")).encode()

    def _keep(self, content: bytes, buckets: int) -> None:
        self._waiting.append(_Batch(content, buckets))
        self._bytes += len(content)
        while self._bytes > MAX_WAITING_BYTES:
            self._given_up += self._done().buckets
        self._report()

    def _report(self) -> None:
        self._tell(Progress(self._sent, self._failures, self._source.dropped + self._given_up))

    def _done(self) -> _Batch:
        batch = self._waiting.popleft()
        self._bytes -= len(batch.content)
        return batch

    async def _send(self, connection: httpx.AsyncClient) -> bool:
        """Send the oldest batch. Returns whether it is settled: it arrived, or would never be taken."""
        batch = self._waiting[0]
        try:
            status, problem = await self._post(connection, batch.content)
        except Exception as error:  # the network's ways to fail
            status, problem = 0, safe_text(str(error) or type(error).__name__, 200)
        self.problem = None if status == 200 else f"{self.subject}: {problem}"
        refused = 400 <= status < 500 and status not in _WORTH_RETRYING
        if status == 200:
            self._sent += batch.buckets
        else:
            self._failures += 1
        # While it was under way it may have become one too many, and be gone already.
        if (status == 200 or refused) and self._waiting and self._waiting[0] is batch:
            self._done()
            if refused:
                self._given_up += batch.buckets
        self._report()
        return status == 200 or refused

    async def _post(self, connection: httpx.AsyncClient, content: bytes) -> tuple[int, str]:
        headers = {"Content-Type": "application/json"}
        async with connection.stream("POST", self.path, content=content, headers=headers) as response:
            body = await read_body(response, MAX_PROBLEM)
        status = response.status_code
        return status, "" if status == 200 else str(error_of(self._settings.url, status, body))


def in_parts(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """``rows``, ``size`` at a time."""
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some
