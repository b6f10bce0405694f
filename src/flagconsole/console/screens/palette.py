"""The command palette: ``:`` and a word, like ``:kill pos.lite`` or ``:theme day``. It calls the same commands as keys do,
so a kill from here still opens its sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from flagconsole.console.frame import LIGHT, framed
from flagconsole.console.glyphs import CURSOR
from flagconsole.console.keymap import Command, key_name
from flagconsole.console.line import BLANK, Line, cell, line
from flagconsole.console.safe import span
from flagconsole.console.screens.console_screen import pressed
from flagconsole.console.sheets.tenant import matching_tenants
from flagconsole.console.state import ConsoleState, Order
from flagconsole.console.text_entry import Entry
from flagconsole.console.theme import theme_files
from flagconsole.console.widgets.footer import Footer
from flagconsole.console.widgets.painted import Painted

MOST: Final = 12
#: Commands that take a flag.
_OF_A_FLAG: Final = frozenset({"kill", "rollback", "revive", "detail", "history"})


class Choice(NamedTuple):
    """One row of the palette: what is called with which argument, how it reads, and what it says beside that."""

    command_id: str
    argument: str
    text: str
    key: str
    note: str


def choices(commands: Iterable[Command], state: ConsoleState, typed: str, most: int = MOST) -> list[Choice]:
    """What the typed text can mean, the likeliest first."""
    word, blank, rest = typed.lstrip(": ").partition(" ")
    word, rest = word.casefold(), rest.strip()
    found: list[Choice] = []
    for command in commands:
        names = [name for name in command.words if name.startswith(word)]
        exact = word in command.words
        if not names or (blank and not exact):
            continue
        name = word if exact else names[0]
        key = key_name(command.keys[0]) if command.keys else ""
        arguments = list(_arguments(command.id, state, rest)) if blank or not _needs_argument(command.id) else []
        if arguments:
            found.extend(
                Choice(command.id, value, f"{name} {value}".rstrip(), key, note) for value, note in arguments[:most]
            )
        elif not rest:
            found.append(Choice(command.id, "", name, key, command.help))
    if not found and word:
        # A flag's name alone is a wish to see it.
        found = [Choice("detail", name, name, "d", row.setting) for name, row in state.flags.items() if word in name]
    return found[:most]


def _needs_argument(command_id: str) -> bool:
    return command_id in {"theme", "tenant", "filter", "order"}


def _arguments(command_id: str, state: ConsoleState, typed: str) -> Iterable[tuple[str, str]]:
    wanted = typed.casefold()
    if command_id in _OF_A_FLAG:
        names = sorted(state.flags, key=lambda name: (name != state.selected, name))
        return [(name, state.flags[name].setting) for name in names if wanted in name.casefold()]
    match command_id:
        case "theme":
            return [(name, "") for name in theme_files() if wanted in name]
        case "tenant":
            known = [(name, state.tenant_names[name]) for name in matching_tenants(state, typed, MOST)]
            return known or ([(typed, "not a known tenant")] if typed else [])
        case "order":
            return [(order.value, "") for order in Order if wanted in order.value]
        case "filter":
            return [(typed, "")] if typed else []
    return []


class PaletteBox(Painted):
    """The typed text and the choices."""

    ground = "sheet"

    def __init__(self, commands: Sequence[Command]) -> None:
        super().__init__()
        self._commands = commands
        self.entry = Entry()
        self.marked = 0

    def choices(self) -> list[Choice]:
        """What can be chosen now."""
        return choices(self._commands, self.console.state, self.entry.text)

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """The rows."""
        inner = width - 4
        rows = [self.entry.line(": ", hint="a word: kill, history, filter, tenant, theme …"), BLANK]
        found = self.choices()
        for index, choice in enumerate(found):
            mark = span(f"{CURSOR} " if index == self.marked else "  ", "key")
            text = line(mark, cell(choice.text, max(30, inner // 2), "strong"), cell(choice.key, 4, "key"))
            rows.append(line(*text, span(choice.note, "muted")))
        if not found:
            rows.append(line(span("  nothing here has that name", "muted")))
        title = line(span("GO", "strong"), span("  a kill from here still opens its sheet", "muted"))
        return framed(rows, title, "⏎ run · ↑↓ choose · Esc close", width, height, box=LIGHT)


class PaletteScreen(ModalScreen[Choice | None], inherit_bindings=False):
    """The palette over a screen; it is dismissed with the choice, or None."""

    AUTO_FOCUS = ""

    def __init__(self, commands: Sequence[Command]) -> None:
        super().__init__()
        self.box = PaletteBox([command for command in commands if command.words])

    def compose(self) -> ComposeResult:
        """The box and its keys."""
        yield self.box
        yield Footer()

    @property
    def context(self) -> str:
        """Choosing."""
        return "choice"

    def on_key(self, event: events.Key) -> None:
        """Type, mark, run."""
        event.stop()
        event.prevent_default()
        console, box = self.box.console, self.box
        key = pressed(event)
        command = console.keymap.resolve("choice", key, console.powers()) if len(key) > 1 else None
        found = box.choices()
        match command.id if command is not None else "":
            case "choice.take":
                if found:
                    self.dismiss(found[min(box.marked, len(found) - 1)])
                return
            case "choice.close":
                self.dismiss(None)
                return
            case "choice.down":
                box.marked = min(max(0, len(found) - 1), box.marked + 1)
            case "choice.up":
                box.marked = max(0, box.marked - 1)
            case _:
                entry = box.entry.press(event.key, event.character)
                if entry is not None:
                    box.entry, box.marked = entry, 0
        box.repaint()

    def on_paste(self, event: events.Paste) -> None:
        """A paste is text, not a choice."""
        event.stop()
        self.box.entry, self.box.marked = self.box.entry.insert(event.text), 0
        self.box.repaint()
