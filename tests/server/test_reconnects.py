"""How the clients of a server that was lost, or that ends, come back: spread, so that it isn't lost again by that."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from flagconsole.client.backoff import Backoff
from flagconsole.client.frames import Goodbye, Heartbeat, frame_of
from flagconsole.server.hub import Hub, Subscription

CLIENTS = 2_000


def spread_over(seconds: float, away: float, dice: random.Random) -> Counter[int]:
    """How many come in each second after a server that was ``away`` for so long is there again, all having lost it at once."""
    arrived: Counter[int] = Counter()
    for _ in range(CLIENTS):
        backoff = Backoff(draw=dice.random)
        at = backoff.next(seconds)
        while at < away:
            at += backoff.next(seconds)
        arrived[int(at - away)] += 1
    return arrived


@pytest.fixture
async def hub():
    hub = Hub()
    for number in range(CLIENTS):
        hub.join(Subscription(key_id="k", instance_id=f"i{number}"))
    return hub


@pytest.mark.parametrize("away", [0, 1, 3, 8, 11, 20, 60])
async def test_no_second_sees_more_than_15_percent_however_long_it_was_away(hub, away):
    for seed in range(3):
        arrived = spread_over(hub.retry_ms() / 1000, away, random.Random(seed))
        assert arrived.total() == CLIENTS
        assert max(arrived.values()) <= 0.15 * CLIENTS
        assert max(arrived) <= 30  # the longest that anybody waits once more


async def test_who_is_told_goodbye_is_told_the_same(hub):
    [one, *_] = hub._subscriptions
    hub.close()
    said, alive = await one.next_batch()
    assert not alive
    fields = dict(line.split(": ", 1) for line in said.decode().strip().splitlines())
    assert frame_of(fields["event"], "", fields["data"]) == Goodbye("shutdown", 12_000)


async def test_a_few_come_back_at_once(hub):
    small = Hub()
    assert small.retry_ms() == 500
    heartbeat = json.dumps({"epoch": "e", "revision": 1, "now": 1.0, "retry_ms": hub.retry_ms()})
    assert frame_of("heartbeat", "", heartbeat) == Heartbeat("e", 1, 1.0, 12_000)
