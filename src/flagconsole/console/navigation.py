"""Where the commands lead that mean the same on every screen: to a sheet, another screen, the palette, a theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flagconsole.console import view
from flagconsole.console.rows import FlagRow
from flagconsole.console.screens.console_screen import Handler
from flagconsole.console.sheets.kill import KillSheet
from flagconsole.console.sheets.revive import ReviveSheet
from flagconsole.console.sheets.rollback import RollbackSheet
from flagconsole.console.sheets.tenant import TenantSheet
from flagconsole.console.theme import load_theme, theme_files
from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp
    from flagconsole.console.screens.palette import Choice


class Navigator:
    """Opens what commands ask for. A command's argument comes from the palette and is empty when a key was pressed."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app

    def handlers(self) -> Mapping[str, Handler]:
        """What they do, by id."""
        return {
            "kill": self._open_kill,
            "rollback": self._open_rollback,
            "revive": self._open_revive,
            "detail": self._open_detail,
            "history": self._open_history,
            "history_all": lambda _: self._open_history(None),
            "tenant": self._open_tenant,
            "reconnect": lambda _: self._app.session.reconnect(),
            "dismiss": lambda _: self._app.dismiss_warnings(),
            "copy": lambda _: self._copy(),
            "theme": self._choose_theme,
            "palette": lambda _: self._open_palette(),
            "help": lambda _: self._open_help(),
            "quit": lambda _: self._app.leave(),
        }

    def _target(self, argument: str | None) -> FlagRow | None:
        """The flag that a command is about: the named one, else the one under the cursor."""
        name = argument or self._app.console_screen.target()
        row = None if name is None else self._app.state.flags.get(name)
        if row is None:
            self._app.say(f"there is no flag {name!r} here" if name else "no flag is selected")
        elif argument and argument in self._app.shown():
            self._app.state = view.select(self._app.state, argument)
        return row

    def _open_kill(self, argument: str) -> None:
        row = self._target(argument)
        if row is not None:
            self._app.console_screen.open_sheet(KillSheet(row, self._app.state.connection.environment))

    def _open_rollback(self, argument: str) -> None:
        row = self._target(argument)
        if row is not None:
            self._app.console_screen.open_sheet(RollbackSheet(row, self._app.state.connection.environment))

    def _open_revive(self, argument: str) -> None:
        row = self._target(argument)
        if row is None:
            return
        if row.state is not FlagState.KILL:
            self._app.say(f"{row.name} is not killed (it is {row.setting}): there is nothing to revive")
            return
        self._app.console_screen.open_sheet(ReviveSheet(row, self._app.state.connection.environment))

    def _open_detail(self, argument: str) -> None:
        from flagconsole.console.screens.flag_detail import FlagDetailScreen

        row = self._target(argument)
        if row is not None:
            self._app.push_screen(FlagDetailScreen(row.name))

    def _open_history(self, argument: str | None) -> None:
        from flagconsole.console.screens.history import HistoryScreen

        row = None if argument is None else self._target(argument)
        if argument is None or row is not None:
            self._app.push_screen(HistoryScreen(None if row is None else row.name))

    def _open_tenant(self, argument: str) -> None:
        if argument:
            self._app.choose_tenant(argument)
        else:
            self._app.console_screen.open_sheet(TenantSheet())

    def _copy(self) -> None:
        text = self._app.console_screen.copyable()
        if text:
            self._app.copy(text)
        else:
            self._app.say("there is nothing here to copy")

    def _open_help(self) -> None:
        from flagconsole.console.screens.help import HelpScreen

        self._app.push_screen(HelpScreen(self._app.console_screen.context))

    def _open_palette(self) -> None:
        from flagconsole.console.screens.palette import PaletteScreen

        self._app.push_screen(PaletteScreen(self._app.commands()), self._run_choice)

    def _run_choice(self, choice: Choice | None) -> None:
        if choice is not None:
            self._app.console_screen.call_command(self._app.keymap.command(choice.command_id), choice.argument)

    def _choose_theme(self, name: str) -> None:
        names = list(theme_files())
        current = names.index(self._app.palette.name) if self._app.palette.name in names else -1
        try:
            palette = load_theme(name or names[(current + 1) % len(names)])
        except FlagConsoleError as error:
            self._app.say(str(error))
            return
        if self._app.no_color and palette.colour:
            self._app.say("NO_COLOR is set: the theme stays without colour")
            return
        self._app.use(palette)
