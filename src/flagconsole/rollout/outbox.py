"""Delivers what lies in the outbox: at least once each, signed, tried again with growing pauses.

Whether a message that got no answer has arrived can't be known, so it is sent again with the same delivery id, by which
the receiver recognises it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from flagconsole.domain.playbook_run import Delivery, DeliveryStatus
from flagconsole.domain.text import safe_text
from flagconsole.operations.fence import Fence
from flagconsole.rollout.message import MOST_ATTEMPTS, pause_after, send
from flagconsole.rollout.response import Response
from flagconsole.store.protocol import Store

if TYPE_CHECKING:
    import httpx

_BATCH: Final = 50


class Outbox:
    """Delivers the entries of one store."""

    def __init__(
        self,
        store: Store,
        response: Response,
        connection: httpx.AsyncClient,
        *,
        fence: Fence,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._response = response
        self._connection = connection
        self._fence = fence
        self._draw = draw

    async def tick(self) -> int:
        """Try everything that is due, once. Returns how many arrived. Raises ``LeaseLost`` where another delivers."""
        async with self._store.read() as reader:
            now = await reader.now()
            due = await reader.due_deliveries(now, _BATCH)
        arrived = 0
        for delivery in due:
            problem = await self._send(delivery, now)
            await self._record(delivery, problem)
            arrived += problem is None
        return arrived

    async def _send(self, delivery: Delivery, now: datetime) -> str | None:
        """Send it; what went wrong, or None where the receiver took it."""
        destination = self._response.destinations.get(delivery.destination or "")
        if destination is None:
            return f"the destination {safe_text(delivery.destination, 100)} is not configured any more"
        sent = await send(self._connection, destination, delivery.delivery_id, delivery.payload, delivery.secret, now)
        return sent.problem

    async def _record(self, delivery: Delivery, problem: str | None) -> None:
        async with self._store.write() as tx:
            await self._fence.check(tx)
            now = await tx.now()
            attempts = delivery.attempts + 1
            fields: dict[str, Any] = {"attempts": attempts, "problem": problem or ""}
            if problem is None:
                fields |= {"status": DeliveryStatus.DELIVERED, "delivered_at": now}
            elif attempts >= MOST_ATTEMPTS:
                fields |= {"status": DeliveryStatus.GIVEN_UP, "next_try_at": now}
            else:
                fields["next_try_at"] = now + timedelta(seconds=pause_after(attempts, self._draw()))
            await tx.save_delivery(delivery.model_copy(update=fields))
