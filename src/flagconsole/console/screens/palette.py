"""The command palette: ``:`` and a word, like ``:kill pos.lite`` or ``:theme day``. It calls the same commands as keys do,
so a kill from here still opens its sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from flagconsole.console.dead_keys import why_withheld
from flagconsole.console.frame import LIGHT, framed
from flagconsole.console.glyphs import CURSOR
from flagconsole.console.keymap import Command
from flagconsole.console.line import BLANK, Line, cell, cells, line, wrapped
from flagconsole.console.safe import span
from flagconsole.console.screens.console_screen import pressed
from flagconsole.console.suggestions import Choice, choices, why_nothing
from flagconsole.console.text_entry import Entry
from flagconsole.console.type_ahead import passed_on
from flagconsole.console.widgets.footer import Footer
from flagconsole.console.widgets.painted import Painted


class PaletteBox(Painted):
    """The typed text and the choices."""

    ground = "sheet"

    def __init__(self, commands: Sequence[Command], withheld: Sequence[Command], typed: str = "") -> None:
        super().__init__()
        self._commands = commands
        self._withheld = withheld
        self.entry = Entry.of(typed)
        self.marked = 0

    def choices(self) -> list[Choice]:
        """What can be chosen now."""
        console = self.console
        # The flag that the screen is about comes first, which needn't be the one under the fleet's cursor.
        state = replace(console.state, selected=console.console_screen.target())
        return choices(self._commands, state, self.entry.text, console.server_now())

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """The rows."""
        inner = width - 4
        rows = [self.entry.line(": ", hint="a word: kill, history, filter, tenant, theme …"), BLANK]
        found = self.choices()
        # The words take what they need, so that the notes are whole; where they aren't, they go on below if there is room for all.
        longest_note = max((cells(choice.note) for choice in found), default=0)
        size = min(
            max((cells(choice.text) for choice in found), default=0), max(30, inner // 2, inner - 8 - longest_note)
        )
        room, beside = height - 2 - len(rows) - len(found), inner - size - 8
        whole = sum(len(wrapped(choice.note, beside, most=3)) - 1 for choice in found) <= room
        for index, choice in enumerate(found):
            mark = span(f"{CURSOR} " if index == self.marked else "  ", "key")
            note = choice.note if whole else _shortened(choice.note, beside)
            first, *more = wrapped(note, beside, "muted", most=max(0, min(room, 2)) + 1)
            rows.append(line(mark, cell(choice.text, size, "strong"), "  ", cell(choice.key, 4, "key"), *first))
            rows.extend(line(" " * (size + 8), *text) for text in more)
            room -= len(more)
        if not found:
            why = why_nothing(self._commands, self._withheld, self.entry.text, why_withheld(self.console.state))
            rows += [line("  ", *text) for text in wrapped(why, inner - 2, "muted", most=2)]
        title = line(span("GO", "strong"), span("  a kill from here still opens its sheet", "muted"))
        return framed(rows, title, "⏎ run · ↑↓ choose · Tab complete · Esc close", width, height, box=LIGHT)


def _shortened(note: str, width: int) -> str:
    """What a command does without how, where both don't fit: up to the colon, or the first comma."""
    return next(
        (said for said in (note, note.partition(": ")[0], note.partition(", ")[0]) if cells(said) <= width), note
    )


class PaletteScreen(ModalScreen[Choice | None], inherit_bindings=False):
    """The palette over a screen; it is dismissed with the choice, or None."""

    AUTO_FOCUS = ""

    def __init__(self, commands: Sequence[Command], withheld: Sequence[Command] = (), typed: str = "") -> None:
        super().__init__()
        self.box = PaletteBox([command for command in commands if command.words], withheld, typed)

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
        if passed_on(self, event):
            return
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
            case "choice.complete":
                if found:
                    box.entry, box.marked = Entry.of(found[min(box.marked, len(found) - 1)].text + " "), 0
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
