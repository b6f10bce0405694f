"""The footer offers what does something here and now, however much room there is."""

from __future__ import annotations

from typing import Any

Console = Any


async def test_the_footer_offers_only_what_can_be_done_to_this_flag_now(server: Any, open_console: Console) -> None:
    server.rollout_of("pos.loyalty_points")
    server.look("pos.loyalty_points", server.verdict("pos.loyalty_points"), silent=True)
    async with open_console((200, 50)) as console:

        async def offered(flag_name: str) -> str:
            await console.press("/")
            await console.type(flag_name)
            await console.press("enter")
            assert console.app.state.selected == flag_name
            return console.rows()[-1]

        under_way = await offered("pos.loyalty_points")
        assert "P promote  H hold" in under_way
        for gone in ("V revive", "B begin", "U undo", "next problem"):
            assert gone not in under_way, "its rollout is under way, nothing is killed, was done, or needs attention"
        await console.press("escape")
        without = await offered("pos.lite")
        assert "B begin rollout" in without
        for gone in ("P promote", "H hold", "V revive"):
            assert gone not in without
        await console.press("K", "1", "Y")
        await console.until("ACCEPTED")
        await console.press("x")
        await console.until(lambda: "V revive" in console.rows()[-1] and "! next problem" in console.rows()[-1])
        killed = console.rows()[-1]
        assert "U undo" in killed
        assert "S set" not in killed
        assert "B begin" not in killed
        await console.press("S")
        await console.until("is killed: only a revive (V) clears that")
        console.clock.now += 61
        await console.until(lambda: "U undo" not in console.rows()[-1])
