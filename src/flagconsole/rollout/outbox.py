"""Delivers what lies in the outbox: at least once each, signed, tried again with growing pauses.

Whether a message that got no answer has arrived can't be known, so it is sent again with the same delivery id, by which
the receiver recognises it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.playbook_run import Delivery, DeliveryStatus
from flagconsole.domain.text import safe_text
from flagconsole.operations.fence import Fence
from flagconsole.rollout.response import Destination, Response, secret_of
from flagconsole.rollout.signature import signed_headers
from flagconsole.store.protocol import Store

if TYPE_CHECKING:
    import httpx

#: The pause after the first failure, seconds; it doubles up to the longest one, with jitter of up to half of it.
FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 600.0
#: After so many tries (about three hours) a delivery is given up, which the incident's timeline says.
MOST_ATTEMPTS: Final = 25
TIMEOUT_SECONDS: Final = 10.0
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
        from httpx import HTTPError

        destination = self._response.destinations.get(delivery.destination or "")
        if destination is None:
            return f"the destination {safe_text(delivery.destination, 100)} is not configured any more"
        body = json.dumps(_body(destination, delivery), ensure_ascii=False).encode("utf-8", "replace")
        try:
            secret = secret_of(delivery.secret)
            headers = signed_headers(secret, int(now.timestamp()), body, delivery.delivery_id)
            answer = await self._connection.post(
                destination.url, content=body, headers=headers, timeout=TIMEOUT_SECONDS
            )
        except InvalidInput as error:
            return str(error)
        except HTTPError as error:
            return f"{type(error).__name__}: {safe_text(error, 200)}"
        return None if answer.is_success else f"HTTP status {answer.status_code}"

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
                fields["next_try_at"] = now + timedelta(seconds=self._pause(attempts))
            await tx.save_delivery(delivery.model_copy(update=fields))

    def _pause(self, attempts: int) -> float:
        full = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (attempts - 1))
        return full * (0.5 + self._draw() / 2)


def _body(destination: Destination, delivery: Delivery) -> dict[str, Any]:
    if destination.kind == "slack":
        return {"text": _slack_text(str(delivery.payload.get("text", "")))}
    return {"delivery_id": delivery.delivery_id, **delivery.payload}


def _slack_text(text: str) -> str:
    """Slack reads ``&``, ``<`` and ``>`` as markup: outside text must not become a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
