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
