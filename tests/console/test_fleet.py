"""The fleet's cursor: on what is most urgent when the console begins, and from the first key on where the user put it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from flagconsole.client.stream import Connected
from flagconsole.console.app import ConsoleApp
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


def holding_rollouts_back(server: Any) -> asyncio.Event:
    """Let the server answer about rollouts only once the event is set."""
    told, rollouts = asyncio.Event(), server.rollouts

    async def later(**more: Any) -> Any:
        await told.wait()
        return await rollouts(**more)

    server.rollouts = later
    return told


async def test_rollouts_that_are_not_known_yet_are_told_as_such(open_console: Console, server: Any) -> None:
    server.rollout_of("pos.loyalty_points")
    server.look("pos.loyalty_points", server.verdict("pos.loyalty_points"), silent=True)
    told = holding_rollouts_back(server)
    async with open_console((120, 40), caught_up=False) as console:

        def own() -> str:
            row = next(row for row in console.rows()[2:] if row[2:].startswith("pos.loyalty_points"))
            return " ".join(row.split())

        assert "10% ? asking … ?" in own()
        assert "its rollout: asking …" in console.screen()
        await console.press("!")
        assert "rollouts and incidents: asking …" in console.screen()
        await console.press("3")
        assert "there has been no incident" not in console.screen()
        assert "incidents: asking …" in console.screen()
        await console.press("1")
        told.set()
        await console.until(lambda: "10% canary 10 ✓ PASS" in own())
        told.clear()
        server.cut(retry_in=0.0)
        await console.until("OFFLINE")
        assert "✓ PASS" in own(), "as it was when the connection was lost"
        server.send(Connected())
        await console.until("● LIVE")
        assert "10% ? asking … ?" in own(), "what was true before the connection isn't shown as true now"
        told.set()
        await console.until(lambda: "✓ PASS" in own())


async def test_a_cursor_that_was_touched_stays(open_console: Console, server: Any) -> None:
    failing(server)
    told = holding_rollouts_back(server)
    async with open_console(caught_up=False) as console:
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
    for name in list(server.instances_by_id):
        server.confirm(name)  # a kill that isn't everywhere would be first
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


async def test_a_flag_that_the_filter_hides_is_not_killed_and_not_told_of(open_console: Console, server: Any) -> None:
    async with open_console() as console:
        await console.press("/")
        await console.type("zzzz")
        await console.press("enter")
        hidden = console.app.state.selected
        assert all(hidden not in row for row in console.rows()[:-2]), "but for the last change below"
        await console.press("K")
        assert "no flag is selected" in console.screen()
        assert "nothing sent yet" not in console.screen()
        await console.press("escape", "K")
        await console.until("nothing sent yet")
        assert server.requests == []


async def test_a_search_begins_on_its_first_match_and_arrows_go_on_from_there(
    open_console: Console, server: Any
) -> None:
    async with open_console() as console:
        await console.until(lambda: console.app.state.caught_up)
        await console.press("G", "k")
        before = console.app.state.selected
        await console.press("/")
        await console.type("o")
        matches = [row for row in console.rows()[3:] if row[2:].split(" ")[0].count(".") == 1]
        assert len(matches) > 2
        assert matches[0].startswith("▶")
        await console.press("down")
        assert console.app.state.selected == console.rows()[4][2:].split(" ")[0], "arrows move from it"
        await console.type("s")
        assert console.rows()[3].startswith("▶"), "another search begins anew"
        await console.press("enter")
        assert console.app.state.selected == console.rows()[3][2:].split(" ")[0] != before
        await console.press("K")
        await console.until("nothing sent yet")
        assert f"KILL {console.app.state.selected}" in console.screen()


async def test_what_others_change_after_the_own_action_takes_the_last_line(open_console: Console, server: Any) -> None:
    async with open_console() as console:
        await console.press("K", "1", "Y")
        await console.until("PROPAGATING")
        for name in list(server.instances_by_id):
            server.confirm(name)
        await console.until("CONFIRMED 12/12")
        await console.press("x")
        assert "CONFIRMED 12/12" in console.rows()[-2]
        change = server.change(FAILING, "off", reason="its errors went above 2 %", who="controller", silent=True)
        server.tell(change.model_copy(update={"changed_at": change.changed_at + timedelta(minutes=5)}))
        await console.until(lambda: console.app.state.history[0].who == "controller")
        assert "CONFIRMED 12/12" in console.rows()[-2], (
            "where there is one row, it is the own action's while U undoes it"
        )
        console.clock.now += 61
        await console.until(lambda: "last change  controller pos.lite" in console.rows()[-2])


async def test_page_keys_scroll_the_help_by_a_page(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("?")
        await console.until("more rows")
        before = console.rows()
        await console.press("pagedown")
        assert console.rows()[2] in before[-6:], "one row of the page before stays in view"
        await console.press("pageup")
        assert console.rows()[1:] == before[1:], "but for the bar, whose ages grow"


async def test_of_a_killed_flag_the_footer_offers_what_clears_it(open_console: Console, server: Any) -> None:
    server.change("pos.loyalty_points", "kill", action="killed", silent=True)
    async with open_console() as console:
        await console.until(lambda: console.app.state.selected == "pos.loyalty_points")
        assert "V revive" in console.rows()[-1]
        assert "K kill" not in console.rows()[-1]
        await console.press("j")
        assert "V revive" not in console.rows()[-1]
        assert "K kill" in console.rows()[-1]


async def test_the_first_frame_is_laid_out_as_all_that_follow(open_console: Console, monkeypatch: Any) -> None:
    frames: list[frozenset[str]] = []
    display = ConsoleApp._display

    def noted(app: ConsoleApp, screen: Any, renderable: Any) -> None:
        frames.append(screen.classes)
        display(app, screen, renderable)

    monkeypatch.setattr(ConsoleApp, "_display", noted)
    async with open_console((140, 40)) as console:
        assert {"-wide", "-tall", "-roomy"} <= frames[0]
        await console.pilot.resize_terminal(80, 24)
        await console.until(lambda: {"-narrow", "-short"} <= console.app.screen.classes)
        assert not {"-wide", "-tall", "-roomy"} & console.app.screen.classes
