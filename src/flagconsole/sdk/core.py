"""The asynchronous part of a client: follow the stream, apply, swap, confirm; poll where there is no stream."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from flagconsole.client.answer import error_of, read_body
from flagconsole.client.backoff import Backoff
from flagconsole.client.connection import open_connection, trusted
from flagconsole.client.position import HEADER, Position, position_text
from flagconsole.client.route import Route, straight_to
from flagconsole.client.stream import (
    ChangeFrame,
    Connected,
    Disconnected,
    Goodbye,
    Heartbeat,
    Snapshot,
    Stream,
    StreamEvent,
)
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.text import safe_text
from flagconsole.sdk.applier import Applier
from flagconsole.sdk.held import Held
from flagconsole.sdk.keeper import Keeper
from flagconsole.sdk.kill_list import KillListWatch
from flagconsole.sdk.listeners import Listeners
from flagconsole.sdk.post import Post
from flagconsole.sdk.reporter import Reporter
from flagconsole.sdk.settings import SDK_VERSION, Settings
from flagconsole.sdk.shadow_log import ShadowLog
from flagconsole.sdk.shadow_sender import ShadowSender
from flagconsole.sdk.status import STALE_SECONDS, Counters, Health
from flagconsole.sdk.usage import Usage
from flagconsole.sdk.usage_sender import UsageSender

if TYPE_CHECKING:
    import httpx

#: A stream that was silent for so long (seconds) is helped out by polling; heartbeats come every five.
PATIENCE: Final = 7.5
#: All clients of a server hear its last heartbeat at once; they needn't all poll at once, and may take so much longer.
LATEST: Final = 15.0
#: The same while there is no data at all.
FIRST_PATIENCE: Final = 2.0
#: The Date header counts whole seconds.
DATE_TOLERANCE: Final = 1.5
#: Saying goodbye may take so long, and hanging up after it (seconds).
GOODBYE_SECONDS: Final = 0.8
HANG_UP_SECONDS: Final = 0.2
_NO_STREAM: Final = frozenset({404, 405, 406, 410, 501})
_KEY_REFUSED: Final = frozenset({401, 403})

log = logging.getLogger("flagconsole.sdk")


class Core:
    """Keeps ``held`` true until ``stop``. All of it runs in one event loop."""

    def __init__(
        self,
        settings: Settings,
        held: Held,
        keeper: Keeper | None,
        listeners: Listeners,
        counters: Counters,
        usage: Usage,
        shadow: ShadowLog,
        clock: Callable[[], float] = time.monotonic,
        kill_list: KillListWatch | None = None,
    ) -> None:
        self._settings = settings
        self._held = held
        self._keeper = keeper
        self._kill_list = kill_list
        self._listeners = listeners
        self._counters = counters
        self._clock = clock
        self._reporter = Reporter(settings, counters, self._keep, self.health, lambda: self.transport)
        self._senders = (
            UsageSender(settings, usage, held.server_time, counters.usage_told),
            ShadowSender(settings, shadow, held.server_time, counters.shadow_told),
        )
        self._stopping = asyncio.Event()
        self._applier = Applier(held, counters, self._swapped)
        self._frame_at = clock()
        self._poll_at = 0.0
        self._lateness = 0.0
        self._no_stream = not settings.stream
        self._etag: tuple[str, Position] | None = None
        self._key_refused = False
        self._stream_open = False
        self._poll_answered = False
        self._problem: str | None = "no contact with the server yet"
        self.transport = "stream" if settings.stream else "polling"
        if held.position is not None:
            self._reporter.applied(held.position)

    @property
    def problem(self) -> str | None:
        """The last thing that went wrong and has not been mended, safe to show."""
        parts = (self._applier, self._reporter, *self._senders)
        return self._problem or next((part.problem for part in parts if part.problem is not None), None)

    @property
    def connected(self) -> bool:
        """Whether the stream is open, or where it can't be had, the last poll was answered."""
        return self._stream_open or self._poll_answered

    @property
    def key_refused(self) -> bool:
        """Whether the server refused the key when it was last asked."""
        return self._key_refused

    def health(self) -> Health:
        """How the client is doing."""
        if self._held.ruleset is None or self._key_refused:
            return Health.ERROR
        age = self._held.confirmed_age()
        return Health.READY if age is not None and age <= STALE_SECONDS and self._held.contact_at else Health.STALE

    def stop(self) -> None:
        """End soon: say goodbye, keep what is held, close."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until ``stop``."""
        watching = None if self._kill_list is None else asyncio.create_task(self._for_ever(self._kill_list.run))
        try:
            await self._run()
        finally:
            if watching is not None:
                watching.cancel()

    async def _run(self) -> None:
        try:
            context = trusted(self._settings.url)
            connection = open_connection(self._settings.url, self._settings.api_key, context=context)
            route = straight_to(self._settings.url, self._settings.api_key, context)
        except Exception as error:  # a URL or key that can't be used: served from the cache, and said in the status
            self._problem = safe_text(error, 300)
            self._refused()
            await self._stopping.wait()
            return
        post = Post(connection, route)
        works = [
            lambda: self._reporter.run(post),
            lambda: self._poll(connection),
        ]
        works += [partial(sender.run, connection) for sender in self._senders]
        if self._settings.stream:
            works.append(lambda: self._follow(connection, route))
        if self._keeper is not None:
            works.append(self._keeper.run)
        tasks = [asyncio.create_task(self._for_ever(work)) for work in works]
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        with suppress(Exception):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._reporter.leave(post)
                for sender in self._senders:
                    await sender.leave(connection)
        if self._keeper is not None:
            self._keeper.close()
        with suppress(Exception):
            post.close()
            async with asyncio.timeout(HANG_UP_SECONDS):
                await connection.aclose()

    async def _for_ever(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work``; should a mistake of ours end it, say so and begin it again, for the service must stay followed."""
        while True:
            try:
                await work()
            except Exception as error:  # never the service's problem
                self._problem = safe_text(f"internal: {type(error).__name__}: {error}", 300)
            await asyncio.sleep(1.0)

    async def _keep(self, position: Position) -> None:
        if self._keeper is not None:
            await self._keeper.note(position)

    async def _follow(self, connection: httpx.AsyncClient, route: Route | None) -> None:
        stream = Stream(
            self._settings.url,
            self._settings.api_key,
            instance=self._settings.instance,
            service=self._settings.service,
            sdk_version=SDK_VERSION,
            position=lambda: self._held.position,
            connection=connection,
            route=route,
        )
        await stream.follow(self._take)

    def _take(self, event: StreamEvent) -> None:
        match event:
            case ChangeFrame():
                self._stream_lives()
                self._counters.events += 1
                self._applier.change(event)
            case Connected():
                self._counters.connections += 1
                self._reporter.reconnected()
                self._applier.forget_head()
            case Disconnected():
                self._lost(event)
            case Goodbye():
                self._contact()
            case Heartbeat():
                self._stream_lives()
                self._reporter.spread = event.receipt_ms / 1000
                self._lateness = random.uniform(0.0, min(event.retry_ms / 1000, LATEST))  # noqa: S311
                self._applier.beat(event)
            case Snapshot():
                self._stream_lives()
                self._counters.snapshots += 1
                self._applier.snapshot(event.text)

    def _stream_lives(self) -> None:
        self._contact()
        self._stream_open = True
        self._frame_at = self._clock()
        self._no_stream = False
        self.transport = "stream"

    def _contact(self) -> None:
        self._held.heard()
        self._key_refused = False
        self._problem = None

    def _refused(self) -> None:
        """Note that the key isn't taken, and say so once: without rules all flags are off, as if somebody had meant it."""
        if not self._key_refused:
            served = "every flag is off" if self._held.ruleset is None else "flags stay as they were last known"
            log.warning("flagconsole: %s; %s until the key is taken", self._problem, served)
        self._key_refused = True

    def _lost(self, lost: Disconnected) -> None:
        self._counters.disconnections += 1
        if self._stream_open:
            self._stream_open = self._poll_answered = False
        self._problem = f"stream: {lost.problem}"
        if lost.status in _KEY_REFUSED:
            self._refused()
        if lost.status in _NO_STREAM or (lost.status is None and "text/event-stream" in lost.problem):
            self._no_stream = True
            self._applier.fetch_now.set()

    def _swapped(self, before: Ruleset | None, after: Ruleset) -> None:
        self._reporter.applied((after.epoch, after.revision))
        self._listeners.tell(before, after)
        if self._keeper is not None:
            self._keeper.changed()

    async def _poll(self, connection: httpx.AsyncClient) -> None:
        backoff = Backoff(base=0.1, cap=5.0)
        while True:
            await self._until_due()
            self._applier.fetch_now.clear()
            self._poll_at = self._clock() + self._settings.poll_seconds * random.uniform(0.8, 1.2)  # noqa: S311
            try:
                self._poll_answered = await self._fetch(connection)
            except Exception as error:  # whatever a stranger's bytes or network can cause
                self._poll_answered = False
                self._problem = safe_text(f"snapshot: {str(error) or type(error).__name__}", 300)
            if self._applier.gap:
                await asyncio.sleep(backoff.next())
            else:
                backoff.reset()

    async def _until_due(self) -> None:
        """Return when a snapshot should be fetched: at once after a gap, else when the stream has been silent for long."""
        while not self._applier.gap:
            patience = PATIENCE + self._lateness if self._held.ruleset is not None else FIRST_PATIENCE
            due = max(self._frame_at + (0.0 if self._no_stream else patience), self._poll_at)
            wait = due - self._clock()
            if wait <= 0:
                return
            try:
                async with asyncio.timeout(wait):
                    await self._applier.fetch_now.wait()
                self._applier.fetch_now.clear()
            except TimeoutError:
                continue

    async def _fetch(self, connection: httpx.AsyncClient) -> bool:
        """Fetch a snapshot, and serve it if that isn't going back. Returns whether the answer could be used."""
        headers: dict[str, str] = {}
        ours = self._held.position
        text = None if self._held.floor is None else position_text(self._held.floor)
        if text is not None:
            headers[HEADER] = text
        if self._etag is not None and self._etag[1] == ours and not self._applier.gap:
            headers["If-None-Match"] = self._etag[0]
        async with connection.stream("GET", "/api/snapshot", headers=headers) as response:
            body = await read_body(response)
        if response.status_code not in (200, 304):
            self._problem = safe_text(f"snapshot: {error_of(self._settings.url, response.status_code, body)}", 300)
            if response.status_code in _KEY_REFUSED:
                self._refused()
            else:
                self._key_refused = False
            return False
        self._learn_date(response)
        self._contact()
        if self._no_stream or self._clock() - self._frame_at > PATIENCE:
            self.transport = "polling"
        if response.status_code == 304:
            self._held.confirm()
            return True
        self._applier.forget_head()
        fetched = self._applier.snapshot(body)
        if fetched is not None and "etag" in response.headers:
            self._etag = (response.headers["etag"], fetched)
        return fetched is not None

    def _learn_date(self, response: httpx.Response) -> None:
        try:
            date = parsedate_to_datetime(response.headers["date"]).timestamp()
        except (KeyError, ValueError, TypeError, OverflowError):
            return
        self._held.learn_time(date, DATE_TOLERANCE)
