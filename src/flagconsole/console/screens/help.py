"""Help: made from the key map, so it can't lie."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from flagconsole.console.glyphs import ARROW, EMPTY, STATE_GLYPH
from flagconsole.console.keymap import Command, KeyMap, Powers, key_name
from flagconsole.console.line import BLANK, Line, cell, cells, joined, line, line_width, wrapped
from flagconsole.console.safe import span
from flagconsole.console.screens.console_screen import pressed
from flagconsole.console.text_entry import Entry
from flagconsole.console.type_ahead import passed_on
from flagconsole.console.widgets.detail import columns_of, state_span
from flagconsole.console.widgets.footer import Footer
from flagconsole.console.widgets.painted import Painted
from flagconsole.domain.states import FlagState

_GROUPS: Final = ("act", "see", "move")
#: Cells between the two columns.
_GAP: Final = 3
_MEANING: Final = {FlagState.SHADOW: "read-only", FlagState.CANARY: "cohort", FlagState.KILL: "stopped"}


def help_lines(
    keymap: KeyMap,
    context: str,
    powers: Powers,
    readonly_reason: str,
    width: int,
    offered: Collection[Command] | None = None,
) -> list[Line]:
    """The help for a screen or a sheet; ``width`` cells wide. Where only some keys are ``offered``, it has only those."""
    available = [one for one in keymap.available(context, powers) if offered is None or one in offered]
    act, see, move = ([command for command in available if command.group == name] for name in _GROUPS)
    # Each column as wide as it needs, what is moved by at most half: what is longer goes on in the next row.
    moving = [_heading("MOVE"), *_key_rows(move, (width - _GAP) // 2 if see else width)]
    right = max(map(line_width, moving))
    seeing = [_heading("SEE"), *_key_rows(see, width - _GAP - right)]
    left = max(map(line_width, seeing))
    looking = columns_of(seeing, moving, left + _GAP + right, left) if see else moving
    acting = _key_rows(act, width)
    if not acting:
        acting = [_no_action(keymap, context, powers, readonly_reason)]
    walk = f" {ARROW} ".join(("SENT", "ACCEPTED rev N", "PROPAGATING k/n", "CONFIRMED"))
    safety = (
        "Enter, Space and pastes never confirm; Y only once its sheet is seen",
        "only a revive clears a kill; offline nothing changes, nothing is queued",
    )
    states = joined([_state_line(state) for state in STATE_GLYPH])
    return [
        line(span("ACT", "header"), span("  each asks first", "muted")),
        *acting,
        BLANK,
        *looking,
        BLANK,
        line(span("STATES  ", "header"), *states),
        line(
            span("MARK    ", "header"),
            f"{EMPTY} somebody else changed it since you last looked",
            span("  c: seen", "muted"),
        ),
        line(span("ACTIONS ", "header"), span(walk, "muted")),
        *(line(span("SAFETY  " if index == 0 else " " * 8, "header"), text) for index, text in enumerate(safety)),
    ]


def _no_action(keymap: KeyMap, context: str, powers: Powers, readonly_reason: str) -> Line:
    """Why nothing can be changed from here: because nobody can, or because it may not be done now."""
    missing = any(keymap.withheld(context, key, powers) for command in keymap.commands for key in command.keys)
    if not missing:
        return line(span("  nothing from here", "muted"))
    return line(span(f"  nothing: {readonly_reason or 'the connection is lost'}", "warning"))


def found_lines(keymap: KeyMap, context: str, powers: Powers, wanted: str, width: int) -> list[Line]:
    """The commands of all screens in whose keys, words or help the searched words are: those of this screen first. What is
    longer than ``width`` cells goes on below."""
    words = wanted.casefold().split()
    here, found = set(keymap.available(context, powers)), []
    for command in keymap.commands:
        text = f"{_keys_of(command)} {' '.join(command.words)} {command.label} {command.help}".casefold()
        if all(word in text for word in words):
            found.append(command)
    size = _keys_width(found)
    rows = [row for command in found if command in here for row in _found_rows(command, size, width)]
    others = [
        row
        for command in found
        if command not in here
        for row in _found_rows(command, size, width, where=f"  ({command.context})")
    ]
    heads = [line(span("ON THIS SCREEN", "header"))] if rows else []
    more = [BLANK, line(span("ELSEWHERE, OR NOT NOW", "header")), *others] if others else []
    return [*heads, *rows, *more] or [line(span("no key and no word does that", "muted"))]


def _state_line(state: FlagState) -> Line:
    meaning = _MEANING.get(state)
    return line(state_span(state), span(f": {meaning}" if meaning else "", "muted"))


def _heading(text: str) -> Line:
    return line(span(text, "header"))


def _keys_of(command: Command) -> str:
    return " ".join(key_name(key) for key in command.keys) or f":{command.words[0] if command.words else command.id}"


def _keys_width(commands: Sequence[Command]) -> int:
    """The cells in which every one of these commands' keys is whole."""
    return max((cells(_keys_of(command)) for command in commands), default=0)


