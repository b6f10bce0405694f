"""The Textual app: holds the state, starts the feed, opens screens and sheets, begins actions. Screens do the painting."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from textual.app import App
from textual.filter import LineFilter

from flagconsole.console import actions, view
from flagconsole.console import state as model
from flagconsole.console.actions import IN_FLIGHT, Action, Stage
from flagconsole.console.clock import Clock
from flagconsole.console.counting import Counter
from flagconsole.console.entry import run_console as run_console
from flagconsole.console.feed import Feed, Reader, StreamFactory
from flagconsole.console.impact import KillImpact
from flagconsole.console.keymap import Command, KeyMap, Powers
from flagconsole.console.navigation import Navigator
from flagconsole.console.performer import Changer, Performer
from flagconsole.console.rows import ChangeRow, change_row
from flagconsole.console.safe import HostileFilter, rich_text
from flagconsole.console.screens.console_screen import ConsoleScreen, Handler
from flagconsole.console.screens.fleet import FleetScreen
from flagconsole.console.sheets.leaving import LeavingSheet
from flagconsole.console.state import Connection, ConsoleState, Phase
from flagconsole.console.terminal import TolerantDriver, crash_line, write_crash_log
from flagconsole.console.theme import Palette, textual_name
from flagconsole.console.widgets.footer import Footer
from flagconsole.console.widgets.painted import Painted
from flagconsole.domain.errors import FlagConsoleError

if TYPE_CHECKING:
    from flagconsole.console.journal import Journal
    from flagconsole.domain.views import ChangeResult

HISTORY_PAGE = 100


class Server(Reader, Changer, Protocol):
    """What the console needs of a client."""


class Link(NamedTuple):
    """The way to a server, once its code is loaded."""

    client: Server
    streams: StreamFactory


class Options(NamedTuple):
    """How the console was started. ``secrets`` are never written into a crash log."""

    server: str
    readonly: bool = False
    environment: str = ""
    tenant: str | None = None
    ascii_only: bool = False
    log_folder: Path | None = None
    secrets: tuple[str, ...] = ()


class ConsoleApp(App[int], inherit_bindings=False):
    """The console. ``connect`` gives the way to the server; it is awaited after the first paint."""

    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    TITLE = "flagconsole"

    def __init__(
        self,
        connect: Callable[[], Awaitable[Link]],
        options: Options,
        palette: Palette,
        *,
        keymap: KeyMap | None = None,
        clock: Clock | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.palette = palette
        # Said before Textual looks at NO_COLOR: with native colours it strips them all instead of making greys.
        super().__init__(driver_class=TolerantDriver, ansi_color=None if palette.colour else True)
        self.options = options
        self.keymap = keymap or KeyMap()
        self.clock = clock or Clock()
        self.ascii_only = options.ascii_only
        connection = Connection(
            server=options.server.partition("://")[2] or options.server,
            environment=options.environment,
            readonly=options.readonly,
        )
        self.state = ConsoleState(connection=connection, tenant=options.tenant)
        self.notice = ""
        self.trouble = ""
        self._connect = connect
        self._journal = journal
        self._link: Link | None = None
        self._feed: Feed | None = None
        self._performer: Performer | None = None
        self._filter = HostileFilter()
        self._counter = Counter(self)
        self._navigator = Navigator(self)
        self._first_contact = asyncio.Event()
        self.register_theme(palette.textual_theme())
        self.theme = textual_name(palette.name)

    # Textual's own doors, closed

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, and behind them the one for hostile text."""
        return [*super().get_line_filters(), self._filter]

    async def run_action(self, *_: Any, **__: Any) -> bool:
        """No action is ever run by name: not by a link in a reason, not by a default key."""
        return False

    def _fatal_error(self) -> None:
        """One redacted line instead of a traceback with local variables."""
        folder = self.options.log_folder
        error = self._exception
        log = None if folder is None else write_crash_log(folder, error, self.options.secrets)
        self._exit_renderables.append(rich_text(crash_line(error, log)))
        self._close_messages_no_wait()

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
        for name in (signal.SIGTERM, signal.SIGHUP):
            try:
                loop.add_signal_handler(name, self.exit, None, 128 + name)
            except (RuntimeError, ValueError):
                break  # not in the main thread: whoever runs us there handles signals
        self.call_after_refresh(lambda: self.run_worker(self._live(), exit_on_error=True))

    async def _live(self) -> None:
        """Load the client, see what an earlier console left open, then follow the server."""
        try:
            link = self._link = await self._connect()
        except FlagConsoleError as error:
            self.publish(model.offline(self.state, str(error), None), frozenset())
            return
        self._performer = Performer(
            link.client, self._journal, self.clock, self.options.server, self._position, self.report
        )
        self._feed = Feed(link.client, link.streams, self, self.clock)
        self.run_worker(self._read_back(self._performer), exit_on_error=True)
        await self._feed.run()

    async def _read_back(self, performer: Performer) -> None:
        await self._first_contact.wait()
        await performer.read_back_earlier()
        self._say_journal_trouble(performer)

    def _position(self) -> tuple[str, int]:
        return self.state.epoch, self.state.revision

    # state

    def publish(self, state: ConsoleState, changed: frozenset[str]) -> None:
        """Take a new state and paint it."""
        at = self.clock.monotonic()
        ledger = tuple(actions.observed(action, state.instances, at) for action in state.ledger)
        self.state = replace(state, ledger=ledger)
        if state.connection.phase is Phase.LIVE:
            self._first_contact.set()
        self.paint(changed)
        self._counter.changed(changed)

    def report(self, action: Action) -> None:
        """An action has moved on."""
        self.publish(model.with_action(self.state, action), frozenset())

    def paint(self, changed: frozenset[str] = frozenset()) -> None:
        """Paint the state on the screens that can be seen; ``changed`` flags look different."""
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen) and (screen.is_current or screen in self._background_screens):
                screen.show(changed)

    def _tick(self) -> None:
        at = self.clock.monotonic()
        ledger = tuple(actions.observed(action, self.state.instances, at) for action in self.state.ledger)
        if ledger != self.state.ledger:
            self.state = replace(self.state, ledger=ledger)
            self.paint()
        if isinstance(self.screen, ConsoleScreen):
            self.screen.tick()

    def server_now(self) -> float:
        """The server's time of day, in seconds since the epoch."""
        return self.clock.time() + self.state.connection.skew

    def powers(self) -> Powers:
        """What can be done at the moment."""
        connection = self.state.connection
        live = connection.phase is Phase.LIVE and not connection.readonly
        return Powers(
            live and connection.may_operate, live and connection.may_administer, connection.phase is Phase.OFFLINE
        )

    def shown(self) -> tuple[str, ...]:
        """The names of the flags in the table, in their order."""
        fleet = self.screen_stack[0]
        return fleet.table.shown if isinstance(fleet, FleetScreen) else ()

    def in_flight(self) -> list[Action]:
        """The actions of this console that the server hasn't answered for."""
        return [action for action in self.state.ledger if action.stage in IN_FLIGHT and not action.earlier]

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
        """Answer a key that could do nothing, in the ledger, until the next key."""
        if notice != self.notice:
            self.notice = notice
            self.paint()

    def selection_changed(self) -> None:
        """The cursor is on another flag: the panes show it."""
        for widget in self.screen.query("DetailPane, DetailStrip").results(Painted):
            widget.repaint()

    def move_selection(self, rows: int) -> None:
        """Move the fleet's cursor from another screen."""
        self.state = view.moved(self.state, self.shown(), rows)

    def choose_tenant(self, tenant: str | None) -> None:
        """Show effective states for a tenant, or for none."""
        self.state = replace(self.state, tenant=tenant)
        self.paint()

    def begin(self, action: Action) -> None:
        """Begin an action that was confirmed. Without a live connection it is refused, never kept for later."""
        performer = self._performer
        if performer is None or not self.powers().operate:
            self.report(actions.rejected(action, "not sent: the connection is lost, and nothing is queued"))
            return
        self.report(action)
        self.run_worker(self._perform(performer, action), group="actions", exit_on_error=True)

    async def _perform(self, performer: Performer, action: Action) -> None:
        done = await performer.perform(action)
        if done.stage is Stage.ACCEPTED and self._feed is not None:
            await self._feed.catch_up(done.epoch, done.revision)
        self._say_journal_trouble(performer)

    def _say_journal_trouble(self, performer: Performer) -> None:
        trouble = "journal not written" if performer.journal_problem else ""
        if trouble != self.trouble:
            self.trouble = trouble
            self.paint()

    async def dry_rollback(self, name: str, version: int) -> ChangeResult | str:
        """What a rollback would do, or in words why there is none."""
        from flagconsole.domain.requests import Rollback

        if self._link is None:
            return "not connected"
        try:
            return await self._link.client.rollback(
                name, Rollback(rollback_reason="dry run"), version=version, dry_run=True
            )
        except (FlagConsoleError, OSError) as error:
            return str(error) or type(error).__name__

    async def older_history(self, name: str | None, before: int | None) -> list[ChangeRow] | None:
        """A page of older changes; None where it can't be had, which is said."""
        if self._link is None:
            return None
        try:
            page = await self._link.client.history(name, limit=HISTORY_PAGE, before=before)
        except (FlagConsoleError, OSError) as error:
            self.say(f"older changes can't be had: {error}")
            return None
        return [change_row(item.model_dump(mode="json")) for item in page.changes]

    # going

    def handlers(self) -> Mapping[str, Handler]:
        """What the commands do that mean the same on every screen, by id."""
        return self._navigator.handlers()

    def impact_of(self, name: str) -> KillImpact | None:
        """What killing a flag would do, as last counted."""
        return self._counter.impact_of(name)

    def reconnect(self) -> None:
        """Try the connection now."""
        if self._feed is not None:
            self._feed.reconnect()

    def use(self, palette: Palette) -> None:
        """Paint with another theme."""
        self.palette = palette
        self.register_theme(palette.textual_theme())
        self.theme = textual_name(palette.name)
        for screen in self.screen_stack:
            for widget in screen.query(Painted):
                widget.repaint()

    def back(self) -> None:
        """To the previous screen."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def leave(self) -> None:
        """End the console; asks first while an action has no answer yet."""
        if self.in_flight() and not self.sheet_open:
            self.console_screen.open_sheet(LeavingSheet())
        else:
            self.exit(0)


def as_server(client: object) -> Server:
    """A client as what the console needs of it."""
    return cast("Server", client)
