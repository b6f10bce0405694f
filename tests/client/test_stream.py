"""The stream comes back by itself, whatever the other side does, and never raises."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flagconsole.client import straight_stream
from flagconsole.client import stream as stream_module
from flagconsole.client.backoff import Backoff
from flagconsole.client.connection import trusted
from flagconsole.client.event_reader import EventReader
from flagconsole.client.route import straight_to
from flagconsole.client.stream import (
    ChangeFrame,
    Connected,
    Disconnected,
    Goodbye,
    Heartbeat,
    ReceiptFrame,
    Snapshot,
    Stream,
)

from ..fake_server import KEY, Answer, FakeServer, problem

STRAIGHT = False


@pytest.fixture(params=["by httpx", "straight"], autouse=True)
def way(request, monkeypatch):
    """Everything holds on both ways to a server."""
    monkeypatch.setitem(globals(), "STRAIGHT", request.param == "straight")


@asynccontextmanager
async def following(server: FakeServer, **options: Any) -> AsyncIterator[Callable[[int], Any]]:
    """A stream without waits between attempts, and how to take its next events."""
    options.setdefault("draw", lambda: 0.0)
    if STRAIGHT:
        route, told = straight_to(server.url, KEY, trusted(server.url)), asyncio.Queue()
        task = asyncio.create_task(Stream(server.url, KEY, route=route, **options).follow(told.put_nowait))

        async def take_told(count: int) -> list[Any]:
            async with asyncio.timeout(10):
                return [await told.get() for _ in range(count)]

        yield take_told
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        return
    events = Stream(server.url, KEY, **options).events()

    async def take(count: int) -> list[Any]:
        async with asyncio.timeout(10):
            return [await anext(events) for _ in range(count)]

    yield take
    await events.aclose()


async def test_every_kind_of_event(server):
    def greet(stream):
        server.beat(stream, now=12.5)
        stream.send("snapshot", server.snapshot(), "e5:1")
        stream.send("change", '{"x":1}', "e5:2")
        stream.send("receipt", '{"instance_id":"i"}')
        stream.send("of-the-future", "{}")
        stream.send("goodbye", {"reason": "shutting down", "retry_ms": 0})

    server.greet = greet
    async with following(server, instance="i-1", service="bill\ning", sdk_version="python-1") as take:
        events = await take(7)
    assert events[:-1] == [
        Connected(),
        Heartbeat("e5", 1, 12.5),
        Snapshot("e5", 1, server.snapshot()),
        ChangeFrame("e5", 2, '{"x":1}'),
        ReceiptFrame('{"instance_id":"i"}'),
        Goodbye("shutting down", 0),
    ]
    assert events[-1] == Disconnected("the server said goodbye: shutting down", 0.0)
    headers = server.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["x-flagconsole-instance"] == "i-1"
    assert headers["x-flagconsole-service"] == "bill%0Aing"
    assert headers["x-flagconsole-sdk"] == "python-1"
    assert "last-event-id" not in headers


async def test_it_continues_from_the_position_asked_at_each_connection(server):
    server.greet = lambda stream: stream.cut()
    positions = iter([None, ("e5", 7), ("ümlaut\n", 8)])
    async with following(server, position=lambda: next(positions), include_receipts=True) as take:
        await take(6)
    sent = [asked.headers.get("last-event-id") for asked in server.requests]
    assert sent == [None, "e5:7", None]
    assert server.requests[1].headers["x-flagconsole-position"] == "e5:7"
    assert server.requests[0].path == "/api/stream?include=receipts"


@pytest.mark.parametrize(
    ("bytes_sent", "said"),
    [
        (b"event: change\nid: nonsense\ndata: {}\n\n", "a change that can't be understood"),
        (b"event: snapshot\nid: e5:-1\ndata: {}\n\n", "a snapshot that can't be understood"),
        (b"event: change\nid: e5:\xd9\xa1\ndata: {}\n\n", "a change that can't be understood"),
        (b"event: heartbeat\ndata: {}\n\n", "a heartbeat that can't be understood"),
        (b'event: heartbeat\ndata: {"epoch":"e","revision":1,"now":NaN}\n\n', "a heartbeat"),
        (b"event: heartbeat\ndata: " + b"[" * 50_000 + b"\n\n", "a heartbeat that can't be understood"),
        (b"event: goodbye\ndata: []\n\n", "a goodbye that can't be understood"),
        (b"data: \xff\xfe\n\n", "not UTF-8"),
    ],
)
async def test_a_bad_frame_ends_the_connection_and_nothing_else(server, bytes_sent, said):
    server.greet = lambda stream: stream.raw(bytes_sent)
    async with following(server) as take:
        connected, lost, again = await take(3)
    assert (connected, again) == (Connected(), Connected())
    assert said in lost.problem


async def test_events_survive_any_cutting_into_packets(server):
    whole = "".join(f"event: change\r\nid: e5:{number}\r\ndata: ä{number}\r\n\r\n" for number in range(2, 40)).encode()
    dice = random.Random(7)

    def greet(stream):
        rest = whole
        while rest:
            size = dice.randint(1, 9)
            stream.raw(rest[:size])
            rest = rest[size:]

    server.greet = greet
    async with following(server) as take:
        events = await take(39)
    assert events[1:] == [ChangeFrame("e5", number, f"ä{number}") for number in range(2, 40)]


@pytest.mark.parametrize(
    ("answer", "status", "code", "said"),
    [
        (problem(401, "unauthenticated", "No \x1b[2Jkey."), 401, "unauthenticated", "No \\u{1b}[2Jkey. Do."),
        (problem(503, "replica_behind", "Behind."), 503, "replica_behind", "Behind."),
        (Answer(502, "<html>Bad Gateway</html>"), 502, "unexpected_answer", "HTTP status 502"),
        (Answer(302, "", {"Location": "http://127.0.0.1:1/"}), 302, "unexpected_answer", "HTTP status 302"),
        (Answer(200, "<html>log in</html>", {"Content-Type": "text/html"}), None, None, "text/event-stream"),
        (Answer(200, "", {"Content-Type": "text/event-stream"}), None, None, "closed the stream"),
        (Answer(0), None, None, "disconnected"),
    ],
)
async def test_refusals_are_reported_and_tried_again(server, answer, status, code, said):
    server.answers["GET", "/api/stream"] = lambda asked: answer
    async with following(server, draw=lambda: 0.0) as take:
        (lost,) = await take(1)
        if isinstance(lost, Connected):
            (lost,) = await take(1)
    assert (lost.status, lost.code) == (status, code)
    assert said in lost.problem
    # What won't mend within moments is not asked for every few milliseconds.
    assert lost.retry_in == (stream_module.REFUSED_SECONDS if status == 401 else 0.0)


async def test_silence_is_noticed(server):
    server.greet = server.beat
    async with following(server, watchdog_seconds=0.1) as take:
        connected, beat, lost, again = await take(4)
    assert isinstance(beat, Heartbeat)
    assert lost.problem == "nothing was heard for 0.1 s"
    assert (connected, again) == (Connected(), Connected())


async def test_comments_do_not_keep_a_dead_stream_alive(server, monkeypatch):
    for module in (stream_module, straight_stream):
        monkeypatch.setattr(module, "EVENT_SECONDS", 0.3)

    def greet(stream):
        for at in range(100):
            stream._loop.call_soon_threadsafe(stream._loop.call_later, at * 0.02, stream._write, b": still here\n")

    server.greet = greet
    async with following(server, watchdog_seconds=0.25) as take:
        _, lost = await take(2)
    assert lost.problem.startswith("nothing was heard")


async def test_an_endless_event_is_refused(server, monkeypatch):
    for bounded in (stream_module.BoundedText, EventReader):
        monkeypatch.setattr(bounded.__init__, "__defaults__", (100_000,))
    server.greet = lambda stream: stream.raw(b"data: " + b"x" * 200_000)
    async with following(server) as take:
        _, lost = await take(2)
    assert "is larger than" in lost.problem


async def test_a_server_that_is_away_is_a_problem_not_an_error():
    events = Stream("http://127.0.0.1:9", KEY, draw=lambda: 0.0).events()
    async with asyncio.timeout(10):
        lost = [await anext(events) for _ in range(3)]
    await events.aclose()
    assert all(isinstance(event, Disconnected) and event.problem for event in lost)


@pytest.mark.parametrize(("url", "key"), [("ftp://x", KEY), ("http://127.0.0.1:1", "a\nb"), ("http://[::bad", KEY)])
async def test_an_impossible_address_is_a_problem_not_an_error(url, key):
    events = Stream(url, key, draw=lambda: 0.0).events()
    lost = await anext(events)
    await events.aclose()
    assert isinstance(lost, Disconnected)
    assert "must" in lost.problem


async def test_waits_grow_with_full_jitter_and_shrink_after_a_healthy_connection(server):
    server.answers["GET", "/api/stream"] = lambda asked: Answer(0)
    now = 0.0
    stream = Stream(server.url, KEY, draw=lambda: 1.0, clock=lambda: now)
    events = stream.events()
    waits = []
    async with asyncio.timeout(10):
        for _ in range(9):
            stream.reconnect_now()
            lost = await anext(events)
            waits.append(lost.retry_in)
            asyncio.get_running_loop().call_soon(stream.reconnect_now)
        assert waits == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]

        del server.answers["GET", "/api/stream"]
        server.greet = server.beat
        asyncio.get_running_loop().call_soon(stream.reconnect_now)
        assert await anext(events) == Connected()
        assert isinstance(await anext(events), Heartbeat)
        now += stream_module.HEALTHY_SECONDS - 1
        server.streams[0].cut()
        assert (await anext(events)).retry_in == 30
        asyncio.get_running_loop().call_soon(stream.reconnect_now)
        assert await anext(events) == Connected()
        assert isinstance(await anext(events), Heartbeat)
        now += stream_module.HEALTHY_SECONDS
        server.streams[0].cut()
        assert (await anext(events)).retry_in == 0.25
    await events.aclose()


async def test_after_a_goodbye_the_fleet_returns_spread_over_the_time_asked_for(server):
    server.greet = lambda stream: stream.send("goodbye", {"reason": "bye\x1b", "retry_ms": 4000})
    async with following(server, draw=lambda: 0.5) as take:
        _, goodbye, lost = await take(3)
    assert goodbye == Goodbye("bye\\u{1b}", 4000)
    assert lost.retry_in == 2.0


async def test_after_a_loss_too_and_further_apart_with_each_attempt_unless_a_person_waits(server):
    server.greet = lambda stream: server.beat(stream, retry_ms=12_000)
    for options, waits in (({}, [12, 24, 30, 30]), ({"impatient": True}, [0.5, 1, 2, 4])):
        stream = Stream(server.url, KEY, draw=lambda: 1.0, **options)
        events = stream.events()
        async with asyncio.timeout(20):
            assert await anext(events) == Connected()
            assert (await anext(events)).retry_ms == 12_000
            server.answers["GET", "/api/stream"] = lambda asked: Answer(0)
            server.streams[0].cut()
            for wait in waits:
                assert (await anext(events)).retry_in == wait
                asyncio.get_running_loop().call_soon(stream.reconnect_now)
        await events.aclose()
        del server.answers["GET", "/api/stream"]


def test_backoff_draws_from_nothing_up_to_the_bound():
    dice = random.Random(3)
    backoff = Backoff(draw=dice.random)
    waits = [backoff.next() for _ in range(200)][8:]
    assert min(waits) < 1
    assert 29 < max(waits) <= 30
    backoff.reset()
    assert backoff.next() <= 0.25


async def test_closing_in_the_middle_of_a_wait_is_immediate(server):
    server.answers["GET", "/api/stream"] = lambda asked: Answer(0)
    events = Stream(server.url, KEY, draw=lambda: 1.0).events()
    await anext(events)

    async def go_on():
        await anext(events)

    waiting = asyncio.create_task(go_on())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await events.aclose()
