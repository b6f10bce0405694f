"""Keeps the server's view at the store's head, whoever changed it, and passes every event on to the stream."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from flagconsole.domain.change import Event
from flagconsole.domain.errors import FlagConsoleError, StoreUnavailable
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.tenant_view import event_of_tenant
from flagconsole.operations.service import Operations
from flagconsole.server.hub import COMMENT, Channel, Hub
from flagconsole.server.instance_book import InstanceBook
from flagconsole.server.projection import Projection, frame
from flagconsole.store.acting import on_own_account
from flagconsole.store.protocol import Head, Reader, Store, StoredEvent

#: Seconds between heartbeats; a client that hears none for three of them knows that the connection is dead.
HEARTBEAT_SECONDS: Final = 5.0
_FORGET_SECONDS: Final = 60.0
_EXPIRY_CHECK_SECONDS: Final = 1.0
_BATCH: Final = 500

log = logging.getLogger(__name__)


class HistoryChanged(Exception):
    """What the store holds doesn't follow from what was read from it before."""

    def __init__(self, head: Head) -> None:
        super().__init__(str(head))
        self.head = head


class Follower:
    """Reads events from the store in order, into the projection and the hub."""

    def __init__(self, operations: Operations, projection: Projection, hub: Hub, book: InstanceBook) -> None:
        self._operations = operations
        self._store: Store = operations.store
        self._hub = hub
        self._book = book
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Callable[[Ruleset], object]] = []
        self.projection = projection
        #: Whether the store could be read the last time; readiness goes by it.
        self.healthy = True

    @classmethod
    async def load(cls, operations: Operations, hub: Hub, book: InstanceBook) -> Follower:
        """A follower at the store's head."""
        async with operations.store.read() as reader:
            projection = await _project(reader)
        return cls(operations, projection, hub, book)

    def on_change(self, listener: Callable[[Ruleset], object]) -> None:
        """Call ``listener`` with the new rules, once for several changes that are read together. Our own streams have been
        told by then, and what it raises goes no further."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to follow in the background."""
        self._tasks = [
            asyncio.create_task(self._forever(work), name=f"flagconsole-{work.__name__}")
            for work in (self._watch, self._heartbeat, self._expire, self._forget)
        ]

    async def stop(self) -> None:
        """End the background work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def catch_up(self) -> None:
        """Read up to the head. Whoever changed something calls this before answering, so that they read their write."""
        async with self._turn:
            with on_own_account():
                await self._catch_up()

    async def _catch_up(self) -> None:
        before = self.projection.ruleset
        try:
            async with self._store.read() as reader:
                await self._read_up(reader)
        except HistoryChanged as changed:
            await self._begin_lineage(changed)
            async with self._store.read() as reader:
                await self._read_up(reader)
        if self.projection.ruleset is not before:
            self._tell_listeners()

    async def _read_up(self, reader: Reader) -> None:
        """Apply what is new. Raises ``HistoryChanged`` where it doesn't follow from what was applied before."""
        head, ruleset = await reader.head(), self.projection.ruleset
        if head.epoch > ruleset.epoch:
            await self._read_anew(reader)
            return
        if (head.epoch, head.revision) < (ruleset.epoch, ruleset.revision):
            raise HistoryChanged(head)
        if head.revision == ruleset.revision and head.audit_hash != self.projection.audit_hash:
            raise HistoryChanged(head)
        if head.revision == ruleset.revision:
            return
        while events := await reader.events_after(self.projection.ruleset.revision, _BATCH):
            for stored in events:
                if not await self._take(stored):
                    raise HistoryChanged(head)
            if self.projection.ruleset.revision >= head.revision:
                return
        if events is None:
            await self._read_anew(reader)

    async def _tell_tenants(self, event: Event) -> None:
        """Pass the event on to the streams of tenants' keys, each as it may be seen. All others go before them."""
        ruleset = self.projection.ruleset
        rule = ruleset.rules.get(event.change.flag_name)
        for tenant in self._hub.tenants():
            if tenant is not None:
                await asyncio.sleep(0)
                self._hub.publish_rules(frame("change", event_of_tenant(event, tenant, rule), ruleset), tenant)

    async def _read_anew(self, reader: Reader) -> None:
        self.projection = await _project(reader)
        for tenant in self._hub.tenants():
            self._hub.publish_rules(self.projection.snapshot_frame(tenant), tenant)

    async def _begin_lineage(self, changed: HistoryChanged) -> None:
        """The store has lost changes that this server has streamed: an older backup was put in its place, or a standby took over
        that hadn't received them. Services hold what is gone, and would refuse all that follows as older. So it goes on under a
        new epoch, which every client takes over whole."""
        lost = self.projection.ruleset
        async with self._store.write(urgent=True) as tx:
            head = await tx.head()
            if head.epoch > lost.epoch:
                tx.discard()  # another server has seen it too
                return
            newest = await tx.change(lost.revision)
            if newest is not None and newest.hash == self.projection.audit_hash:
                tx.discard()
                raise StoreUnavailable(
                    "Check what the store's URL leads to.",
                    problem="its reads come from a copy that is behind its writes",
                )
            epoch = await tx.begin_lineage(after=lost.epoch)
        log.error(
            "the store has lost changes: it was at revision %d of %s and is at %d; it goes on as %s",
            lost.revision,
            lost.epoch,
            changed.head.revision,
            epoch,
        )

    async def committed(self, at: tuple[str, int] | None = None) -> None:
        """After a change of this server's own: take it, up to ``at`` where that is known, from what this process has just committed, else
        from the store. Where that can't be done just then, whoever watches does it later; the
        change is committed, and an error would say that it isn't."""
        try:
            async with self._turn:
                if at is None or not await self._take_own(*at):
                    with on_own_account():
                        await self._catch_up()
        except StoreUnavailable as error:
            self.healthy = False
            log.warning("a change was committed and can't be read back yet: %s", error)

    async def _take_own(self, epoch: str, revision: int) -> bool:
        """Take what this process committed after what is known, if it follows from that by its hash. Whether that reaches ``revision``."""
        before = self.projection.ruleset
        for stored in self._store.committed_after(before.epoch, before.revision):
            if not await self._take(stored):
                break
        after = self.projection.ruleset
        if after is not before:
            self._tell_listeners()
        return (after.epoch, after.revision) >= (epoch, revision)

    async def _take(self, stored: StoredEvent) -> bool:
        """Take the next event and pass it on; False, and nothing is done, where it doesn't follow."""
        event = self.projection.apply(stored)
        if event is None:
            return False
        self._hub.publish_rules(self.projection.newest_frame(), None)
        await self._tell_tenants(event)
        return True

    def _tell_listeners(self) -> None:
        for listener in self._listeners:
            try:
                listener(self.projection.ruleset)
            except Exception:  # a kill is answered, whatever becomes of other protocols' streams
                log.exception("a change could not be passed on")

    async def follow_people(self, *, anew: bool = False) -> None:
        """Read keys and tenants where they have moved since they were read (or ``anew`` in any case); the streams of keys that were
        revoked end. Receipts come all the time, and must not have all of them read."""
        with on_own_account():
            async with self._store.read() as reader:
                if not anew and await reader.people() == self.projection.people:
                    return
                await _load_people(reader, self.projection)
                now = await reader.now()
        self._end_streams_of_dead_keys(now)

    def _end_streams_of_dead_keys(self, now: datetime) -> None:
        """Again and again, since keys end by themselves, and a stream may begin while its key is being revoked."""
        for key in self.projection.keys.values():
            if not key.is_valid_at(now):
                self._hub.close_key(key.key_id)

    async def _forever(self, work: object) -> None:
        assert callable(work)
        while True:
            try:
                await work()
            except FlagConsoleError as error:
                # The store may come back (a full disk, a lock held too long); until then /health says so.
                self.healthy = False
                log.warning("the store can't be followed: %s", error)
                await asyncio.sleep(_EXPIRY_CHECK_SECONDS)

    async def _watch(self) -> None:
        async for _ in self._store.watch():
            await self.catch_up()
            await self.follow_people()
            await self._book.merge()
            self.healthy = True

    async def _heartbeat(self) -> None:
        while True:
            self._hub.publish(await self.heartbeat_frame())
            for channel in (Channel.OFREP, Channel.UNLEASH):
                self._hub.publish(COMMENT, channel=channel)
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def heartbeat_frame(self) -> bytes:
        """A heartbeat: the head, the store's time, and how to come back should the server be lost."""
        async with self._store.read() as reader:
            now = await reader.now()
        ruleset = self.projection.ruleset
        data = {"epoch": ruleset.epoch, "revision": ruleset.revision, "now": now.timestamp()}
        data["retry_ms"], data["receipt_ms"] = self._hub.retry_ms(), self._hub.receipt_ms()
        return frame("heartbeat", json.dumps(data))

    async def _expire(self) -> None:
        while True:
            if await self._operations.expire_overrides():
                await self.catch_up()
            async with self._store.read() as reader:
                now = await reader.now()
            self._end_streams_of_dead_keys(now)
            wait = self.projection.ruleset.next_expiry - now.timestamp()
            await asyncio.sleep(min(_EXPIRY_CHECK_SECONDS, max(wait, 0.01)))

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(_FORGET_SECONDS)
            async with self._store.read() as reader:
                now = await reader.now()
            await self._book.forget_old(now)
            # Somebody may have written to these tables by hand.
            await self.follow_people(anew=True)


async def _project(reader: Reader) -> Projection:
    projection = Projection(await reader.head(), await reader.flag_views(), await reader.overrides())
    await _load_people(reader, projection)
    return projection


async def _load_people(reader: Reader, projection: Projection) -> None:
    projection.people = await reader.people()
    projection.tenants = await reader.active_tenant_ids()
    projection.keys = {key.key_id: key for key in await reader.api_keys()}
