"""The fleet's cursor: on what is most urgent when the console begins, and from the first key on where the user put it."""

from __future__ import annotations

import asyncio
from typing import Any

from flagconsole.domain.verdict import VerdictKind

Console = Any
#: An old flag: it stands low among those whose rollouts aren't known.
FAILING = "pos.lite"


def failing(server: Any) -> None:
    server.rollout_of(FAILING)
    server.look(FAILING, server.verdict(FAILING, VerdictKind.FAIL), silent=True)


async def test_it_begins_on_what_is_most_urgent(open_console: Console, server: Any) -> None:
    failing(server)
    async with open_console() as console:
        await console.until(lambda: console.app.state.caught_up)
        assert console.app.state.selected == FAILING
        assert console.rows()[2].startswith(f"▶ {FAILING}")


async def test_a_cursor_that_was_touched_stays(open_console: Console, server: Any) -> None:
    failing(server)
    told, rollouts = asyncio.Event(), server.rollouts

    async def later(**more: Any) -> Any:
        await told.wait()
        return await rollouts(**more)

    server.rollouts = later
    async with open_console() as console:
        await console.press("j")
        here = console.app.state.selected
        told.set()
        await console.until(lambda: console.app.state.caught_up)
        assert console.app.state.selected == here != FAILING


async def test_what_becomes_urgent_later_takes_no_cursor_along(open_console: Console, server: Any) -> None:
    for name in (FAILING, "pos.loyalty_points"):  # what was changed last is on top
        server.rollout_of(name)
        server.look(name, server.verdict(name), silent=True)
    async with open_console() as console:
        await console.until(lambda: console.app.state.caught_up)
        here = console.app.state.selected
        server.look(FAILING, server.verdict(FAILING, VerdictKind.FAIL))
        await console.until(lambda: FAILING in console.app.state.problems)
        await console.until(lambda: console.rows()[2].startswith(f"  {FAILING}"))
        assert console.app.state.selected == here


async def test_the_exclamation_mark_goes_to_what_hurts_most_and_then_on(open_console: Console, server: Any) -> None:
    server.change("invoices.write", "kill", action="killed", reason="old", silent=True)
    failing(server)
    async with open_console() as console:
        await console.until(lambda: console.app.state.caught_up and len(console.app.state.problems) >= 2)
        await console.press("G", "!")
        assert console.app.state.selected == FAILING
        await console.press("!")
        assert console.app.state.selected == "invoices.write"
        await console.press("!")
        assert console.app.state.selected == FAILING
        await console.press("!", "j", "!")
        assert console.app.state.selected == FAILING  # somebody went elsewhere: it begins anew
