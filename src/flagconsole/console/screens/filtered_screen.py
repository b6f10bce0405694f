"""The base of the screens whose rows can be filtered: ``/`` and words, kept by Enter, dropped by Esc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual import events

from flagconsole.console.keymap import TYPING_CONTEXTS, Command
from flagconsole.console.screens.console_screen import ConsoleScreen, Handler
from flagconsole.console.text_entry import Entry
from flagconsole.console.widgets.filter_line import FilterLine
from flagconsole.console.widgets.virtual_table import VirtualTable


class FilteredScreen(ConsoleScreen):
    """A screen with a table under a filter line. Subclasses make ``table`` and say what filters."""

    table: VirtualTable[Any]

    def __init__(self) -> None:
        super().__init__()
        self.filter_line = FilterLine(self)

    @property
    def filter_text(self) -> str:
        """The filter that counts."""
        raise NotImplementedError

    @property
    def filter_hint(self) -> str:
        """What can be typed."""
        raise NotImplementedError

    @property
    def filter_counts(self) -> tuple[int, int]:
        """How many rows pass, of how many."""
        raise NotImplementedError

    def set_filter(self, text: str) -> None:
        """Let another filter count, and show what passes."""
        raise NotImplementedError

    @property
    def context(self) -> str:
        """The sheet's, the filter's while it is typed, else the screen's."""
        if self.sheet is None and self.filter_line.entry is not None:
            return "filtering"
        return super().context

    def filter_handlers(self) -> Mapping[str, Handler]:
        """What the commands of filtering do, by id."""
        return {
            "filter": self.begin_filter,
            "filter.keep": lambda _: self._end_filter(),
            "filter.drop": lambda _: self.drop_filter(),
            "filter.down": lambda _: self.table.move(1),
            "filter.up": lambda _: self.table.move(-1),
        }

    def takes_text(self, event: events.Key, command: Command | None) -> bool:
        """While the filter is typed, all that isn't its own command is text."""
        entry = self.filter_line.entry
        if entry is None or self.context not in TYPING_CONTEXTS or command is not None:
            return False
        typed = entry.press(event.key, event.character)
        if typed is not None:
            self._type(typed)
        return True

    def on_paste(self, event: events.Paste) -> None:
        """A paste goes into the filter while that is typed."""
        if self.sheet is None and self.filter_line.entry is not None:
            event.stop()
            self._type(self.filter_line.entry.insert(event.text))
        else:
            super().on_paste(event)

    def begin_filter(self, text: str) -> None:
        """Type a filter, or take the given one."""
        if text:
            self._search(text)
            return
        self.filter_line.entry = Entry.of(self.filter_text)
        self.show(frozenset())

    def drop_filter(self) -> None:
        """Show all rows again."""
        self.filter_line.entry = None
        self.set_filter("")

    def show(self, changed: frozenset[str]) -> None:
        """The filter line is there while there is a filter."""
        self.set_class(self.filter_line.entry is not None or bool(self.filter_text), "-filtered")
        super().show(changed)

    def _end_filter(self) -> None:
        self.filter_line.entry = None
        self.show(frozenset())

    def _type(self, entry: Entry) -> None:
        self.filter_line.entry = entry
        self._search(entry.text)

    def _search(self, text: str) -> None:
        """Show what passes, with the cursor on the first of them: not on whichever stood near the row that it was on before,
        which nobody has chosen."""
        if text != self.filter_text:
            self.set_filter(text)
            if text.strip():
                self.table.move(-len(self.table.keys))
