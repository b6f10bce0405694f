"""Turns entries of the log into messages for those who subscribe, from where each subscription stands."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from flagconsole.domain.blast import blast_radius
from flagconsole.domain.change import Change
from flagconsole.domain.flag import Override, Setting
from flagconsole.domain.notification import Notification, Topic
from flagconsole.domain.states import FlagState
from flagconsole.domain.views import FlagView
from flagconsole.operations.fence import Fence
from flagconsole.operations.notifications import Reach, Subscriber, notice_of
from flagconsole.operations.reading import ruleset_of
from flagconsole.rollout.response import Response
from flagconsole.store.protocol import Head, Reader, Store

_BATCH: Final = 50


class ChangeNotices:
    """The subscriptions of one store. Nobody who changes a flag waits for them: what they need is in the log."""

    def __init__(self, store: Store, response: Response, fence: Fence) -> None:
        self._store, self._response, self._fence = store, response, fence
        self._seen: tuple[str, int] | None = None

    async def tick(self) -> int:
        """Put the messages about what is new into the outbox. Returns how many. Raises ``LeaseLost``."""
        names = frozenset(self._response.subscriptions)
        async with self._store.read() as reader:
            head = await reader.head()
            if self._seen == (head.epoch, head.revision):
                return 0
            cursors = await reader.notification_cursors()
        if set(cursors) - names or names - set(cursors) or any(at > head.revision for at in cursors.values()):
            await self._begin(names, cursors, head)
            return 0
        told = 0
        while names and min(cursors.values()) < head.revision:
            told += await self._tell(cursors, head)
        self._seen = head.epoch, head.revision
        return told

    async def _begin(self, names: frozenset[str], cursors: dict[str, int], head: Head) -> None:
        """A new subscription is told of what happens from now on, and so is one that knows more than a restored store."""
        async with self._store.write() as tx:
            await self._fence.check(tx)
            await tx.keep_notification_cursors(names)
            for name in names:
                if name not in cursors or cursors[name] > head.revision:
                    await tx.save_notification_cursor(name, head.revision)

    async def _tell(self, cursors: dict[str, int], head: Head) -> int:
        """One batch: counted outside of the transaction, so that no kill waits for it. Whoever leads is the only one who moves
        cursors, and a message that is there already isn't added again."""
        first = min(cursors.values())
        async with self._store.read() as reader:
            changes, now = await reader.changes_after(first, _BATCH), await reader.now()
            reached = {change.change_id: await self._reach(reader, change, now) for change in changes}
        last = changes[-1].change_id if changes else head.revision
        messages = [
            self._message(change, subscriber, reached[change.change_id], now)
            for change in changes
            for subscriber in self._response.subscribers(Topic.CHANGES, change.flag_name)
            if cursors[subscriber.subscription] < change.change_id
        ]
        async with self._store.write() as tx:
            await self._fence.check(tx)
            for message in messages:
                await tx.notify(message)
            for name, at in cursors.items():
                if at < last:
                    await tx.save_notification_cursor(name, last)
        cursors.update({name: max(at, last) for name, at in cursors.items()})
        return len(messages)

    def _message(self, change: Change, subscriber: Subscriber, reach: Reach | None, now: datetime) -> Notification:
        return notice_of(change, self._response.environment, subscriber, now, reach)

    async def _reach(self, reader: Reader, change: Change, now: datetime) -> Reach | None:
        """Whom a change of a flag gave the feature to and took it from; None where the flag has moved on since, or is gone, so
        that nobody can tell any more, and for one tenant's change."""
        if change.tenant_id is not None or not self._response.subscribers(Topic.CHANGES, change.flag_name):
            return None
        views = await reader.flag_views()
        present = next((view for view in views if view.flag_name == change.flag_name), None)
        if present is None or present.version != change.version:
            return None
        overrides, head = await reader.overrides(), await reader.head()
        tenants = await reader.active_tenant_ids()
        return await asyncio.to_thread(_counted, head, views, overrides, present, change, tenants, now)


def _counted(
    head: Head,
    views: Sequence[FlagView],
    overrides: Sequence[Override],
    present: FlagView,
    change: Change,
    tenants: Sequence[str],
    now: datetime,
) -> Reach:
    before = present.model_copy(update=_setting_before(present, change).model_dump())
    flags = [before if view.flag_name == present.flag_name else view for view in views]
    ruleset = ruleset_of(head, flags, overrides)
    found = blast_radius(ruleset, present.flag_name, present.rule(), tenants, now.timestamp())
    return Reach(found.gaining, found.losing, found.tenants)


def _setting_before(present: FlagView, change: Change) -> Setting:
    if change.previous is None:
        return Setting(current_state=FlagState.OFF)
    # A cohort that the change left alone is still there.
    told = {name: change.previous[name] for name in Setting.model_fields if name in change.previous}
    return Setting.model_validate({**present.setting.model_dump(mode="json"), **told})
