"""Settings, contexts to switch to, keys of one's own, and themes that are read while they are written."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from flagconsole.console import theme, theme_watch
from flagconsole.console.keeper import Keeper
from flagconsole.console.keymap import KeyMap
from flagconsole.console.place import Place, Sketch, Switch
from flagconsole.domain.errors import FlagConsoleError, InvalidInput, Unauthenticated

Console = Any


class FakeContexts:
    """Two contexts; the second has no key."""

    def __init__(self) -> None:
        self.kept: dict[str, str | bool] = {}
        self.problem: FlagConsoleError | None = None

    def sketches(self) -> list[Sketch]:
        return [
            Sketch("prod", "https://prod", "production", "red", False),
            Sketch("staging", "https://staging", "staging", "amber", False),
        ]

    def enter(self, name: str) -> Place:
        if name != "staging":
            raise Unauthenticated("The context prod takes its key from the variable X: X isn't set.")
        return Place("https://staging", "fc_other", context="staging", environment="staging")

    def keep(self, setting: str, value: str | bool) -> None:
        if self.problem is not None:
            raise self.problem
        self.kept[setting] = value


HERE = Place("http://flags-eu1:8765", "fc_x", context="here", environment="production")


async def palette(console: Console, text: str) -> None:
    await console.press(":")
    await console.until("a kill from here still opens its sheet")
    await console.type(text)
    await console.press("enter")


async def settings(console: Console, *labels: str) -> None:
    await palette(console, "settings")
    await console.until("SETTINGS")
    for label in labels:
        await console.press("g")
        for _ in range(40):
            if console.app.screen.table.selected == label:
                break
            await console.press("j", pause=0.01)
        assert console.app.screen.table.selected == label


async def test_settings_say_where_one_is_and_where_the_files_are(open_console: Console, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "cache.db")
    async with open_console(size=(120, 40), place=HERE, keeper=keeper, contexts=FakeContexts()) as console:
        await settings(console)
        screen = console.screen()
        for said in ("here", "flags-eu1:8765", "production", "ops1", "role admin", "night", str(tmp_path / "cache.db")):
            assert said in screen
        assert "K kill" not in console.rows()[-1]
        await console.press("escape")
        await console.until("▶ pos.loyalty_points")


async def test_what_is_changed_counts_at_once_and_is_kept(open_console: Console) -> None:
    contexts = FakeContexts()
    async with open_console(size=(120, 40), place=HERE, contexts=contexts) as console:
        await settings(console, "theme")
        before = console.app.palette.name
        await console.press("enter")
        await console.until(lambda: console.app.palette.name != before)
        assert contexts.kept == {"theme": console.app.palette.name}
        await settings(console, "bell")
        await console.press("enter")
        assert console.app.bell_ringer.sound is False
        assert contexts.kept["bell"] is False
        contexts.problem = InvalidInput(field="config.toml", problem="can't be written", value="x")
        await settings(console, "mouse")
        await console.press("enter")
        await console.until("for this console only: config.toml: can't be written")
        await settings(console, "server")
        await console.press("enter")
        await console.until("this can't be changed here")


async def test_a_cache_can_be_forgotten(open_console: Console, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "cache.db")
    async with open_console(size=(120, 40), keeper=keeper) as console:
        await console.until((tmp_path / "cache.db").exists)
        await settings(console, "cache")
        await console.press("enter")
        await console.until("the cache was removed")
        assert not (tmp_path / "cache.db").exists()


async def test_env_goes_to_another_context_with_nothing_of_this_one(open_console: Console) -> None:
    async with open_console(place=HERE, contexts=FakeContexts()) as console:
        await console.press(":")
        await console.type("env st")
        await console.until("env staging")
        await console.press("enter")
        await console.until(lambda: console.app.return_value is not None)
        assert isinstance(console.app.return_value, Switch)
        assert console.app.return_value.place.context == "staging"


async def test_a_context_that_cannot_be_entered_leaves_one_where_one_is(open_console: Console) -> None:
    async with open_console(place=HERE, contexts=FakeContexts()) as console:
        await palette(console, "env prod")
        await console.until("still here: ")
        assert console.app.return_value is None
        await console.press("K")
        await console.until("KILL pos.loyalty_points  in PRODUCTION")


async def test_switching_asks_while_an_action_has_no_answer(open_console: Console) -> None:
    async with open_console(place=HERE, contexts=FakeContexts()) as console:
        console.server.held.clear()
        await console.press("K", "1", "Y", "x")
        await palette(console, "env staging")
        await console.until("GO TO staging  while an action is on its way?")
        await console.press("n")
        assert console.app.return_value is None
        await palette(console, "env staging")
        await console.press("Y")
        await console.until(lambda: isinstance(console.app.return_value, Switch))


async def test_where_context_and_server_disagree_the_bar_is_the_more_serious(
    open_console: Console, server: Any
) -> None:
    server.environment = "staging"
    server.add("pos.stopped", "kill", ago=60)
    async with open_console(place=HERE) as console:
        await console.until("! the context here says production, the server says staging")
        assert console.app.screen.query_one("EnvBar").ground_of(0) == "environment_production"
        await palette(console, "revive pos.stopped")
        await console.until("in PRODUCTION")
        await console.press("1")
        await console.until("stopped>")
    async with open_console(place=HERE._replace(environment="", colour="grey")) as console:
        assert console.app.screen.query_one("EnvBar").ground_of(0) == "environment_staging"


async def test_a_read_only_context_has_no_actions(open_console: Console) -> None:
    async with open_console(place=HERE._replace(readonly=True)) as console:
        await console.press("K")
        assert "KILL not sent" in console.screen()


async def test_keys_of_ones_own_count_and_are_shown_everywhere(open_console: Console) -> None:
    keymap = KeyMap().remapped({"kill": "Z", "settings": "ctrl+o", "detail": ["w"]})
    async with open_console(size=(120, 40), keymap=keymap) as console:
        assert "Z kill" in console.rows()[-1]
        assert "w detail" in console.rows()[-1]
        await console.press("K")
        assert "┏" not in console.screen()
        await console.press("Z")
        await console.until("KILL pos.loyalty_points")
        await console.press("escape", "?")
        await console.until("HELP")
        assert any(row.lstrip("│ ").startswith("Z ") and "kill a flag" in row for row in console.rows())


@pytest.mark.parametrize("key", ["ctrl+k", "ctrl+d", "f5"])
def test_keys_that_shells_and_terminals_take_are_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match=r"keys\.kill"):
        KeyMap().remapped({"kill": key})


async def test_a_theme_is_read_anew_when_its_file_changes(
    open_console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "themes"
    folder.mkdir()
    text = (theme.shipped_folder() / "night.toml").read_text()
    (folder / "mine.toml").write_text(text)
    monkeypatch.setattr(theme, "user_folder", lambda: folder)
    async with open_console(size=(120, 40)) as console:
        await palette(console, "theme mine")
        await console.until(lambda: console.app.palette.name == "mine")
        watching = asyncio.create_task(theme_watch.watch_theme(console.app, every=0.01))
        try:
            await console.pilot.pause(0.05)
            (folder / "mine.toml").write_text(text.replace("#c8d0da", "#ffffff") + "\n")
            await console.until(lambda: console.app.palette.styles["screen"].color.name == "#ffffff")
            (folder / "mine.toml").write_text(text.replace("[styles]", "[styles]\nblink = 'red'"))
            await console.until("! styles.blink: is not a role")
            assert console.app.palette.styles["screen"].color.name == "#ffffff"
            (folder / "mine.toml").write_text(text)
            await console.until(lambda: "styles.blink" not in console.screen())
        finally:
            watching.cancel()


async def test_a_slow_link_has_fewer_colours(open_console: Console) -> None:
    async with open_console(slow_link=True) as console:
        assert console.app.slow_link
        assert console.app.console.color_system == "256"
