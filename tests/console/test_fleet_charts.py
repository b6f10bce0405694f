"""The fleet's charts follow the cursor, and are there only where rows enough are left."""

from __future__ import annotations

from typing import Any

from .fake_rollouts import calm
from .kept_past import past_is_kept

Console = Any


async def test_they_follow_the_cursor_and_give_way_to_a_sheet(open_console: Console, server: Any) -> None:
    for name in ("pos.loyalty_points", "pos.lite"):
        server.rollout_of(name)
        server.moving[name] = calm
    async with open_console((120, 40)) as console:
        await console.until("error rate %  pos.loyalty_points")
        await console.until("canary 0.34")
        await console.press("j")
        here = console.app.state.selected
        await console.until(f"error rate %  {here}")
        assert "error rate %  pos.loyalty_points" not in console.screen()
        await console.press("K")
        await console.until("nothing sent yet")
        assert "error rate %" not in console.screen()


async def test_a_small_screen_has_rows_instead(open_console: Console, server: Any) -> None:
    async with open_console((120, 36)) as console:
        await console.press("j", "k")
        await console.until("MEASURED")
        assert "error rate %" not in console.screen()


async def test_in_the_past_they_say_that_nothing_is_kept(open_console: Console, server: Any, tmp_path: Any) -> None:
    from flagconsole.console.keeper import Keeper

    keeper = Keeper(tmp_path / "cache.db")
    async with open_console((120, 40), keeper=keeper) as console:
        await console.until(lambda: past_is_kept(console))
        await console.press("T")
        await console.until("TIME TRAVEL")
        await console.until("measurements of back then aren't")
