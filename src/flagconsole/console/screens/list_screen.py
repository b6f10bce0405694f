"""The base of the screens that are a list: a title, rows, and beside or below them more of the row under the cursor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from textual.widget import Widget

from flagconsole.console.keymap import Command, key_name
from flagconsole.console.line import BLANK, Line, cut, folded, line
from flagconsole.console.safe import span
from flagconsole.console.screens.console_screen import Handler
from flagconsole.console.screens.filtered_screen import FilteredScreen
from flagconsole.console.widgets.list_table import ListTable
from flagconsole.console.widgets.painted import Ground, Painted

#: Commands of lists that are about the row under the cursor.
_OF_A_ROW: Final = frozenset({"mark", "watch", "list.more", "list.less"})


class ListTitle(Painted):
    """The row above a list: what it is, and how much of it there is."""

    def __init__(self, screen: ListScreen) -> None:
        super().__init__()
        self._list = screen

    def draw(self, width: int, height: int) -> list[Line]:
        """One row."""
        return [self._list.title_line(width)]


class ListPane(Painted):
    """More of the row under the cursor: beside the list behind a rule, or below it under one."""

    def __init__(self, screen: ListScreen) -> None:
        super().__init__()
        self._list = screen
        self.top = 0

    def draw(self, width: int, height: int) -> list[Line]:
        """The rows that are scrolled into view."""
        if self._list.beside:
            rule = span("│ ", "faint")
            rows = self._view(self._told(width - 3), height, width - 3)
            return [(rule, *(rows[index] if index < len(rows) else BLANK)) for index in range(height)]
        rows = self._view(self._told(width - 2), height - 1, width - 2)
        return [line(span("─" * width, "faint")), *(line(" ", *row) for row in rows)]

    def _told(self, width: int) -> list[Line]:
        """All rows; what is too long goes on below, since it can be scrolled to."""
        return [part for row in self._list.pane_lines(width) for part in folded(row, width)]

    def _view(self, rows: Sequence[Line], height: int, width: int) -> Sequence[Line]:
        """The rows that are scrolled into view; the last one says how many follow, and the key that scrolls to them."""
        self.top = max(0, min(self.top, len(rows) - height))
        seen = rows[self.top : self.top + height]
        below = len(rows) - self.top - len(seen)
        if not below or height < 3:
            return seen
        key = key_name(self.console.keymap.command("list.more").keys[0])
        more = line(span(f"↓ {below + 1} more rows: ", "muted"), span(key, "key"))
        return [*seen[:-1], cut(more, width)]


class ListScreen(FilteredScreen):
    """A list. Subclasses make ``table`` before calling ``super().__init__()``."""

    table: ListTable[Any, Any]

    #: Whether the pane stands beside the list where there is room for both; else it is always below.
    PANE_BESIDE = True
    #: Whether the pane tells more than the rows do: below them it then gets more room than they.
    PANE_TELLS = False

    def __init__(self) -> None:
        super().__init__()
        self.pane = ListPane(self)
        self._filter_text = ""

    # what a subclass says

    def title_line(self, width: int) -> Line:
        """The row above the list."""
        raise NotImplementedError

    def pane_lines(self, width: int) -> Sequence[Line]:
        """More of the row under the cursor; empty where there is none."""
        raise NotImplementedError

    def refill(self) -> None:
        """Give the table the keys of the rows that pass the filter."""
        raise NotImplementedError

    def own_handlers(self) -> Mapping[str, Handler]:
        """What the commands of this list alone do."""
        return {}

    # the list

    def body(self) -> Iterable[Widget]:
        """Title, filter, rows, pane."""
        yield ListTitle(self)
        yield self.filter_line
        with_pane = Ground(self.table, self.pane, classes="list")
        with_pane.set_class(not self.PANE_BESIDE, "-below")
        with_pane.set_class(self.PANE_TELLS, "-telling")
        yield with_pane

    @property
    def beside(self) -> bool:
        """Whether the pane stands beside the list."""
        return self.PANE_BESIDE and not self.has_class("-narrow")

    @property
    def filter_text(self) -> str:
        """The filter that counts."""
        return self._filter_text

    @property
    def filter_counts(self) -> tuple[int, int]:
        """Rows."""
        return len(self.table.keys), self.table.known

    def set_filter(self, text: str) -> None:
        """Show the rows that pass."""
        self._filter_text = text
        self.show(frozenset())

    def offers(self, command: Command) -> bool:
        """What is done with a row where there is one."""
        return super().offers(command) and (command.id not in _OF_A_ROW or self.table.selected is not None)

    def handlers(self) -> Mapping[str, Handler]:
        """What a list's commands do."""
        return {
            **self.table.row_handlers("list"),
            **self.filter_handlers(),
            "list.more": lambda _: self._scroll(1),
            "list.less": lambda _: self._scroll(-1),
            "list.escape": lambda _: self.drop_filter() if self.filter_text else self.console.back(),
            "back": lambda _: self.console.back(),
            "leave": lambda _: self.console.leave(),
            **self.own_handlers(),
        }

    def _scroll(self, rows: int) -> None:
        self.pane.top += rows
        self.pane.repaint()

    def row_changed(self) -> None:
        """The cursor is on another row: its pane begins at its top."""
        self.pane.top = 0
        self.pane.repaint()

    def show(self, changed: frozenset[str]) -> None:
        """Rows first, since the pane shows the one under the cursor."""
        self.refill()
        super().show(changed)

    def tick(self) -> None:
        """Ages."""
        super().tick()
        self.refill()
        self.table.repaint()
        self.pane.repaint()
