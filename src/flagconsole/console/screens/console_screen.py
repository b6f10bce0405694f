"""The base of the screens: environment bar, banner, the screen's body, a sheet if one is open, ledger, footer.

All keys come here, and go to the open sheet or through the key map to a handler. There are no Textual bindings and no
``action_*`` methods: nothing that is written in a name or a reason can call anything.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import Worker

from flagconsole.console.doable import can_do
from flagconsole.console.keymap import OF_A_FLAG, TYPING_CONTEXTS, Command
from flagconsole.console.line import BLANK, Line, line
from flagconsole.console.safe import span
from flagconsole.console.type_ahead import passed_on
from flagconsole.console.widgets.banner import Banner
from flagconsole.console.widgets.env_bar import EnvBar
from flagconsole.console.widgets.footer import Footer
from flagconsole.console.widgets.ledger import Ledger
from flagconsole.console.widgets.painted import Painted, ground_rows
from flagconsole.console.wish import Wish

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp
    from flagconsole.console.sheets.sheet import Sheet

LEAST_WIDTH, LEAST_HEIGHT = 60, 20
#: From these sizes on there is room beside the rows, for more there, and for more rows below.
NORMAL_WIDTH, WIDE_WIDTH, TALL_HEIGHT = 100, 140, 32

Handler = Callable[[str], None]


def pressed(event: events.Key) -> str:
    """A key as the key map spells it: the character where it is a printable one, else Textual's name."""
    character = event.character
    return character if character is not None and character.isprintable() and character != " " else event.key


class TooSmall(Painted):
    """What is shown where the screen doesn't fit."""

    def draw(self, width: int, height: int) -> list[Line]:
        """The size there is and the one that is needed."""
        size = self.app.size
        return [
            BLANK,
            line(span(f" {size.width}×{size.height} is too small", "warning")),
            line(f" flagconsole needs {LEAST_WIDTH}×{LEAST_HEIGHT}"),
            BLANK,
            line(span(" ^C", "key"), " leaves", span("   other keys do nothing", "muted")),
        ]


