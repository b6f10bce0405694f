"""Keeping the view model true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from flagconsole.client.stream import Heartbeat, Snapshot
from flagconsole.console.clock import Clock
from flagconsole.console.feed import FLUSH, Feed
from flagconsole.console.state import ConsoleState, Phase
from flagconsole.domain.errors import Unauthenticated, Unreachable


class Host:
    """Counts what is published, and like the app makes a state of its own from each."""

    def __init__(self) -> None:
        self.state = ConsoleState()
        self.published: list[tuple[int, frozenset[str]]] = []

    def publish(self, state: ConsoleState, changed: frozenset[str]) -> None:
        self.state = replace(state, ledger=())
        self.published.append((state.revision, changed))

    @property
    def seen(self) -> int:
        """The newest revision that was published."""
        return self.published[-1][0] if self.published else -1


@pytest.fixture
def following(server: Any) -> Callable[[], Any]:
    @asynccontextmanager
    async def run() -> AsyncIterator[tuple[Host, Feed]]:
        host = Host()
        feed = Feed(server, server.stream, host, Clock())
        task = asyncio.create_task(feed.run())
        try:
            yield host, feed
        finally:
            task.cancel()
            async with asyncio.timeout(10):
                await asyncio.gather(task, return_exceptions=True)

    return run


async def until(holds: Callable[[], Any], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.002)


async def test_first_fetch_fills_everything(server: Any, following: Any) -> None:
    async with following() as (host, _):
        await until(lambda: host.state.connection.phase is Phase.LIVE)
        state = host.state
        assert len(state.flags) == 6
        assert len(state.tenants) == 500
        assert len(state.instances) == 12
        assert len(state.history) == 7
        assert (state.connection.role, state.connection.may_administer) == ("admin", True)


async def test_burst_is_published_a_few_times_with_all_names(server: Any, following: Any) -> None:
    async with following() as (host, _):
        await until(lambda: server.streams)
        before = len(host.published)
        begun = asyncio.get_running_loop().time()
        for number in range(300):
            server.change(("pos.lite", "billing.retry")[number % 2], "off", reason=str(number))
        await until(lambda: host.seen == server.revision)
        took = asyncio.get_running_loop().time() - begun
        assert len(host.published) - before <= took / FLUSH + 2, "at most ten a second"
        names = frozenset().union(*(changed for _, changed in host.published[before:]))
        assert {"pos.lite", "billing.retry"} <= names


async def test_single_event_is_published_at_once(server: Any, following: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with following() as (host, feed):
        await until(lambda: server.streams and feed._inflow._flushing is not None and feed._inflow.quiet)
        monkeypatch.setattr("flagconsole.console.feed.FLUSH", 3600.0)
        server.change("pos.lite", "on")
        await until(lambda: host.seen == server.revision)


async def test_a_change_that_is_missing_from_a_burst_is_fetched(server: Any, following: Any) -> None:
    async with following() as (host, _):
        await until(lambda: server.streams)
        for number in range(30):
            server.change("pos.lite", "off", reason=str(number))
        server.change("billing.retry", "kill", silent=True)
        server.change("pos.lite", "on", reason="behind the gap")
        await until(lambda: host.seen == server.revision)
        assert host.state.flags["billing.retry"].state.value == "kill"
        assert host.state.flags["pos.lite"].state.value == "on"


@pytest.mark.parametrize("burst", [0, 30], ids=["after a quiet while", "in a burst"])
async def test_where_what_is_missing_cannot_be_fetched_nothing_is_shown_as_fresh(
    server: Any, following: Any, burst: int
) -> None:
    async with following() as (host, feed):
        await until(lambda: server.greeted and feed._inflow.quiet)
        server.fetch_failures = [Unreachable(url="http://x", problem="refused")]
        for number in range(burst):
            server.change("pos.lite", "off", reason=str(number))
        server.change("billing.retry", "kill", silent=True)
        server.change("pos.lite", "on")
        await until(lambda: host.state.connection.phase is Phase.OFFLINE)
        assert host.state.flags["billing.retry"].state.value == "on"
        server.fetch_failures = []
        feed.reconnect()
        await until(lambda: host.seen == server.revision and host.state.connection.phase is Phase.LIVE)
        assert host.state.flags["billing.retry"].state.value == "kill"


async def test_a_heartbeat_is_taken_after_what_came_before_it(server: Any, following: Any) -> None:
    async with following() as (host, feed):
        await until(lambda: server.greeted and feed._inflow.quiet)
        # Nothing is missing, so a listing is neither fetched nor to be had.
        server.fetch_failures = [Unreachable(url="http://x", problem="refused")]
        for number in range(5):
            server.change("pos.lite", "off", reason=str(number))
            server.send(Heartbeat("e1", server.revision, 0.0))
            server.send(Heartbeat("e1", server.revision, 0.0))
        await until(lambda: host.seen == server.revision)
        assert host.state.connection.phase is Phase.LIVE


async def test_snapshot_fetches_the_listing(server: Any, following: Any) -> None:
    async with following() as (host, _):
        await until(lambda: server.streams)
        server.change("pos.lite", "on", silent=True)
        server.send(Snapshot("e1", server.revision, "{}"))
        await until(lambda: host.seen == server.revision)
        assert host.state.flags["pos.lite"].state.value == "on"


@pytest.mark.parametrize(
    "error", [Unreachable(url="http://x", problem="refused"), Unauthenticated()], ids=["away", "key"]
)
async def test_failed_fetch_is_offline_and_tried_again_on_demand(server: Any, following: Any, error: Any) -> None:
    server.fetch_failures = [error]
    async with following() as (host, feed):
        await until(lambda: host.state.connection.phase is Phase.OFFLINE)
        assert host.state.connection.problem
        assert host.state.connection.retry_at is not None
        server.fetch_failures = []
        feed.reconnect()
        await until(lambda: host.state.connection.phase is Phase.LIVE)


async def test_a_feed_that_is_ended_while_it_reconnects_ends(server: Any, following: Any) -> None:
    async with following() as (_, feed):
        await until(lambda: server.greeted and feed._inflow.quiet)
        feed.reconnect()


async def test_lost_connection_keeps_what_is_known(server: Any, following: Any) -> None:
    async with following() as (host, feed):
        await until(lambda: server.streams)
        server.cut("reset", 30.0)
        await until(lambda: host.state.connection.phase is Phase.OFFLINE)
        assert len(host.state.flags) == 6
        server.change("pos.lite", "on", silent=True)
        feed.reconnect()
        await until(lambda: host.seen == server.revision)
        assert host.state.connection.phase is Phase.LIVE


async def test_change_of_our_own_that_the_stream_never_brings_is_fetched(
    server: Any, following: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flagconsole.console.feed.CATCH_UP", 0.0)
    async with following() as (host, feed):
        await until(lambda: server.streams)
        change = server.change("pos.lite", "kill", silent=True)
        await feed.catch_up("e1", change.change_id)
        assert host.state.flags["pos.lite"].state.value == "kill"


async def test_after_a_burst_nothing_is_painted_any_more(server: Any, following: Any) -> None:
    async with following() as (host, _):
        await until(lambda: server.streams)
        for number in range(20):
            server.change("pos.lite", "off", reason=str(number))
        await until(lambda: host.seen == server.revision)
        await asyncio.sleep(2.5 * FLUSH)  # what follows the burst is flushed by now
        before = len(host.published)
        await asyncio.sleep(5 * FLUSH)
        assert len(host.published) == before
