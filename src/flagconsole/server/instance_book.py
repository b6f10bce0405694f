"""Who runs: what SDK instances report, kept in memory, told to the consoles at once and saved in batches."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

from flagconsole.domain.instance import Instance, Presence, ReceiptBatch
from flagconsole.operations.reading import with_presence
from flagconsole.server.hub import Hub, Topic
from flagconsole.server.projection import frame
from flagconsole.store.protocol import Store

#: Reports are saved together, this many seconds after the first of them.
SAVE_DELAY: Final = 0.05
#: A client that asks again sooner, and shows nothing new by it, isn't written down again.
ASKED_AGAIN: Final = timedelta(seconds=1)
FORGET_LEFT: Final = timedelta(minutes=10)
FORGET_SILENT: Final = timedelta(days=1)


class InstanceBook:
    """All instances that report to this server, or to another one on the same store."""

    def __init__(self, store: Store, hub: Hub, server_id: str) -> None:
        self._store = store
        self._hub = hub
        self._server_id = server_id
        self._known: dict[str, Instance] = {}
        self._unsaved: set[str] = set()
        self._saving: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Read what was saved before this server started."""
        async with self._store.read() as reader:
            self._known = {instance.instance_id: instance for instance in await reader.instances()}

    async def merge(self) -> None:
        """Take over what other servers on this store have saved meanwhile."""
        async with self._store.read() as reader:
            found = await reader.instances(elsewhere_than=self._server_id)
        for instance in found:
            known = self._known.get(instance.instance_id)
            if known is None or instance.last_seen > known.last_seen:
                self._tell(instance)

    def all(self, now: datetime) -> list[Instance]:
        """Every instance, with its presence as of now."""
        return with_presence(list(self._known.values()), now)

    def connected(self, instance_id: str, service: str, sdk_version: str, now: datetime) -> None:
        """A stream was opened: the instance exists and is waited for, though it has confirmed nothing yet."""
        known = self._known.get(instance_id)
        if known is None or known.presence is Presence.LEFT:
            self._put(
                Instance(
                    instance_id=instance_id,
                    service=service,
                    sdk_version=sdk_version,
                    epoch="",
                    revision=0,
                    last_seen=now,
                )
            )

    def report(self, instance_id: str, batch: ReceiptBatch, now: datetime) -> Instance:
        """Take a report. A confirmed revision never goes back within an epoch."""
        known = self._known.get(instance_id)
        newest = max(batch.receipts, key=lambda receipt: receipt.revision, default=None)
        revision, applied_at, received_at = 0, None, None
        if known is not None and known.epoch == batch.epoch:
            revision, applied_at, received_at = known.revision, known.applied_at, known.received_at
        if newest is not None and (applied_at is None or newest.revision > revision):
            revision, applied_at, received_at = newest.revision, newest.applied_at, now
        instance = Instance(
            instance_id=instance_id,
            service=batch.service,
            sdk_version=batch.sdk_version,
            epoch=batch.epoch,
            revision=revision,
            applied_at=applied_at,
            received_at=received_at,
            last_seen=now,
            status=batch.status,
            transport=batch.transport,
            presence=Presence.LEFT if batch.leaving else Presence.LIVE,
        )
        self._put(instance)
        return instance

    def asked(
        self, instance_id: str, service: str, sdk_version: str, now: datetime, holds: tuple[str, int] | None = None
    ) -> None:
        """A polling client that gives no receipts sent a request. ``holds`` is the position that the request shows it to
        have: that confirms it. When it began to serve that position isn't known."""
        known = self._known.get(instance_id)
        epoch, revision, received_at = (
            (known.epoch, known.revision, known.received_at)
            if known is not None and known.can_confirm
            else ("", 0, None)
        )
        if holds is not None and (received_at is None or holds > (epoch, revision)):
            (epoch, revision), received_at = holds, now
        if known is not None and now - known.last_seen < ASKED_AGAIN:
            told = known.service, known.sdk_version, known.epoch, known.revision, known.received_at
            polls = known.transport == "polling" and known.presence is Presence.LIVE
            if polls and told == (service, sdk_version, epoch, revision, received_at):
                return
        self._put(
            Instance(
                instance_id=instance_id,
                service=service,
                sdk_version=sdk_version,
                epoch=epoch,
                revision=revision,
                received_at=received_at,
                last_seen=now,
                transport="polling",
            )
        )

    def told(
        self, instance_id: str, service: str, sdk_version: str, now: datetime, position: tuple[str, int] = ("", 0)
    ) -> None:
        """The stream of a client that gives no receipts took all up to ``position``."""
        known = self._known.get(instance_id)
        if known is not None and known.told_revision is not None:
            position = max(position, (known.epoch, known.told_revision))
        self._put(
            Instance(
                instance_id=instance_id,
                service=service,
                sdk_version=sdk_version,
                epoch=position[0],
                revision=0,
                told_revision=position[1],
                last_seen=now,
                transport="stream",
            )
        )

    def heard(self, instance_id: str, service: str, sdk_version: str, now: datetime) -> None:
        """A client that gives no receipts said something else; it follows as it did, or is taken to poll."""
        known = self._known.get(instance_id)
        if known is None or known.can_confirm:
            self.asked(instance_id, service, sdk_version, now)
        else:
            self.told(instance_id, service, sdk_version, now)

    async def forget_old(self, now: datetime) -> None:
        """Drop the instances that said goodbye or were lost long ago."""
        old = [
            instance.instance_id
            for instance in self._known.values()
            if now - instance.last_seen > (FORGET_LEFT if instance.presence is Presence.LEFT else FORGET_SILENT)
        ]
        for instance_id in old:
            del self._known[instance_id]
            self._unsaved.discard(instance_id)
        await self._store.save_instances(self._server_id, (), old)

    async def save(self) -> None:
        """Save what isn't saved yet."""
        waiting = [self._known[instance_id] for instance_id in self._unsaved if instance_id in self._known]
        self._unsaved.clear()
        await self._store.save_instances(self._server_id, waiting)

    def _put(self, instance: Instance) -> None:
        self._tell(instance)
        self._unsaved.add(instance.instance_id)
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self._save_soon())

    def _tell(self, instance: Instance) -> None:
        self._known[instance.instance_id] = instance
        if self._hub.wants(Topic.RECEIPTS):
            self._hub.publish(frame("receipt", instance.model_dump_json()), topic=Topic.RECEIPTS)

    async def _save_soon(self) -> None:
        await asyncio.sleep(SAVE_DELAY)
        await self.save()
