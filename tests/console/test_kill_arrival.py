"""A kill that hasn't arrived is seen on the fleet at once, in whichever way it was made, and until everybody has confirmed it."""

from __future__ import annotations

from typing import Any

import pytest

from flagconsole.console.actions import PARTIAL_AFTER

Console = Any
NAME = "pos.loyalty_points"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_bar_row_and_pane_say_who_has_not_confirmed(
    open_console: Console, server: Any, size: tuple[int, int]
) -> None:
    async with open_console(size=size) as console:
        assert "SDK 12/12" in console.rows()[0]
        await console.press("/")
        await console.type(NAME)
        await console.press("enter")
        server.change(NAME, "kill", action="killed", reason="third")
        server.incident_of(NAME)
        names = list(server.instances_by_id)
        await console.until("! KILL 0/12")
        assert "KILL 0/12" in next(row for row in console.rows() if row.startswith(f"▶ {NAME}"))
        assert "SDK 12/12" not in console.rows()[0], "they are heard from, but have not the revision beside it"
        await console.until("PROPAGATING")
        for name in names[1:]:
            server.confirm(name)
        await console.until("KILL 11/12")
        console.clock.now += PARTIAL_AFTER + 1
        server.beat()
        await console.until("PARTIAL")
        assert names[0] in console.screen(), "who is behind is named without a further key"
        server.confirm(names[0])
        await console.until("SDK 12/12")
        assert "KILL 1" not in console.screen()