def _key_rows(commands: Sequence[Command], width: int) -> list[Line]:
    """Keys and what they do in ``width`` cells; a help that is longer goes on below itself."""
    size = _keys_width(commands)
    rows = []
    for command in commands:
        keys = _keys_of(command)
        for text in wrapped(command.help, width - size - 4):
            rows.append(line("  ", cell(keys, size, "key"), "  ", *text))
            keys = ""
    return rows


def _found_rows(command: Command, size: int, width: int, where: str = "") -> list[Line]:
    called = span((f"  :{command.words[0]}" if command.words else "") + where, "faint")
    *above, last = wrapped(command.help, width - size - 4)
    texts = [*above, (*last, called)]
    if size + 4 + line_width(texts[-1]) > width:
        texts = [*above, last, (called,)]
    return [
        line("  ", cell("" if index else _keys_of(command), size, "key"), "  ", *text)
        for index, text in enumerate(texts)
    ]


class HelpBox(Painted):
    """The help's rows, scrolled where they don't fit."""

    ground = "sheet"

    def __init__(self, context: str) -> None:
        super().__init__()
        self._about = context
        self.top = 0
        #: What is searched for, and whether it is being typed; None where nothing is.
        self.entry: Entry | None = None
        self.typing = False

    @property
    def page(self) -> int:
        """How many rows a page has: one of the page before stays in view."""
        return max(1, self.size.height - 2)

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """The rows in view."""
        console = self.console
        reason = console.state.connection.readonly_reason
        if self.entry is not None and self.entry.text:
            rows = found_lines(console.keymap, self._about, console.powers(), self.entry.text, width - 4)
        else:
            screen = console.console_screen
            offered = screen.commands() if screen.sheet is not None else None
            rows = help_lines(console.keymap, self._about, console.powers(), reason, width - 4, offered)
        room = height - 1
        self.top = max(0, min(self.top, len(rows) - room))
        more = len(rows) - room - self.top
        title = line(" ", span("HELP", "strong"), span(f"  this screen: {self._about}", "muted"))
        if self.entry is not None:
            title = line(*self.entry.line(" search> ", hint="kill, time, tenant …"))
        note = line(span(f"  ↓ {more} more rows: j" if more > 0 else "", "muted"))
        return [joined([title, note]), *(line(" ", *row) for row in rows[self.top : self.top + room])]


class HelpScreen(ModalScreen[None], inherit_bindings=False):
    """The help over the screen that it is about."""

    AUTO_FOCUS = ""

    def __init__(self, context: str) -> None:
        super().__init__()
        self.box = HelpBox(context)

    def compose(self) -> ComposeResult:
        """The box and its keys."""
        yield self.box
        yield Footer()

    @property
    def context(self) -> str:
        """Help, or what is typed into its search."""
        return "filtering" if self.box.typing else "help"

    def on_key(self, event: events.Key) -> None:
        """Scroll, search, or close."""
        event.stop()
        event.prevent_default()
        if passed_on(self, event):
            return
        console, box = self.box.console, self.box
        command = console.keymap.resolve(self.context, pressed(event), console.powers())
        if box.typing and (command is None or len(pressed(event)) == 1):
            self._type(event)
            return
        match command.id if command is not None else "":
            case "help.close":
                if box.entry is None:
                    self.dismiss()
                    return
                box.entry = None
            case "help.search":
                box.entry, box.typing, box.top = Entry(), True, 0
            case "filter.keep":
                box.typing = False
            case "filter.drop":
                box.entry, box.typing = None, False
            case "help.down" | "filter.down":
                box.top += 1
            case "help.up" | "filter.up":
                box.top -= 1
            case "help.page_down":
                box.top += box.page
            case "help.page_up":
                box.top -= box.page
        box.repaint()
        console.keys_changed()

    def _type(self, event: events.Key) -> None:
        entry = (self.box.entry or Entry()).press(event.key, event.character)
        if entry is not None:
            self.box.entry, self.box.top = entry, 0
            self.box.repaint()

    def on_paste(self, event: events.Paste) -> None:
        """A paste is searched for."""
        event.stop()
        if self.box.typing:
            self.box.entry = (self.box.entry or Entry()).insert(event.text)
            self.box.repaint()
