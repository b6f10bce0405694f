"""The fan-out of the stream: frames are encoded once and handed to every client's own bounded queue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from enum import StrEnum
from typing import Final

from flagconsole.server.projection import frame

#: Frames that may wait for one client before it is closed as too slow.
QUEUE_LIMIT: Final = 1_000
#: A client that was closed comes back within this time, milliseconds.
RETRY_MS: Final = 500
#: Those of a server that goes away, or is lost, come back within so much for each of them: two thousand over twelve seconds, so that
#: no second sees more than 15 % of them however long the server was away.
RETRY_MS_EACH: Final = 6
MOST_RETRY_MS: Final = 30_000
#: The receipts of one change come within so much for each client: a receipt costs 0.2 ms here, and the first third of the time
#: belongs to the change itself.
RECEIPT_MS_EACH: Final = 0.3
#: So many clients hold up nobody, and report at once.
FEW: Final = 9
MOST_RECEIPT_MS: Final = 1_000
#: A line that keeps a connection open and that every client passes over.
COMMENT: Final = b":\n\n"


class Topic(StrEnum):
    """What a client may ask for besides changes and heartbeats."""

    RECEIPTS = "receipts"
    INCIDENTS = "incidents"
    ROLLOUTS = "rollouts"


class Channel(StrEnum):
    """Whose frames a stream carries: our own, or those of a protocol that others' clients speak."""

    OWN = "own"
    OFREP = "ofrep"
    UNLEASH = "unleash"


class Subscription:
    """One client's place in the hub."""

    __slots__ = (
        "_task",
        "_waiting",
        "_wake",
        "_write",
        "channel",
        "ending",
        "instance_id",
        "key_id",
        "tenant_id",
        "too_slow",
        "topics",
    )

    def __init__(
        self,
        *,
        topics: frozenset[Topic] = frozenset(),
        key_id: str | None,
        instance_id: str | None,
        channel: Channel = Channel.OWN,
        tenant_id: str | None = None,
    ) -> None:
        self.channel = channel
        self.topics = topics
        self.key_id = key_id
        self.instance_id = instance_id
        #: The tenant that the client's key is bound to.
        self.tenant_id = tenant_id
        # An asyncio.Queue is 2.4 KiB while it is empty, as nearly all are.
        self._waiting: list[bytes | None] = []
        self._wake: asyncio.Future[None] | None = None
        self._write: Callable[[bytes], bool] | None = None
        self.too_slow = False
        self.ending = False
        self._task: asyncio.Task[object] | None = None
        self.runs_in_this_task()

    def runs_in_this_task(self) -> None:
        """Whom to cancel where the client is too slow."""
        self._task = asyncio.current_task()

    def writes_by(self, write: Callable[[bytes], bool]) -> None:
        """Hand chunks to ``write`` as long as nothing waits; it returns whether it took the chunk. Waking a task for each client and
        frame is two thirds of what a fan-out costs."""
        self._write = write

    def offer(self, data: bytes | None, chunk: bytes | None = None) -> None:
        """Send a frame at once or queue it (None ends the stream). ``chunk`` is the same frame as it is written in an answer of
        unknown length. A client whose queue is full is closed; no frame is ever skipped."""
        if chunk is not None and self._write is not None and self._rests() and self._write(chunk):
            return
        if len(self._waiting) >= QUEUE_LIMIT:
            self.too_slow = True
            if self._task is not None:
                self._task.cancel()
            return
        self._waiting.append(data)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _rests(self) -> bool:
        """Whether all frames so far have been sent, and the task that sends them waits for the next."""
        return self._wake is not None and not self._wake.done()

    def is_waited_for(self) -> bool:
        """Whether frames wait for the client."""
        return bool(self._waiting)

    async def next_batch(self) -> tuple[bytes, bool]:
        """The frames that wait, joined, and whether the stream goes on after them."""
        while not self._waiting:
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        parts, self._waiting, self._wake = self._waiting, [], None
        alive = None not in parts
        return b"".join(part for part in parts if part is not None), alive


