"""The table of the screens that are a list: rows by their keys, of which a filter may let some pass."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, Generic, TypeVar

from flagconsole.console.line import BLANK, Line, line
from flagconsole.console.safe import Span, span
from flagconsole.console.widgets.virtual_table import Column, VirtualTable, fitted, row_line

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")


class ListTable(VirtualTable[Key], Generic[Key, Row]):
    """Rows by their keys. Subclasses say which columns there are, what a row's cells hold, and why there may be none."""

    #: How the sentence begins that says that the filter lets none pass.
    NOTHING: ClassVar[str] = "none"
    #: What can be done about that.
    WAY_OUT: ClassVar[str] = "Esc shows all"

    def __init__(self, on_move: Callable[[], None]) -> None:
        super().__init__()
        self._on_move = on_move
        self._filter = ""
        #: How many rows there are, those that don't pass the filter among them.
        self.known = 0

    # what a subclass says

    def columns(self, width: int) -> Sequence[Column]:
        """The columns that it would have in ``width`` cells; those that don't fit give way."""
        raise NotImplementedError

    def found(self, key: Key) -> Row | None:
        """What a row is about; None where it has just gone."""
        raise NotImplementedError

    def cell_of(self, row: Row, column: Column) -> Span:
        """One cell."""
        raise NotImplementedError

    def none_yet(self) -> Sequence[Line]:
        """Why there are none, and what to do."""
        raise NotImplementedError

    # the table

    def fill(self, keys: Sequence[Key], known: int, filter_text: str) -> None:
        """Show ``keys``, those of ``known`` rows that pass a filter."""
        self.known, self._filter = known, filter_text
        self.take(self.keys if keys == self.keys else keys)

    def moved(self) -> None:
        """The pane tells of another one."""
        self._on_move()

    def shape(self, width: int) -> Sequence[Column]:
        """The columns that fit."""
        return fitted(self.columns(width), width)

    def row(self, key: Key, shape: Sequence[Column], *, cursor: bool) -> Line:
        """One row."""
        row = self.found(key)
        return BLANK if row is None else row_line([self.cell_of(row, column) for column in shape], cursor=cursor)

    def empty(self) -> Sequence[Line]:
        """That the filter lets none pass, else why there are none."""
        if self.known and self._filter:
            return [line(f"  {self.NOTHING} passes the filter ", span(self._filter, "strong"), f"   {self.WAY_OUT}")]
        return self.none_yet()