class ConsoleScreen(Screen[None], inherit_bindings=False):
    """A screen of the console. ``context`` is its place in the key map."""

    AUTO_FOCUS = ""
    ALLOW_SELECT = False
    ESCAPE_TO_MINIMIZE = False

    name_in_keymap: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.sheet: Sheet | None = None
        self._resumed = False

    @property
    def console(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    # what a screen is made of

    def body(self) -> Iterable[Widget]:
        """The widgets between the bars."""
        raise NotImplementedError

    def handlers(self) -> Mapping[str, Handler]:
        """What this screen's commands do, by id; the argument is what the palette was given."""
        raise NotImplementedError

    def target(self) -> str | None:
        """The flag that actions on this screen are about."""
        return self.console.state.selected

    def copyable(self) -> str:
        """What ``y`` copies on this screen; empty where there is nothing."""
        return self.target() or ""

    def wish(self) -> Wish:
        """What this screen shows beyond what the stream brings: nothing, unless it says so."""
        return Wish()

    def compose(self) -> ComposeResult:
        """Bars and body. The classes come first, so that the first frame is laid out as all others are."""
        self.update_classes(self.size_classes(), update=False)
        yield EnvBar()
        yield Banner()
        yield from self.body()
        yield Ledger()
        yield Footer()
        yield TooSmall()

    # keys

    @property
    def context(self) -> str:
        """Where keys go at the moment."""
        return self.sheet.context if self.sheet is not None else self.name_in_keymap

    def commands(self) -> list[Command]:
        """What can be pressed here and now."""
        powers = self.console.powers()
        available = self.console.keymap.available(self.context, powers)
        if self.travelling:
            available = [*self.console.keymap.available("travel", powers), *available]
        offers = self.offers if self.sheet is None else self.sheet.offers
        return [command for command in available if offers(command)]

    def offers(self, command: Command) -> bool:
        """Whether a command can do something on this screen now; the footer leaves out what can't. Pressed all the same, it says
        why it does nothing."""
        state, target = self.console.state, self.target()
        if command.id in OF_A_FLAG and target not in state.flags:
            return False
        return can_do(command.id, state, target, self.console.server_now())

    def on_key(self, event: events.Key) -> None:
        """Every key of this screen."""
        event.stop()
        event.prevent_default()
        if passed_on(self, event):
            return
        key = pressed(event)
        if key != "ctrl+c" and self.console.clock.pressed_at(event) < self.console.first_painted_at:
            return
        self.console.touched = True
        if self.too_small:
            if key == "ctrl+c":
                self.console.leave()
            return
        command = self._resolved(key)
        if self.sheet is not None:
            self._key_of_sheet(self.sheet, command, key, event)
        elif not self.takes_text(event, command):
            if command is not None and command.context == "go" and key.isdigit() and self.console.withheld_lately:
                return
            if command is not None:
                self.console.say("")
                self.call_command(command, command.argument_of(key))
            else:
                self.console.say_dead(self.context, key)

    def _key_of_sheet(self, sheet: Sheet, command: Command | None, key: str, event: events.Key) -> None:
        """A key while a sheet is open: its own, text for it, or one that is told that it does nothing."""
        typing = self.context in TYPING_CONTEXTS
        dead = not typing and (command is None or not sheet.takes(command))
        console = self.console
        from flagconsole.console.dead_keys import sheet_key_words

        sheet.answer(sheet_key_words(console.keymap, key, self.commands()) if dead else "")
        if command is None or dead or (typing and command.keys and len(key) == 1):
            sheet.typed(event)
        elif command.id == "sheet.help":
            sheet.typed(event)
            console.handlers()["help"]("")
        else:
            sheet.run(command, key, event)

    @property
    def travelling(self) -> bool:
        """Whether the keys of time travel count here and now."""
        typing = self.sheet is not None or self.context in TYPING_CONTEXTS
        return self.console.state.past is not None and not typing

    def _resolved(self, key: str) -> Command | None:
        """What a key means: while the past is on screen, first what it means for that."""
        powers = self.console.powers()
        travelling = self.console.keymap.resolve("travel", key, powers) if self.travelling else None
        return travelling or self.console.keymap.resolve(self.context, key, powers)

    def takes_text(self, event: events.Key, command: Command | None) -> bool:
        """Whether this screen is taking typed text, and took this key."""
        return False

    def call_command(self, command: Command, argument: str) -> None:
        """Do what a command means on this screen."""
        everywhere: Mapping[str, Handler] = self.console.handlers()
        handler = self.handlers().get(command.id) or everywhere[command.id]
        handler(argument)

    def on_paste(self, event: events.Paste) -> None:
        """A paste is text for an open sheet, never keys."""
        event.stop()
        if self.sheet is not None and not self.too_small:
            self.sheet.pasted(event.text)

    # work

    def background(
        self, work: Callable[[], Coroutine[None, None, None]], *, group: str = "default", exclusive: bool = False
    ) -> None:
        """Run ``work`` beside the event loop's other tasks, for as long as this screen is there. It is a function, not a
        coroutine: one that is replaced before it began has then not been begun."""
        _: Worker[None] = self.run_worker(work, group=group, exclusive=exclusive)

    # sheets

    def open_sheet(self, sheet: Sheet) -> None:
        """Put a sheet over the screen's lower rows; the bars and the rows above stay."""
        if self.sheet is not None:
            return
        if not self.query(Ledger):  # the key was typed before this screen was put together: it counts, a moment later
            self.call_after_refresh(self.open_sheet, sheet)
            return
        self.sheet = sheet
        self.set_class(True, "-sheet")
        self.mount(sheet, before=self.query_one(Ledger))
        self.show(frozenset())

    def sheet_framed(self, height: int) -> None:
        """The open sheet takes ``height`` rows now: what stands above it gives way."""

    def close_sheet(self) -> None:
        """Take the sheet away."""
        if self.sheet is not None:
            self.sheet.remove()
            self.sheet = None
            self.set_class(False, "-sheet")
            self.show(frozenset())

    # showing

    @property
    def too_small(self) -> bool:
        """Whether there is no room for anything but to say so."""
        return self.app.size.width < LEAST_WIDTH or self.app.size.height < LEAST_HEIGHT

    def on_mount(self) -> None:
        """Show what is known already."""
        self.show(frozenset())

    def size_classes(self) -> dict[str, bool]:
        """What the style sheet goes by in this size of the terminal, and what it doesn't."""
        width, height = self.app.size
        return {
            "-narrow": width < NORMAL_WIDTH,
            "-normal": NORMAL_WIDTH <= width < WIDE_WIDTH,
            "-wide": width >= WIDE_WIDTH,
            "-short": height < TALL_HEIGHT,
            "-tall": height >= TALL_HEIGHT,
            "-too-small": self.too_small,
        }

    def on_resize(self) -> None:
        """Fit the new size."""
        self.update_classes(self.size_classes(), animate=False)
        if self.sheet is not None:
            self.sheet.reframe()

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Show what happened while another screen was in front. A new screen has been styled as it was put together."""
        event.refresh_styles = event.refresh_styles and self._resumed
        self._resumed = True
        if self.sheet is not None:
            self.sheet.seen_anew()
        self.show(frozenset())

    def show(self, changed: frozenset[str]) -> None:
        """Paint the app's state; ``changed`` flags look different from before."""
        for widget in self.painted():
            if isinstance(widget, Banner):
                widget.fit()
            if not widget.of_a_sheet:
                widget.repaint()
        if self.sheet is not None and self.sheet.is_mounted:
            self.sheet.updated(changed)

    def repaint(self, *kinds: type[Painted]) -> None:
        """Paint the widgets of these kinds anew. A screen that is being taken down has none of them any more."""
        for widget in self.painted():
            if isinstance(widget, kinds):
                widget.repaint()

    def painted(self) -> Iterator[Painted]:
        """All that this screen shows, from top to bottom. Asked at every key and every change: a query by selectors would match
        each against the style sheet's words."""
        waiting: list[Widget] = [self]
        while waiting:
            node = waiting.pop()
            if isinstance(node, Painted):
                yield node
            else:
                waiting.extend(reversed(node.children))

    def render_lines(self, crop: Region) -> list[Strip]:
        """What is seen where no widget lies."""
        return ground_rows(self, crop)

    def tick(self) -> None:
        """A second has passed: let ages grow."""
        for widget in self.painted():
            if isinstance(widget, Banner):
                widget.fit()
        self.repaint(EnvBar, Banner)
        if self.sheet is not None and self.sheet.is_mounted:
            self.sheet.repaint()
