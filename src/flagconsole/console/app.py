"""The Textual app: holds the state, starts the feed, opens screens and sheets, begins actions. Screens do the painting."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.color import ColorSystem
from rich.console import Group, RenderableType
from textual._compositor import ChopsUpdate
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter
from textual.screen import Screen
from textual.timer import Timer

from flagconsole.console import state as model
from flagconsole.console import view
from flagconsole.console.arming import Arming
from flagconsole.console.attention import Attention
from flagconsole.console.bell import Bell, notes_allowed
from flagconsole.console.clock import Clock
from flagconsole.console.counting import Counter
from flagconsole.console.exact_update import ExactUpdate
from flagconsole.console.finish import Finish
from flagconsole.console.guardian import left_alone
from flagconsole.console.keymap import Command, KeyMap, Powers
from flagconsole.console.manners import Manners
from flagconsole.console.place import Contexts, Place, Switch
from flagconsole.console.safe import HostileFilter, rich_text
from flagconsole.console.screens.console_screen import ConsoleScreen, Handler
from flagconsole.console.screens.fleet import FleetScreen
from flagconsole.console.seen import Looker
from flagconsole.console.session import Connect, Session
from flagconsole.console.state import Connection, ConsoleState, Phase
from flagconsole.console.terminal import TolerantDriver
from flagconsole.console.theme import Palette, textual_name
from flagconsole.console.travel import Present, Traveller
from flagconsole.console.widgets.detail import DetailPane, DetailStrip
from flagconsole.console.widgets.fleet_charts import FleetCharts
from flagconsole.console.widgets.footer import Footer
from flagconsole.console.widgets.painted import Painted
from flagconsole.console.wish import Wish

if TYPE_CHECKING:
    # What the first paint doesn't need is imported where it is, and loaded behind the first paint: ``behind`` names it.
    from flagconsole.console.actions import Action
    from flagconsole.console.impact import KillImpact
    from flagconsole.console.journal import Journal
    from flagconsole.console.keeper import Keeper
    from flagconsole.console.navigation import Navigator
    from flagconsole.console.switching import Switcher


#: Seconds from one painting to the next, for what nobody waits for.
PAINT_PACE = 0.1
#: Seconds in which fingers go on by habit after an action that was refused.
HABIT = 3.0


class Options(NamedTuple):
    """Where the console is. ``secrets`` are never written into a crash log."""

    server: str
    readonly: bool = False
    environment: str = ""
    tenant: str | None = None
    log_folder: Path | None = None
    secrets: tuple[str, ...] = ()
    place: Place | None = None


_PLAIN = Manners()


def call_soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """Call something in the app's loop from another thread; nothing where the app has ended."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call)


