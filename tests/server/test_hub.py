"""The fan-out: at once where a client takes what it is sent, from its queue where it doesn't, and in order either way."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from flagconsole.server.hub import Hub, Subscription, Topic


def subscription(*topics: Topic) -> Subscription:
    return Subscription(topics=frozenset(topics), key_id=None, instance_id=None)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_frames_are_written_at_once_and_queued_behind_what_waits():
    hub, client = Hub(), subscription()
    written: list[bytes] = []
    took = True
    released, paused = asyncio.Event(), asyncio.Event()

    def write(data: bytes) -> bool:
        if took:
            written.append(data)
        return took

    async def send() -> None:
        """As a connection sends what the hub gives it, which may take a while."""
        async with aclosing(hub.follow(client, lambda: b"first")) as frames:
            async for data in frames:
                if data == b"slowand this":
                    paused.set()
                    await released.wait()
                written.append(data)
                client.writes_by(write)

    task = asyncio.create_task(send())
    await asyncio.sleep(0)
    hub.publish(b"at once")
    assert written[-1] == chunk(b"at once")
    took = False
    hub.publish(b"slow")
    took = True
    hub.publish(b"and this")  # what went before it waits
    async with asyncio.timeout(20):
        await paused.wait()
    hub.publish(b"last")  # the connection would take it, but what went before isn't sent yet
    assert written[-1] == chunk(b"at once")
    released.set()
    async with asyncio.timeout(20):
        while written[-1] != b"last":
            await asyncio.sleep(0)
    assert written == [b"first", chunk(b"at once"), b"slowand this", b"last"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_topic_goes_to_those_who_asked_and_is_wanted_while_they_are_there():
    hub = Hub()
    clients = {"asked": subscription(Topic.RECEIPTS), "did not": subscription()}
    assert not hub.wants(Topic.RECEIPTS)
    for client in clients.values():
        hub.join(client)
    hub.publish(b"x", topic=Topic.RECEIPTS)
    told = {name: [(await client.next_batch())[0]] for name, client in clients.items() if client.is_waited_for()}
    assert told == {"asked": [b"x"]}
    assert hub.wants(Topic.RECEIPTS)
    hub.leave(clients["asked"])
    assert not hub.wants(Topic.RECEIPTS)


async def test_a_few_report_at_once_and_many_over_a_third_of_a_millisecond_each():
    spread = {}
    for count in (9, 10, 1_000, 30_000):
        hub = Hub()
        for _ in range(count):
            hub.join(subscription())
        spread[count] = hub.receipt_ms()
    assert spread == {9: 0, 10: 3, 1_000: 300, 30_000: 1_000}
