"""The fan-out of the stream: frames are encoded once and handed to every client's own bounded queue."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from typing import Final

from flagconsole.server.projection import frame

#: Frames that may wait for one client before it is closed as too slow.
QUEUE_LIMIT: Final = 1_000
#: What a client that was closed should wait before it comes back, milliseconds.
RETRY_MS: Final = 500


class Topic(StrEnum):
    """What a client may ask for besides changes and heartbeats."""

    RECEIPTS = "receipts"
    INCIDENTS = "incidents"
    ROLLOUTS = "rollouts"


class Subscription:
    """One client's place in the hub."""

    __slots__ = ("_task", "instance_id", "key_id", "queue", "too_slow", "topics")

    def __init__(self, *, topics: frozenset[Topic], key_id: str | None, instance_id: str | None) -> None:
        self.topics = topics
        self.key_id = key_id
        self.instance_id = instance_id
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_LIMIT)
        self.too_slow = False
        self._task = asyncio.current_task()

    def offer(self, data: bytes | None) -> None:
        """Queue a frame (None ends the stream). A client whose queue is full is closed; no frame is ever skipped."""
        try:
            self.queue.put_nowait(data)
        except asyncio.QueueFull:
            self.too_slow = True
            if self._task is not None:
                self._task.cancel()

    async def next_batch(self) -> tuple[bytes, bool]:
        """The frames that wait, joined, and whether the stream goes on after them."""
        parts = [await self.queue.get()]
        while not self.queue.empty():
            parts.append(self.queue.get_nowait())
        alive = None not in parts
        return b"".join(part for part in parts if part is not None), alive


class Hub:
    """All open streams."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self.closing = False

    def __len__(self) -> int:
        return len(self._subscriptions)

    def join(self, subscription: Subscription) -> None:
        """Send this client everything that is published from now on."""
        self._subscriptions.add(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Forget a client."""
        self._subscriptions.discard(subscription)

    def publish(self, data: bytes, *, topic: Topic | None = None) -> None:
        """Queue a frame for every client, or for those that asked for the topic."""
        for subscription in tuple(self._subscriptions):
            if topic is None or topic in subscription.topics:
                subscription.offer(data)

    def close_key(self, key_id: str) -> None:
        """End the streams of one key."""
        for subscription in tuple(self._subscriptions):
            if subscription.key_id == key_id:
                subscription.offer(goodbye("key revoked"))
                subscription.offer(None)

    def close(self) -> None:
        """Say goodbye to everyone and end all streams."""
        self.closing = True
        for subscription in tuple(self._subscriptions):
            subscription.offer(goodbye("shutdown"))
            subscription.offer(None)


def goodbye(reason: str) -> bytes:
    """The last frame of a stream."""
    return frame("goodbye", json.dumps({"reason": reason, "retry_ms": RETRY_MS}))
