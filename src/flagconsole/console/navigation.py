"""Where the commands lead that mean the same on every screen: to a sheet, another screen, the palette, a theme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from flagconsole.console import view
from flagconsole.console.action_sheets import ActionSheets
from flagconsole.console.rows import FlagRow
from flagconsole.console.screens.console_screen import ConsoleScreen, Handler
from flagconsole.console.theme import load_theme, theme_files
from flagconsole.console.travel import LONG_STEP
from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp
    from flagconsole.console.suggestions import Choice


class Navigator:
    """Opens what commands ask for. A command's argument comes from the palette and is empty when a key was pressed."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app
        self._actions = ActionSheets(app, self._target)

    def handlers(self) -> Mapping[str, Handler]:
        """What they do, by id."""
        return {
            **self._actions.handlers(),
            "canary": self._open_canary,
            "go.canary": self._open_canary,
            "incidents": self._open_incidents,
            "go.incidents": self._open_incidents,
            "detail": self._open_detail,
            "history": self._open_history,
            "history_all": lambda _: self._open_history(None),
            "go.fleet": lambda _: self._go_home(),
            "go.history": lambda _: self._open_history(None),
            "go.instances": lambda _: self._open_instances(),
            "go.tenants": self._open_tenants,
            "go.shadow": lambda _: self._open_shadow(),
            "go.approvals": lambda _: self._open_approvals(),
            "go.reviews": lambda _: self._open_reviews(),
            "around": self._open_around,
            "tenant": self._open_tenant,
            "reconnect": lambda _: self._app.session.reconnect(),
            "break_glass": self._open_break_glass,
            "arm": self._open_arm,
            "environment": self._app.switcher.switch,
            "seen": lambda _: self._app.looker.mark(),
            "travel": self._app.traveller.toggle,
            "travel.back": lambda _: self._app.traveller.back(),
            "travel.older": lambda _: self._app.traveller.step(1),
            "travel.newer": lambda _: self._app.traveller.step(-1),
            "travel.far_older": lambda _: self._app.traveller.step(LONG_STEP),
            "travel.far_newer": lambda _: self._app.traveller.step(-LONG_STEP),
            "settings": lambda _: self._open_settings(),
            "dismiss": lambda _: self._app.dismiss_warnings(),
            "copy": lambda _: self._copy(),
            "theme": self._choose_theme,
            "palette": lambda _: self.ask_palette(),
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

    def _open_break_glass(self, argument: str) -> None:
        from flagconsole.console.sheets.break_glass import BreakGlassSheet

        row = self._target(argument)
        if row is not None:
            self._app.console_screen.open_sheet(BreakGlassSheet(row, self._app.state.connection.environment))

    def _open_arm(self, argument: str) -> None:
        from flagconsole.console.sheets.arm import ArmSheet

        if self._app.arming.armed is not None:
            self._app.arming.ask()
            return
        row = self._target(argument)
        if row is not None and row.state is FlagState.KILL:
            self._app.say(f"{row.name} is killed already, as far as is known: there is nothing to arm")
        elif row is not None:
            self._app.console_screen.open_sheet(ArmSheet(row, self._app.state.connection.environment))

    def _open_canary(self, argument: str) -> None:
        from flagconsole.console.screens.canary import CanaryScreen

        row = self._target(argument)
        if row is not None:
            self._show(CanaryScreen(row.name))

    def _open_incidents(self, argument: str) -> None:
        from flagconsole.console.incidents import of_flag
        from flagconsole.console.screens.incidents import IncidentsScreen

        name = argument or self._app.console_screen.target()
        known = None if name is None else of_flag(self._app.state.incidents, name)
        self._show(IncidentsScreen(None if known is None else known.incident_id))

    def _open_detail(self, argument: str) -> None:
        from flagconsole.console.screens.flag_detail import FlagDetailScreen

        row = self._target(argument)
        if row is not None:
            self._app.push_screen(FlagDetailScreen(row.name))

    def _open_history(self, argument: str | None) -> None:
        from flagconsole.console.screens.history import HistoryScreen

        row = None if argument is None else self._target(argument)
        if argument is None or row is not None:
            self._show(HistoryScreen(None if row is None else row.name))

    def _open_around(self, text: str) -> None:
        from flagconsole.console.screens.history import HistoryScreen
        from flagconsole.domain.moment import MOMENT_HELP, moment_of

        if not text:
            self.ask_palette("around ")
            return
        moment = moment_of(text, self._app.server_now())
        if moment is None:
            self._app.say(f"{text!r} is no time; write it like {MOMENT_HELP}")
        else:
            self._show(HistoryScreen(None, moment))

    def _open_instances(self) -> None:
        from flagconsole.console.screens.instances import InstancesScreen

        self._show(InstancesScreen())

    def _open_tenants(self, tenant: str) -> None:
        from flagconsole.console.screens.tenants import TenantsScreen

        self._show(TenantsScreen(tenant or self._app.state.tenant))

    def _open_shadow(self) -> None:
        from flagconsole.console.screens.shadow import ShadowScreen

        self._show(ShadowScreen())

    def _open_approvals(self) -> None:
        from flagconsole.console.screens.approvals import ApprovalsScreen

        self._show(ApprovalsScreen())

    def _open_reviews(self) -> None:
        from flagconsole.console.screens.reviews import ReviewsScreen

        self._show(ReviewsScreen())

    def _go_home(self) -> None:
        while len(self._app.screen_stack) > 1:
            self._app.pop_screen()

    def _show(self, screen: ConsoleScreen) -> None:
        """Open a screen. Where one of its kind is in front, it takes its place: digits don't pile screens up."""
        if type(self._app.screen) is type(screen):
            self._app.switch_screen(screen)
        else:
            self._app.push_screen(screen)

    def _open_tenant(self, argument: str) -> None:
        if argument:
            self._app.choose_tenant(argument)
        else:
            from flagconsole.console.sheets.tenant import TenantSheet

            self._app.console_screen.open_sheet(TenantSheet())

    def _copy(self) -> None:
        text = self._app.console_screen.copyable()
        if text:
            self._app.copy(text)
        else:
            self._app.say("there is nothing here to copy")

    def _open_settings(self) -> None:
        from flagconsole.console.screens.settings import SettingsScreen

        self._show(SettingsScreen())

    def _open_help(self) -> None:
        from flagconsole.console.screens.help import HelpScreen

        self._app.push_screen(HelpScreen(self._app.console_screen.context))

    def ask_palette(self, typed: str = "") -> None:
        """Open the palette with something typed in it already."""
        from flagconsole.console.screens.palette import PaletteScreen

        places = tuple((item.name, f"{item.environment}  {item.server}") for item in self._app.switcher.sketches())
        self._app.state = replace(self._app.state, contexts=places)
        keymap, powers = self._app.keymap, self._app.powers()
        known = keymap.called_by_word(self._app.console_screen.name_in_keymap, powers)
        withheld = [command for command in keymap.commands if not powers.allow(command.needs)]
        self._app.push_screen(PaletteScreen(known, withheld, typed), self._run_choice)

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
