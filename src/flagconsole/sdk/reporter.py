"""Receipts: of each revision applied the server is told at once, or as soon as it asks; and every ten seconds a sign of life."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from flagconsole.client.answer import error_of
from flagconsole.client.backoff import Backoff
from flagconsole.client.position import Position
from flagconsole.domain.text import safe_text
from flagconsole.sdk.post import Post
from flagconsole.sdk.settings import SDK_VERSION, Settings
from flagconsole.sdk.status import Counters, Health

#: Seconds between two signs of life when nothing changes.
LIFE_SECONDS: Final = 10.0
#: What the server takes in one report. Only the newest receipts matter when more were waiting.
MAX_RECEIPTS: Final = 1000
#: In this part of the time over which receipts are spread, its first, none leaves: a fleet has heard of the change by its end.
QUIET: Final = 1 / 3
_RETRY_CAP: Final = 5.0
#: Statuses that another attempt with the same content may well get past.
_WORTH_RETRYING: Final = frozenset({401, 403, 404, 408, 429})

#: A revision, and since when it is served, in seconds since the epoch. It is written down when its report is: that is not on the way of a kill.
Applied = tuple[int, float]


class Reporter:
    """Reports what was applied, one request at a time; what gathers meanwhile goes into the next one.

    ``keep`` is awaited with the newest position before a report with it leaves. ``health`` and ``transport`` are asked when
    a report is written.
    """

    def __init__(
        self,
        settings: Settings,
        counters: Counters,
        keep: Callable[[Position], Awaitable[None]],
        health: Callable[[], Health],
        transport: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._counters = counters
        self._keep = keep
        self._health = health
        self._transport = transport
        self._path = f"/api/instances/{quote(settings.instance, safe='')}/receipt"
        self._wake = asyncio.Event()
        self._waiting: list[Applied] = []
        self._epoch = ""
        self._newest: Applied | None = None
        #: Over how long, in seconds, the server asks its instances to spread the receipts of a change.
        self.spread = 0.0
        self._leaves: asyncio.TimerHandle | None = None
        #: Why the last report failed, safe to show; ``None`` after one that arrived.
        self.problem: str | None = None

    def applied(self, position: Position, at: float | None = None) -> None:
        """``position`` is served since ``at`` (seconds since the epoch by this machine's clock; default: now)."""
        epoch, revision = position
        receipt = revision, time.time() if at is None else at
        if epoch != self._epoch:
            self._epoch = epoch
            self._waiting.clear()
        self._waiting.append(receipt)
        del self._waiting[:-MAX_RECEIPTS]
        self._newest = receipt
        if not self.spread:
            self._wake.set()
        elif self._leaves is None:
            # Of a fleet all would report at once, to a server and on machines where some still wait for the change itself.
            wait = random.uniform(self.spread * QUIET, self.spread)  # noqa: S311
            self._leaves = asyncio.get_running_loop().call_later(wait, self._leave_now)

    def _leave_now(self) -> None:
        self._leaves = None
        self._wake.set()

    def reconnected(self) -> None:
        """The server is there (again): what couldn't be reported may be now."""
        if self.problem is not None:
            self._wake.set()

    async def run(self, post: Post) -> None:
        """Report until cancelled."""
        backoff = Backoff(base=0.1, cap=_RETRY_CAP)
        while True:
            try:
                async with asyncio.timeout(LIFE_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if self._newest is None:
                continue
            if await self._report(post, leaving=False):
                backoff.reset()
            else:
                # What is applied meanwhile, and a server that is back, don't wait for the end of this.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(backoff.next()):
                        await self._wake.wait()
                self._wake.set()

    async def leave(self, post: Post) -> None:
        """Say goodbye, with what is still waiting."""
        if self._newest is not None:
            await self._report(post, leaving=True)

    async def _report(self, post: Post, *, leaving: bool) -> bool:
        """One report. Returns whether it is settled: it arrived, or would never be taken."""
        epoch, batch, newest = self._epoch, list(self._waiting), self._newest
        if newest is None:
            return True
        await self._keep((epoch, newest[0]))
        # A sign of life repeats the newest receipt: a server that lost it learns it again.
        content = self._written(epoch, batch or [newest], leaving=leaving)
        try:
            status, body = await post(self._path, content)
            problem = "" if status == 200 else str(error_of(self._settings.url, status, body))
        except Exception as error:  # the network's ways to fail
            status, problem = 0, safe_text(str(error) or type(error).__name__, 200)
        self.problem = None if status == 200 else f"receipt: {problem}"
        if status == 200:
            self._counters.receipts_sent += len(batch)
        else:
            self._counters.receipt_failures += 1
        settled = status == 200 or (400 <= status < 500 and status not in _WORTH_RETRYING)
        if settled and self._epoch == epoch:
            self._waiting = [receipt for receipt in self._waiting if receipt not in batch]
        return settled

    def _written(self, epoch: str, receipts: list[Applied], *, leaving: bool) -> bytes:
        report = {
            "service": self._settings.service,
            "sdk_version": SDK_VERSION,
            "epoch": epoch,
            "status": self._health().value,
            "transport": self._transport(),
            "receipts": [{"revision": revision, "applied_at": _written_time(at)} for revision, at in receipts],
            "leaving": leaving,
        }
        return json.dumps(report).encode()


def _written_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