class ConsoleApp(App[int | Switch], inherit_bindings=False):
    """The console. ``connect`` gives the way to the server; it is awaited after the first paint."""

    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    TITLE = "flagconsole"

    def __init__(
        self,
        connect: Connect,
        options: Options,
        palette: Palette,
        *,
        manners: Manners = _PLAIN,
        contexts: Contexts | None = None,
        keymap: KeyMap | None = None,
        clock: Clock | None = None,
        journal: Journal | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.palette = palette
        self._sheet_theme = ""
        # Said before Textual looks at NO_COLOR: with native colours it strips them all instead of making greys.
        super().__init__(driver_class=TolerantDriver, ansi_color=None if palette.colour else True)
        # Tooltips and toasts are never shown here: results stand in the ledger.
        self._disable_tooltips = self._disable_notifications = True
        if manners.slow_link:
            # Rich chooses by the terminal and has no way to choose again: a colour costs half as many bytes this way.
            self.console._color_system = ColorSystem.EIGHT_BIT
        self.options = options
        self.manners = manners
        self.contexts = contexts
        place = options.place or Place(options.server, "")
        self.place = place._replace(
            environment=place.environment or options.environment,
            readonly=place.readonly or options.readonly,
            tenant=place.tenant or options.tenant,
        )
        self.keymap = keymap or KeyMap()
        self.clock = clock or Clock()
        self.ascii_only = manners.ascii_only
        connection = Connection(
            server=self.place.shown,
            environment=self.place.environment,
            readonly=self.place.readonly,
        )
        self.state = ConsoleState(connection=connection, tenant=self.place.tenant)
        self.notice = ""
        self._withheld_at = float("-inf")
        self._painted_at = float("-inf")
        self._painting: Timer | None = None
        self.trouble = ""
        #: Whether the user has pressed a key yet: from then on the cursor is theirs.
        self.touched = False
        #: When there was something to see for the first time (monotonic seconds): keys that were typed before are for nothing.
        self.first_painted_at = float("inf")
        #: What the user has to know, by topic, until it is no longer so or they have put it away.
        self.warnings: dict[str, str] = {}
        self.began_at = self.clock.monotonic()
        self.keeper = keeper
        if keeper is not None and keeper.at_once:
            self.state = keeper.recalled(self.state, self.clock)
            self.warn("cache", keeper.problem)
        self.bell_ringer = Bell(
            self.write_terminal,
            sound=manners.bell,
            note=notes_allowed() if manners.notes is None else manners.notes,
        )
        self._filter = HostileFilter()
        self._finish: Finish | None = None
        self._finished_for: Palette | None = None
        self._counter = Counter(self)
        self._attention = Attention()
        self.arming = Arming(self)
        self.looker = Looker(self)
        self.traveller = Traveller(self)
        self.present = Present(self)
        self.session = Session(self, connect, self.place.name, journal)
        self.register_theme(palette.textual_theme())
        self.theme = self._sheet_theme = textual_name(palette.name)
        self.stylesheet.set_variables(self.get_css_variables())

    # Textual's own doors, closed

    def get_css_variables(self) -> dict[str, str]:
        """The theme's colours for the style sheet; none before there is a theme."""
        return super().get_css_variables() if self._sheet_theme else {}

    def refresh_css(self, animate: bool = True) -> None:
        """Read the style sheet anew for another theme; the one that the console began with is in it already."""
        if self.theme != self._sheet_theme:
            self._sheet_theme = self.theme
            super().refresh_css(animate=animate)
            return
        for screen in self.screen_stack:
            screen._css_update_count = self._css_update_count

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, and behind them the one for hostile text."""
        return [*super().get_line_filters(), self._filter]

    @property
    def finish(self) -> Finish:
        """What rows are passed through before they go to the terminal."""
        filters = self.get_line_filters()
        if self._finish is None or self._finish.filters != filters or self._finished_for is not self.palette:
            ground = self.palette.styles["screen"].bgcolor
            background = Color(0, 0, 0) if ground is None else Color.from_rich_color(ground)
            self._finish, self._finished_for = Finish(filters, background), self.palette
        return self._finish

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Send only the cells that changed."""
        exact = ExactUpdate.of(renderable) if isinstance(renderable, ChopsUpdate) else renderable
        first = renderable is not None and not self._batch_count and self.first_painted_at == float("inf")
        if first:
            # Before it is handed on: whoever has seen it may type at once.
            self.first_painted_at = self.clock.monotonic()
        super()._display(screen, exact)
        if first and isinstance(self._driver, TolerantDriver):
            # Much is done behind the first frame, and until then there is nothing to look at.
            self._driver.let_through()

    async def run_action(self, *_: Any, **__: Any) -> bool:
        """No action is ever run by name: not by a link in a reason, not by a default key."""
        return False

    def _fatal_error(self) -> None:
        """A few redacted words instead of a traceback with local variables."""
        from flagconsole.console.crash import crash_words, write_crash_log

        folder = self.options.log_folder
        error = self._exception
        log = None if folder is None else write_crash_log(folder, error, self.options.secrets)
        words = crash_words(error, log, self.in_flight())
        self._exit_renderables = [Group(*(rich_text(row) for row in words.split("\n")))]
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        """Say what happened; not into a terminal that takes nothing any more."""
        if isinstance(self._driver, TolerantDriver) and self._driver.terminal_gone:
            self._exit_renderables.clear()
        super()._print_error_renderables()

    def panic(self, *renderables: Any) -> None:
        """The same for everything else that would print itself."""
        self._fatal_error()

    # life

    def get_default_screen(self) -> ConsoleScreen:
        """The fleet."""
        return FleetScreen()

    def on_mount(self) -> None:
        """Paint first, connect after."""
        self.set_interval(1.0, self._tick)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            try:
                loop.add_signal_handler(name, self.exit, None, 128 + name)
            except (RuntimeError, ValueError):
                break  # not in the main thread: whoever runs us there handles signals
        self.call_after_refresh(lambda: self.run_worker(self._begin()))

    # state

    async def _recall(self, keeper: Keeper) -> None:
        """Read a large cache, after the first paint and before the server is asked."""
        state = await asyncio.to_thread(keeper.recalled, self.state, self.clock)
        self.publish(state, frozenset(state.flags))

    async def _recall_tenants(self, keeper: Keeper) -> None:
        """Read the tenants that were kept: nothing counts them before they are there."""
        kept = await asyncio.to_thread(keeper.tenants)
        if kept is not None and not self.state.tenants:
            state = self.present.state
            known = replace(state, tenants=kept.tenants, tenant_names=kept.tenant_names, profiles=kept.profiles)
            self.publish(known, frozenset())

    async def _begin(self) -> None:
        keeper = self.keeper
        if keeper is not None:
            loop = asyncio.get_running_loop()
            keeper.said = lambda words: call_soon(loop, lambda: self.warn("cache", words))
            if not self.state.loaded and not keeper.at_once:
                await self._recall(keeper)
            await self._recall_tenants(keeper)
            self.warn("cache", keeper.problem)
        self._counter.changed(frozenset(self.state.flags))
        from flagconsole.console.theme_watch import watch_theme

        self.run_worker(watch_theme(self), group="theme")
        await self.session.run()

    def on_unmount(self) -> None:
        """Write what the cache hasn't got yet."""
        if self.keeper is not None:
            self.keeper.close()

    def warn(self, topic: str, words: str) -> None:
        """Tell the user something in the banner; empty ``words`` say that it is no longer so."""
        if self.warnings.get(topic, "") != words:
            self.warnings.pop(topic, None)
            if words:
                self.warnings[topic] = words
            if self.is_running:
                self.paint()

    def dismiss_warnings(self) -> None:
        """The user has read them."""
        self.warnings.clear()
        self.paint()

    def publish(self, state: ConsoleState, changed: frozenset[str]) -> None:
        """Take a new state of the present and paint it; while the past is on screen, that stays."""
        state, urgent = self._attention.look(state, changed, self._now())
        state = replace(state, ledger=self._observed(state))
        if self.traveller.present is not None:
            self.state, changed = self.traveller.take(state), frozenset()
        else:
            self.state, changed = state, changed | urgent
        if state.connection.phase is Phase.LIVE:
            self.session.contacted()
        self.warn("environment", self.place.disagreement(state.connection.environment))
        self.looker.look()
        self.paint(changed)
        self.arming.tick()
        self._counter.changed(changed)

    def write_terminal(self, sequence: str) -> None:
        """Write a control sequence of our own to the terminal, between two frames."""
        if self._driver is not None and sequence:
            self._driver.write(sequence)
            self._driver.flush()

    def copy(self, text: str) -> None:
        """Copy text to where the user can paste it, and say in the ledger what became of it."""
        self.run_worker(self._copy(text), group="copies")

    async def _copy(self, text: str) -> None:
        from flagconsole.console import clipboard

        copied = await asyncio.to_thread(clipboard.copy, text, self.options.log_folder)
        self.write_terminal(copied.sequence)
        self.say(copied.words)

    def ring(self, occasion: str, words: str) -> None:
        """Ring for something that must not be missed, once for each ``occasion``."""
        self.bell_ringer.ring(occasion, words)

    def report(self, action: Action) -> None:
        """An action has moved on."""
        self.publish(model.with_action(self.present.state, action), frozenset())

    def paint_soon(self) -> None:
        """Paint what was counted in the background: now, or with what else is painted within a tenth of a second of the last
        time."""
        rested = self.clock.monotonic() - self._painted_at
        if rested >= PAINT_PACE:
            self.paint()
        elif self._painting is None:
            self._painting = self.set_timer(PAINT_PACE - rested, self.paint)

    def paint(self, changed: frozenset[str] = frozenset()) -> None:
        """Paint the state on the screens that can be seen; ``changed`` flags look different."""
        self._painted_at = self.clock.monotonic()
        if self._painting is not None:
            self._painting.stop()
            self._painting = None
        for screen in self._seen_screens():
            screen.show(changed)

    def _seen_screens(self) -> list[ConsoleScreen]:
        """The screen that can be seen: the one in front, be there boxes over it or not. It hides all that are behind it."""
        return [screen for screen in self.screen_stack if isinstance(screen, ConsoleScreen)][-1:]

    def _tick(self) -> None:
        if left_alone():
            self.exit(0)
        if isinstance(self._driver, TolerantDriver):
            if self._driver.terminal_gone:
                self.exit(None, 128 + signal.SIGHUP)
            if self._driver.caught_up():
                self.screen.refresh()
            self._driver.notice_size(self.size)
        present = self.present.state
        ledger = self._observed(present)
        state, urgent = self._attention.look(present, (), self._now())
        if ledger != present.ledger or urgent:
            self.publish(state, urgent)
        self.arming.tick()
        for screen in self._seen_screens():
            screen.tick()

    def _observed(self, state: ConsoleState) -> tuple[Action, ...]:
        """The ledger with what the instances have confirmed; rings for a kill that has arrived everywhere."""
        from flagconsole.console.own_actions import arrived_words, followed

        ledger = followed(state, self.clock.monotonic(), self.server_now())
        for before, after in zip(state.ledger, ledger, strict=True):
            words = arrived_words(before, after)
            if words:
                self.ring(f"killed {after.key}", words)
        return ledger

    def wish(self) -> Wish:
        """What is on screen beyond what the stream brings."""
        # The last screens are taken down before those who ask are.
        screens = (screen for screen in reversed(self.screen_stack) if isinstance(screen, ConsoleScreen))
        screen = next(screens, None)
        wish = Wish() if screen is None else screen.wish()
        if wish.flag_name is None:
            # Nothing measured is on screen: then what the newest action did is worth asking for.
            from flagconsole.console.own_actions import measured_flag

            wish = wish._replace(flag_name=measured_flag(self.state.ledger, self.server_now()))
        return wish

    @property
    def slow_link(self) -> bool:
        """Whether as little as possible is to travel."""
        return self.manners.slow_link

    def server_now(self) -> float:
        """The server's time of day, in seconds since the epoch; of the moment on screen, where that is of the past."""
        if self.state.past is not None and self.state.past.at is not None:
            return self.state.past.at
        return self._now()

    def _now(self) -> float:
        return self.clock.time() + self.state.connection.skew

    def powers(self) -> Powers:
        """What can be done at the moment."""
        connection = self.state.connection
        if self.state.past is not None:
            return Powers(offline=connection.phase is Phase.OFFLINE, warned=bool(self.warnings), past=True)
        live = connection.phase is Phase.LIVE and not connection.readonly
        return Powers(
            live and connection.may_operate,
            live and connection.may_administer,
            connection.phase is Phase.OFFLINE,
            bool(self.warnings),
            self.arming.armed is not None or (connection.may_arm and self.state.loaded),
        )

    def shown(self) -> Sequence[str]:
        """The names of the flags in the table, in their order."""
        fleet = self.screen_stack[0]
        if not isinstance(fleet, FleetScreen):
            return ()
        if fleet not in self._seen_screens():
            fleet.table.refill()  # nobody has looked at it since another screen was opened
        return fleet.table.keys

    def in_flight(self) -> list[Action]:
        """The actions of this console that the server hasn't answered for."""
        from flagconsole.console.own_actions import in_flight

        return in_flight(self.state.ledger)

    @property
    def must_ask_before_leaving(self) -> bool:
        """Whether something would be left behind: an action without an answer, or a kill that is armed."""
        return bool(self.in_flight()) or self.arming.armed is not None

    # what screens and sheets ask for

    @property
    def console_screen(self) -> ConsoleScreen:
        """The screen in front, without the boxes over it."""
        return next(screen for screen in reversed(self.screen_stack) if isinstance(screen, ConsoleScreen))

    @property
    def sheet_open(self) -> bool:
        """Whether a sheet is open."""
        return any(isinstance(screen, ConsoleScreen) and screen.sheet is not None for screen in self.screen_stack)

    def commands(self) -> list[Command]:
        """What can be pressed here and now."""
        if isinstance(self.screen, ConsoleScreen):
            return self.screen.commands()
        return self.keymap.available(getattr(self.screen, "context", "fleet"), self.powers())

    def keys_changed(self) -> None:
        """The keys that count are other ones now."""
        for footer in self.screen.query(Footer):
            footer.repaint()

    def close_sheet(self) -> None:
        """Close the open sheet."""
        self.console_screen.close_sheet()

    def say(self, notice: str) -> None:
        """Answer a key that could do nothing, in the ledger, until the next key that does something."""
        if notice != self.notice:
            self.notice = notice
            self.paint()

    def say_dead(self, context: str, key: str) -> None:
        """Answer a key that does nothing on the screen of a context: an action that can't be taken now wasn't sent, and why. The
        digit and the Y that follow a K out of habit leave that answer standing."""
        from flagconsole.console.dead_keys import screen_key_words, why_withheld

        command = self.keymap.withheld(context, key, self.powers())
        if command is not None:
            self._withheld_at = self.clock.monotonic()
            self.say(f"{command.label.upper()} not sent: {why_withheld(self.state)}")
        elif not self.withheld_lately:
            self.say(screen_key_words(self.keymap, context, key, self.powers()))

    @property
    def withheld_lately(self) -> bool:
        """Whether an action was refused a moment ago: the digit that follows out of habit is a reason, not a wish to go."""
        return self.clock.monotonic() - self._withheld_at < HABIT

    def selection_changed(self) -> None:
        """The cursor is on another flag: the panes show it."""
        if isinstance(self.screen, ConsoleScreen):
            self.screen.repaint(DetailPane, DetailStrip, FleetCharts, Footer)

    def move_selection(self, rows: int) -> None:
        """Move the fleet's cursor from another screen."""
        self.state = view.moved(self.state, self.shown(), rows)

    def choose_tenant(self, tenant: str | None) -> None:
        """Show effective states for a tenant, or for none."""
        self.state = replace(self.state, tenant=tenant)
        self.paint()

    # going

    @cached_property
    def _navigator(self) -> Navigator:
        """Where commands lead, from the first one on."""
        from flagconsole.console.navigation import Navigator

        return Navigator(self)

    @cached_property
    def switcher(self) -> Switcher:
        """The way to other contexts, from the first look at them on."""
        from flagconsole.console.switching import Switcher

        return Switcher(self)

    def handlers(self) -> Mapping[str, Handler]:
        """What the commands do that mean the same on every screen, by id."""
        return self._navigator.handlers()

    def count_anew(self) -> None:
        """Other flags are on screen: count their tenants."""
        self._counter.changed(frozenset(self.state.flags))

    def impact_of(self, name: str) -> KillImpact | None:
        """What killing a flag would do, as last counted."""
        return self._counter.impact_of(name)

    def use(self, palette: Palette) -> None:
        """Paint with another theme."""
        self.palette = palette
        self.register_theme(palette.textual_theme())
        self.theme = textual_name(palette.name)
        for screen in self.screen_stack:
            for widget in screen.query(Painted):
                widget.repaint()

    def call_command_by_id(self, command_id: str, argument: str = "") -> None:
        """Do what a command means everywhere."""
        self.handlers()[command_id](argument)

    def ask_palette(self, typed: str) -> None:
        """Open the palette with something typed in it already."""
        self._navigator.ask_palette(typed)

    def back(self) -> None:
        """To the previous screen."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def leave(self) -> None:
        """End the console; asks first while an action has no answer yet."""
        if self.must_ask_before_leaving and not self.sheet_open:
            from flagconsole.console.sheets.leaving import LeavingSheet

            self.console_screen.open_sheet(LeavingSheet())
        else:
            self.exit(0)
