"""The console and its cache together: what is shown before the server answers, and what is kept of what it says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from flagconsole.console import cache
from flagconsole.console.keeper import Keeper
from flagconsole.domain.errors import Unreachable

Console = Any


async def first_console(open_console: Console, path: Path) -> None:
    async with open_console(keeper=Keeper(path)) as console:
        console.server.change("pos.lite", "on", reason="by an event")
        await console.until("by an event")


async def test_the_next_start_shows_what_was_kept_and_how_old_it_is(open_console: Console, tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    await first_console(open_console, path)
    found = cache.read(path)
    assert found is not None
    assert found.revision == 8
    assert {"flags", "instances", "tenants", "history"} <= found.fetched_at.keys()

    server = Unreachable(url="http://flags-eu1:8765", problem="refused")
    async with open_console(live=False, keeper=Keeper(path), unreachable=server, later=7200) as console:
        await console.until("OFFLINE · READ-ONLY · nothing is queued")
        screen = console.screen()
        assert "pos.lite" in screen
        assert "by an event" in screen
        assert "the cache of 03:07:31Z, 2h00m old" in screen
        assert "○ OFFLINE 2h00m" in console.rows()[0]
        assert "SDK ?" in console.rows()[0]  # who has confirmed the event's revision came after it, if at all
        assert "LIVE" not in screen
        await console.press("K")
        assert "KILL not sent" in console.screen()
        console.server.fetch_failures = []
        await console.press("r")
        await console.until("● LIVE")
        await console.until(lambda: "OFFLINE" not in console.screen())
        assert "SDK 0/12" in console.rows()[0]


async def test_while_connecting_the_data_is_told_as_the_caches(open_console: Console, tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    await first_console(open_console, path)
    never = asyncio.Event()
    async with open_console(live=False, keeper=Keeper(path), wait_for=never.wait, later=90) as console:
        await console.until("pos.lite")
        assert "○ CACHE 1m30s" in console.rows()[0]
        assert "NOT CONNECTED YET" not in console.screen(), "most servers answer at once: nothing jumps for them"
        await console.press("K", "1", "Y")
        assert "there is no connection yet" in console.screen()
        # Tenants are read behind the first paint; then reach and impact are counted from them.
        known = cache.read_part(path, "tenants")
        await console.until(lambda: len(console.app.state.tenants) == len(known) > 0)
        await console.until(lambda: "pos.lite" in console.app.state.reach)
        assert console.app.state.reach["pos.lite"].tenants == len(known)
        impact = lambda: console.app.impact_of(console.app.state.selected)  # noqa: E731
        await console.until(lambda: impact() is not None and impact().blast.tenants == len(known))
        console.clock.now += 2
        await console.until("NOT CONNECTED YET · READ-ONLY · nothing is queued")
        assert console.server.requests == []


async def test_an_older_server_is_never_shown_over_a_newer_cache(open_console: Console, tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    await first_console(open_console, path)
    async with open_console(live=False, keeper=Keeper(path), behind=1) as console:
        await console.until("server at rev 7, behind 8")
        assert console.app.state.revision == 8
        assert "by an event" in console.screen()


async def test_a_broken_cache_is_said_once_and_can_be_put_away(open_console: Console, tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    path.write_bytes(b"nonsense" * 1000)
    async with open_console(keeper=Keeper(path)) as console:
        await console.until("! the cache is damaged")
        assert "and was moved aside: it begins anew" in console.screen()
        assert cache.aside_of(path).exists()
        await console.press("x")
        await console.until(lambda: "damaged" not in console.screen())
        assert "▶ pos.loyalty_points" in console.screen()


async def test_a_large_cache_is_read_after_the_first_paint(
    open_console: Console, tmp_path: Path, monkeypatch: Any
) -> None:
    path = tmp_path / "cache.db"
    await first_console(open_console, path)
    monkeypatch.setattr(cache, "READ_AT_ONCE", 10)
    server = Unreachable(url="http://flags-eu1:8765", problem="refused")
    async with open_console(live=False, keeper=Keeper(path), unreachable=server) as console:
        await console.until("by an event")
        await console.until("OFFLINE")


async def test_hostile_text_of_a_cache_reaches_no_terminal(open_console: Console, tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    async with open_console(keeper=Keeper(path)) as console:
        console.server.change("pos.lite", "on", reason="\x1b]52;c;ZXZpbA==\x07 \u202e[red]x[/red]", who="me\x9b2J")
        await console.until("\\u{1b}]52")
    server = Unreachable(url="http://flags-eu1:8765", problem="refused")
    async with open_console((200, 50), live=False, keeper=Keeper(path), unreachable=server) as console:
        await console.until("OFFLINE")
        assert "[red]x[/red]" in console.screen()
        assert not set("\x1b\x07\x9b\u202e") & set(console.screen())
