"""A key that does nothing is answered: why, and where it would do something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Console = Callable[..., Any]


async def test_a_dead_key_says_why_on_every_screen(open_console: Console) -> None:
    async with open_console() as console:
        for key, name in (
            ("enter", "canary"),
            ("h", "history"),
            ("3", "incidents"),
            ("5", "instances"),
            ("d", "detail"),
        ):
            await console.press(key)
            await console.until(lambda name=name: console.app.screen.name_in_keymap == name)
            await console.press("q")
            assert console.app.is_running
            assert "q leaves the console from the fleet only; ^C leaves from here" in console.screen()
            await console.press("-")
            await console.until(lambda: console.app.screen.name_in_keymap == "fleet")
        await console.press("C")
        assert "C does nothing here: it is a key of incidents" in console.screen()
        await console.press("x")
        assert "x puts a warning away, and the banner has none" in console.screen()
        await console.press("r")
        assert "r is for a lost connection, and this one is live" in console.screen()
        await console.press("F")
        assert "F does nothing; ? shows the keys" in console.screen()
        await console.press("j")
        assert "does nothing" not in console.screen()


async def test_a_sheet_says_which_keys_count_and_help_lies_over_it(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("K")
        await console.until("KILL")
        await console.press("l")
        assert "l does nothing here: 1–6 reason, Y confirm, n cancel · nothing sent yet" in console.screen()
        await console.press("1")
        assert "does nothing" not in console.screen()
        await console.press("?")
        await console.until("HELP")
        assert "do it; counts after a reason" in console.screen()
        assert "tick the marked item" not in console.screen(), "a kill has no checklist"
        await console.press("escape")
        await console.until("Y kill now")
        await console.until(lambda: console.app.screen.sheet.confirmation.painted_at is not None)
        await console.press("Y", pause=0.05)  # what is confirmed has to be in view first
        assert console.server.requests == []
        await console.press("Y")
        await console.until("ACCEPTED")
        for key, name in (("C", "C"), ("down", "↓")):
            await console.press(key)
            assert f"{name} does nothing here: U undo, x close" in console.screen()
        await console.press("?")
        await console.until("HELP")
        await console.press("escape", "x")
        await console.until(lambda: "┏" not in console.screen())


async def test_a_screen_without_rows_offers_nothing_for_a_row(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("8")
        await console.until("nothing waits for a second person")
        footer = console.rows()[-1]
        for gone in ("kill", "rollback", "canary", "detail", "history", "allow", "decline"):
            assert gone not in footer.replace("all changes", "")
        assert "(serve --require-approvals)" in console.screen()
        await console.press("K")
        assert "no flag is selected" in console.screen()
        await console.press("A")
        assert "no request is selected" in console.screen()
        await console.press("9")
        await console.until("nobody has taken")
        assert "reviewed" not in console.rows()[-1]
        await console.press("C")
        assert "none is selected" in console.screen()


async def test_a_killed_flag_offers_what_clears_the_kill_and_no_rollout(open_console: Console) -> None:
    async with open_console() as console:
        console.server.change("pos.lite", "kill", action="killed", reason="drill")
        await console.until("■ kill")
        await console.type(":canary pos.lite")
        await console.press("enter")
        await console.until("pos.lite has no rollout")
        assert "V revives it, to off: only then can a rollout begin" in console.screen()
        assert "begins one" not in console.screen()
        await console.press("B")
        assert "pos.lite is killed: V revives it, to off; then B begins a rollout" in console.screen()
        assert "START" not in console.screen()
