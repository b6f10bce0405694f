"""Settings: where one is, as whom, how the console behaves, what the terminal can, where the files are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from textual.widget import Widget

from flagconsole.console.ages import age_text
from flagconsole.console.at_home import at_home
from flagconsole.console.bell import notes_allowed
from flagconsole.console.keymap import Command
from flagconsole.console.line import BLANK, Line, cell, cut, line
from flagconsole.console.safe import span
from flagconsole.console.screens.console_screen import ConsoleScreen, Handler
from flagconsole.console.state import Phase
from flagconsole.console.widgets.virtual_table import Column, VirtualTable
from flagconsole.domain.errors import FlagConsoleError


class Setting(NamedTuple):
    """One row: a label, its value, a note; ``change`` where Enter changes it, and what Enter then does in ``verb``."""

    label: str
    value: str
    note: str = ""
    role: str = "plain"
    change: Callable[[], None] | None = None
    verb: str = ""


class SettingsTable(VirtualTable[str]):
    """The rows by their labels."""

    def __init__(self, screen: SettingsScreen) -> None:
        super().__init__()
        self._settings = screen

    def shape(self, width: int) -> Sequence[Column]:
        """One column: the rows lay themselves out."""
        return [Column("row", "SETTINGS", max(10, width - 2))]

    def heading(self, shape: Sequence[Column]) -> Line:
        """What Enter does here."""
        chosen = self._settings.rows().get(self.selected or "")
        verb = f"⏎ {chosen.verb}" if chosen is not None and chosen.change is not None else ""
        return line(span(" SETTINGS", "header"), span(f"   {verb}" if verb else "", "key"))

    def row(self, key: str, shape: Sequence[Column], *, cursor: bool) -> Line:
        """Label, value, note."""
        setting = self._settings.rows()[key]
        mark = span("▶" if cursor else " ", "key")
        change = span("⏎ " if setting.change is not None else "  ", "key")
        row = line(mark, change, cell(setting.label, 14, "muted"), span(setting.value, setting.role))
        note = line(span(f"   {setting.note}", "muted")) if setting.note else BLANK
        return cut((*row, *note), shape[0].width + 2)


class SettingsScreen(ConsoleScreen):
    """The settings."""

    name_in_keymap = "settings"

    def __init__(self) -> None:
        super().__init__()
        self.table = SettingsTable(self)
        self._said: dict[str, Setting] = {}

    def body(self) -> Iterable[Widget]:
        """The rows."""
        yield self.table

    def target(self) -> str | None:
        """Nothing here is about a flag."""
        return None

    def copyable(self) -> str:
        """The value under the cursor."""
        setting = self.rows().get(self.table.selected or "")
        return setting.value if setting is not None else ""

    def offers(self, command: Command) -> bool:
        """Changing what can be changed."""
        if command.id == "settings.change":
            chosen = self.rows().get(self.table.selected or "")
            return chosen is not None and chosen.change is not None
        return super().offers(command)

    def handlers(self) -> Mapping[str, Handler]:
        """Move, change, go back."""
        return {
            **self.table.row_handlers("settings"),
            "settings.change": lambda _: self._change(),
            "settings.back": lambda _: self.console.back(),
            "settings.leave": lambda _: self.console.leave(),
        }

    def show(self, changed: frozenset[str]) -> None:
        """Read everything anew."""
        self._said = {
            setting.label: setting for setting in [*self._place(), *self._looks(), *self._files(), *self._terminal()]
        }
        self.table.take(list(self._said) if list(self._said) != list(self.table.keys) else self.table.keys)
        super().show(changed)

    def tick(self) -> None:
        """Ages."""
        self.show(frozenset())

    def rows(self) -> Mapping[str, Setting]:
        """The rows by their labels."""
        return self._said

    def _change(self) -> None:
        setting = self.rows().get(self.table.selected or "")
        if setting is None or setting.change is None:
            self.console.say("this can't be changed here")
        else:
            setting.change()
            self.show(frozenset())

    # what is said

    def _place(self) -> list[Setting]:
        console = self.console
        connection, place = console.state.connection, console.place
        others = [item.name for item in console.switcher.sketches() if item.name != place.context]
        there = f"also there: {', '.join(others[:6])}" if others else "flagconsole contexts add NAME --url URL"
        role = connection.role or "not known yet"
        rights = connection.readonly_reason or ("" if connection.phase is Phase.LIVE else "not connected")
        return [
            Setting("context", place.context or "none", there, change=lambda: console.switcher.switch(""), verb="goes to another"),
            Setting("server", place.known_as or place.url, f"version {connection.server_version or 'not known'}"),
            Setting("environment", connection.environment or "not known", f"called {place.environment} here" if place.environment else ""),
            Setting("you", connection.you or "not known", f"role {role}{f', read-only: {rights}' if rights else ''}"),
        ]  # fmt: skip

    def _looks(self) -> list[Setting]:
        console, manners = self.console, self.console.manners
        bell, slow = console.bell_ringer, "256 colours, slow charts"
        why = "" if notes_allowed() else "this terminal isn't known to show them"
        return [
            Setting("theme", console.palette.name, console.palette.description, change=self._next_theme, verb="takes the next, and keeps it"),
            Setting("bell", _switch(bell.sound), "for a guard that failed, a kill confirmed", change=lambda: self._ring("bell", not bell.sound), verb="switches"),
            Setting("notes", _switch(bell.note), why or "by the terminal (OSC 9)", change=lambda: self._ring("notes", not bell.note), verb="switches"),
            Setting("mouse", _switch(manners.mouse), "off, so that selecting text works; from the next start", change=lambda: self._keep("mouse", "mouse", not manners.mouse), verb="switches"),
            Setting("slow link", _switch(manners.slow_link), f"{slow}; wholly from the next start", change=lambda: self._keep("slow_link", "slow_link", not manners.slow_link), verb="switches"),
            Setting("ASCII", _switch(manners.ascii_only), "from the next start", change=lambda: self._keep("ascii", "ascii_only", not manners.ascii_only), verb="switches"),
        ]  # fmt: skip

    def _files(self) -> list[Setting]:
        console, keeper = self.console, self.console.keeper
        remapped = len(console.manners.keys)
        keys = f"{remapped} command{'s' if remapped != 1 else ''} remapped, [keys] in the configuration"
        rows = [
            Setting(
                "configuration", at_home(console.manners.configuration or "none"), "themes lie in themes/ beside it"
            ),
            Setting("keys", keys, "by the ids that :help names"),
        ]
        if keeper is None:
            return [*rows, Setting("cache", "none")]
        facts = keeper.facts()
        size = "nothing kept yet" if facts.size is None else f"{facts.size / 1024:.0f} KiB"
        fresh = console.state.connection.fresh_at
        age = f"data {age_text(console.clock.monotonic() - fresh)} old" if fresh is not None else "data of unknown age"
        rows.append(
            Setting(
                "cache",
                f"{size}, {age}",
                facts.problem,
                "warning" if facts.problem else "plain",
                self._forget,
                "forgets it",
            )
        )
        rows.append(Setting("cache file", at_home(facts.path)))
        if facts.aside is not None:
            rows.append(Setting("moved aside", at_home(facts.aside), "couldn't be used"))
        if console.options.log_folder is not None:
            rows.append(
                Setting("journal, log", at_home(console.options.log_folder), "journal.db, crash.log, copied.txt")
            )
        return rows

    def _terminal(self) -> list[Setting]:
        size = self.app.size
        colours = {"standard": "16", "256": "256", "truecolor": "16 million"}.get(
            self.app.console.color_system or "", "none"
        )
        tmux = "in tmux" if os.environ.get("TMUX") else "not in tmux"
        way = "tmux's buffer" if os.environ.get("TMUX") else "OSC 52, else a file"
        return [
            Setting("terminal", os.environ.get("TERM", "not said"), f"{size.width}×{size.height}, colours {colours}, {tmux}"),
            Setting("copying", way, "y"),
        ]  # fmt: skip

    # what can be changed

    def _next_theme(self) -> None:
        self.console.call_command_by_id("theme")
        self._write("theme", self.console.palette.name)

    def _ring(self, setting: str, value: bool) -> None:
        if setting == "bell":
            self.console.bell_ringer.sound = value
        else:
            self.console.bell_ringer.note = value
        self._keep(setting, setting, value)

    def _keep(self, setting: str, field: str, value: bool) -> None:
        self.console.manners = self.console.manners._replace(**{field: value})  # type: ignore[arg-type]
        self._write(setting, value)

    def _write(self, setting: str, value: str | bool) -> None:
        contexts = self.console.contexts
        if contexts is None:
            self.console.say("for this console only: it was started without a configuration")
            return
        try:
            contexts.keep(setting, value)
        except FlagConsoleError as error:
            self.console.say(f"for this console only: {error}")
        else:
            self.console.say(f"kept: {setting} is {value if isinstance(value, str) else _switch(value)}")

    def _forget(self) -> None:
        if self.console.keeper is not None:
            self.console.say(self.console.keeper.forget())


def _switch(value: bool) -> str:
    return "on" if value else "off"
