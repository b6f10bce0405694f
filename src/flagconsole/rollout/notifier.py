"""Delivers messages to those who subscribe: at least once each, in order for each flag, tried again with growing pauses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from flagconsole.domain.errors import SubscriptionNotFound
from flagconsole.domain.notification import Notification, TrialAnswer
from flagconsole.domain.playbook_run import DeliveryStatus
from flagconsole.domain.text import safe_text
from flagconsole.operations.fence import Fence
from flagconsole.rollout.change_notices import ChangeNotices
from flagconsole.rollout.message import MOST_ATTEMPTS, Sent, pause_after, send
from flagconsole.rollout.response import Response
from flagconsole.store.protocol import Store

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

#: Messages that are under way at once: one receiver that hangs must not hold all others up.
_AT_ONCE: Final = 8
_BATCH: Final = 50
#: Delivered messages are kept this long.
KEPT: Final = timedelta(days=7)
_TIDY_EVERY: Final = timedelta(hours=1)


class Notifier:
    """The messages of one store."""

    def __init__(
        self,
        store: Store,
        response: Response,
        connection: httpx.AsyncClient,
        *,
        fence: Fence,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._store, self._response, self._connection, self._fence = store, response, connection, fence
        self._draw = draw
        self._notices = ChangeNotices(store, response, fence)
        self._tidied: datetime | None = None

    async def tick(self) -> int:
        """Put down what is new and try everything that is due, once. Returns how many arrived. Raises ``LeaseLost``."""
        await self._notices.tick()
        async with self._store.read() as reader:
            now = await reader.now()
            due = await reader.due_notifications(now, _BATCH)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def attempt(notification: Notification) -> bool:
            async with slots:
                sent = await self._send(notification, now)
            await self._record(notification, sent)
            return sent.problem is None

        arrived = sum(await asyncio.gather(*(attempt(notification) for notification in due)))
        await self._tidy(now)
        return arrived

    async def _send(self, notification: Notification, now: datetime) -> Sent:
        destination = self._response.destinations.get(notification.destination or "")
        if destination is None:
            return Sent(f"the destination {safe_text(notification.destination, 100)} is not configured any more")
        return await send(
            self._connection,
            destination,
            notification.notification_id,
            notification.payload,
            destination.secret_env,
            now,
        )

    async def _record(self, notification: Notification, sent: Sent) -> None:
        async with self._store.write() as tx:
            await self._fence.check(tx)
            now = await tx.now()
            attempts = notification.attempts + 1
            fields: dict[str, Any] = {"attempts": attempts, "problem": sent.problem or "", "next_try_at": now}
            if sent.problem is None:
                fields |= {"status": DeliveryStatus.DELIVERED, "delivered_at": now}
            elif attempts >= MOST_ATTEMPTS:
                fields["status"] = DeliveryStatus.GIVEN_UP
            else:
                fields["next_try_at"] = now + timedelta(seconds=pause_after(attempts, self._draw()))
            await tx.save_notification(notification.model_copy(update=fields))

    async def _tidy(self, now: datetime) -> None:
        if self._tidied is not None and now - self._tidied < _TIDY_EVERY:
            return
        self._tidied = now
        async with self._store.write() as tx:
            await self._fence.check(tx)
            await tx.forget_notifications(now - KEPT)


async def send_trial(
    connection: httpx.AsyncClient, response: Response, subscription: str, asked_by: str, now: datetime
) -> TrialAnswer:
    """Send a test message to a subscription's destination, at once, and tell what it answered. Raises
    ``SubscriptionNotFound``."""
    found = response.subscriptions.get(subscription)
    if found is None:
        known = ", ".join(sorted(response.subscriptions)) or "none"
        raise SubscriptionNotFound(f"Configured are: {known}.", subscription=subscription)
    destination = response.destinations[found.destination]
    text = f"{response.environment}: a test message for {subscription}, sent by {asked_by}. Nothing has changed."
    payload = {
        "type": "test",
        "environment": response.environment,
        "subscription": subscription,
        "sent_by": safe_text(asked_by, 200),
        "at": now.isoformat(),
        "text": safe_text(text, 1000),
    }
    sent = await send(
        connection, destination, f"test-{now:%Y%m%dT%H%M%S%f}-{subscription}", payload, destination.secret_env, now
    )
    return TrialAnswer(
        subscription=subscription,
        destination=found.destination,
        delivered=sent.problem is None,
        status=sent.status,
        answer=sent.answer,
        problem=sent.problem or "",
    )
