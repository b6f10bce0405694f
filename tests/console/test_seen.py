"""What changed since one last looked is marked, until one says that it was seen; over starts, by the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flagconsole.console import cache
from flagconsole.console.keeper import Keeper

Console = Any


def new_rows(console: Console) -> list[str]:
    return [row.split()[0 if "▶" not in row else 1] for row in console.rows() if " □ " in row and "□ new" not in row]


async def test_changes_since_the_last_look_are_marked_over_a_restart(open_console: Console, tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    async with open_console(keeper=Keeper(path)) as console:
        assert new_rows(console) == [], "the first time everything counts as seen"
        server = console.server
    server.change("pos.lite", "on", reason="at night", who="maria", silent=True)
    server.change("billing.retry", "off", reason="mine", who="ops1", silent=True)
    async with open_console(keeper=Keeper(path)) as console:
        await console.until("1 flag was changed since you last looked: marked □, c marks all as seen")
        assert new_rows(console) == ["pos.lite"], "not one's own"
        console.server.change("invoices.write", "off", reason="boom", who="maria")
        await console.until("rev 10")
        assert set(new_rows(console)) == {"pos.lite", "invoices.write"}
        await console.press("/")
        await console.type("pos.lite")
        await console.press("enter")
        await console.until("□ new  c: seen")  # what the mark means
        await console.press("escape")
        await console.press("c")
        await console.until("2 marked as seen")
        assert new_rows(console) == []
    found = cache.read(path)
    assert found is not None
    assert found.seen == ("e1", 10)
    async with open_console(keeper=Keeper(path)) as console:
        assert new_rows(console) == []


async def test_without_a_cache_nothing_is_marked(open_console: Console) -> None:
    async with open_console() as console:
        console.server.change("pos.lite", "on", reason="now", who="maria")
        await console.until("maria")
        assert new_rows(console) == []
        await console.press("c")
        await console.until("nothing is remembered")