class Hub:
    """All open streams."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        #: The same by whose rules they carry, and how.
        self._followers: dict[tuple[Channel, str | None], set[Subscription]] = {}
        #: The same by what else they asked for.
        self._readers: dict[Topic, set[Subscription]] = {topic: set() for topic in Topic}
        self.closing = False

    def __len__(self) -> int:
        return len(self._subscriptions)

    def join(self, subscription: Subscription) -> None:
        """Send this client everything that is published from now on."""
        self._subscriptions.add(subscription)
        self._followers.setdefault((subscription.channel, subscription.tenant_id), set()).add(subscription)
        for topic in subscription.topics:
            self._readers[topic].add(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Forget a client."""
        self._subscriptions.discard(subscription)
        of = subscription.channel, subscription.tenant_id
        followers = self._followers.get(of, set())
        followers.discard(subscription)
        if not followers:
            self._followers.pop(of, None)
        for topic in subscription.topics:
            self._readers[topic].discard(subscription)

    def wants(self, topic: Topic) -> bool:
        """Whether any client asked for the topic."""
        return bool(self._readers[topic])

    def publish(self, data: bytes, *, topic: Topic | None = None, channel: Channel = Channel.OWN) -> None:
        """Send a frame to every client of the channel, or to those of them that asked for the topic."""
        clients = self._subscriptions if topic is None else self._readers[topic]
        _send(data, tuple(client for client in clients if client.channel is channel))

    def publish_rules(self, data: bytes, tenant_id: str | None, *, channel: Channel = Channel.OWN) -> None:
        """Send a frame with rules to the channel's clients whose keys see them so: those of this tenant, or (None) those
        that are bound to none."""
        _send(data, tuple(self._followers.get((channel, tenant_id), ())))

    def tenants(self, channel: Channel = Channel.OWN) -> set[str | None]:
        """The tenants whose keys the channel's clients have; None for keys that are bound to none."""
        return {tenant for of, tenant in self._followers if of is channel}

    def close_key(self, key_id: str) -> None:
        """End the streams of one key."""
        for subscription in tuple(self._subscriptions):
            if subscription.key_id == key_id:
                _end(subscription, "key revoked")

    def retry_ms(self) -> int:
        """Over how long, in milliseconds, all clients should spread their return should they lose the server."""
        return min(max(RETRY_MS, RETRY_MS_EACH * len(self)), MOST_RETRY_MS)

    def receipt_ms(self) -> int:
        """Over how long, in milliseconds, the clients should spread the receipts of a change. A few needn't."""
        return 0 if len(self) <= FEW else min(int(RECEIPT_MS_EACH * len(self)), MOST_RECEIPT_MS)

    def close(self) -> None:
        """Say goodbye to everyone and end all streams."""
        self.closing = True
        retry_ms = self.retry_ms()
        for subscription in tuple(self._subscriptions):
            _end(subscription, "shutdown", retry_ms)

    async def follow(self, subscription: Subscription, first: Callable[[], bytes]) -> AsyncGenerator[bytes]:
        """The stream of one client: ``first()``, and from then on everything that is published, until it is ended.

        It runs in the task that sends it, which is cancelled where the client is too slow.
        """
        subscription.runs_in_this_task()
        # No await between this and joining: what is published next is what follows it.
        begin = first()
        self.join(subscription)
        try:
            yield begin
            # A client that waits for hours must not hold what it was sent first: all flags.
            del begin, first
            alive = not self.closing
            while alive:
                batch, alive = await subscription.next_batch()
                yield batch
                del batch
        except asyncio.CancelledError:
            if not subscription.too_slow:
                raise
            yield _farewell(subscription, "too slow")
        finally:
            self.leave(subscription)


def _send(data: bytes, clients: tuple[Subscription, ...]) -> None:
    chunk = b"%x\r\n%b\r\n" % (len(data), data)
    for client in clients:
        client.offer(data, chunk)


def _end(subscription: Subscription, reason: str, retry_ms: int = RETRY_MS) -> None:
    """Whatever ends a stream may be told twice, by who did it and by who saw it in the store: one goodbye is said."""
    if not subscription.ending:
        subscription.ending = True
        subscription.offer(_farewell(subscription, reason, retry_ms))
        subscription.offer(None)


def _farewell(subscription: Subscription, reason: str, retry_ms: int = RETRY_MS) -> bytes:
    """The last frame. Other protocols have none: their clients see the stream end, and come back."""
    return goodbye(reason, retry_ms) if subscription.channel is Channel.OWN else COMMENT


def goodbye(reason: str, retry_ms: int = RETRY_MS) -> bytes:
    """The last frame of our own streams."""
    return frame("goodbye", json.dumps({"reason": reason, "retry_ms": retry_ms}))
