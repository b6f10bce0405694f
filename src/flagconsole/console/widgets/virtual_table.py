"""A table of which only the rows in view are drawn, so that a hundred thousand cost no more than twenty.

The cursor follows a row's key, never its number: rows may come, go and change places under it. Subclasses say which keys
there are, which columns fit, and how one row reads.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from textual import events

from flagconsole.console.glyphs import CURSOR
from flagconsole.console.line import BLANK, Line, cell
from flagconsole.console.safe import Span, span
from flagconsole.console.widgets.painted import Painted

Key = TypeVar("Key", bound=Hashable)


class Column(NamedTuple):
    """A column: its id, its heading, its width in cells, whether its values stand at the right; where room is short
    those with the lowest ``spare`` have it first (0 always). Of what is left over each takes what it needs to have ``most``
    cells, those at the left first, and one that ``grows`` takes the rest."""

    id: str
    heading: str
    width: int
    right: bool = False
    spare: int = 0
    grows: bool = False
    most: int = 0


def fitted(wanted: Sequence[Column], width: int) -> list[Column]:
    """The columns that fit into ``width`` cells, behind the cursor's cell and with one blank before each."""
    chosen = [column for column in wanted if not column.spare]
    for spare in sorted({column.spare for column in wanted if column.spare}):
        more = [column for column in wanted if column in chosen or column.spare == spare]
        chosen = more if _needed(more) <= width else chosen
    left = width - _needed(chosen)
    for index, column in enumerate(chosen):
        extra = max(0, min(left, column.most - column.width))
        chosen[index] = column._replace(width=column.width + extra)
        left -= extra
    growing = [index for index, column in enumerate(chosen) if column.grows]
    if left > 0 and growing:
        share, rest = divmod(left, len(growing))
        for place, index in enumerate(growing):
            extra = share + (rest if place == len(growing) - 1 else 0)
            chosen[index] = chosen[index]._replace(width=chosen[index].width + extra)
    elif left < 0:
        widest = max(range(len(chosen)), key=lambda index: chosen[index].width)
        chosen[widest] = chosen[widest]._replace(width=max(8, chosen[widest].width + left))
    return chosen


def _needed(columns: Sequence[Column]) -> int:
    return 1 + sum(column.width + 1 for column in columns)


def heading_line(columns: Sequence[Column], sorted_by: str = "") -> Line:
    """The columns' headings; the one that the rows are sorted by stands out."""
    parts: list[Span] = [span(" ")]
    for column in columns:
        role = "strong" if column.id == sorted_by else "header"
        parts.extend((span(" "), cell(column.heading, column.width, role, right=column.right)))
    return tuple(parts)


_GAP = span(" ")


def row_line(cells: Sequence[Span], *, cursor: bool) -> Line:
    """One row: the cursor's cell, then ``cells``, which have their columns' widths already."""
    parts: list[Span] = [span(CURSOR if cursor else " ", "key")]
    for item in cells:
        parts.extend((_GAP, item))
    return tuple(parts)


class VirtualTable(Painted, Generic[Key]):
    """A heading and rows. ``keys`` is in the order of the rows; assign a new sequence, never change it in place."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: Sequence[Key] = ()
        self.top = 0
        self._position = 0
        self._selected: Key | None = None

    # what a subclass says

    def shape(self, width: int) -> Sequence[Column]:
        """The columns for a table of ``width`` cells."""
        raise NotImplementedError

    def row(self, key: Key, shape: Sequence[Column], *, cursor: bool) -> Line:
        """One row."""
        raise NotImplementedError

    def heading(self, shape: Sequence[Column]) -> Line:
        """The row above the rows."""
        return heading_line(shape)

    def empty(self) -> Sequence[Line]:
        """What is said where there are no rows: why, and what to do."""
        return ()

    def moved(self) -> None:
        """The cursor is on another row."""

    # the cursor

    @property
    def selected(self) -> Key | None:
        """The key of the row under the cursor."""
        return self._selected

    def select(self, key: Key | None) -> None:
        """Put the cursor on a row."""
        self._selected = key

    @property
    def position(self) -> int:
        """The number of the row under the cursor; 0 where it is on none."""
        keys, here, selected = self.keys, self._position, self.selected
        if not (here < len(keys) and keys[here] == selected):
            self._position = keys.index(selected) if selected in keys else 0
        return self._position

    def take(self, keys: Sequence[Key]) -> None:
        """Show other rows, or the same in another order: the cursor stays on its row, else goes to the neighbour of it."""
        if keys is not self.keys:
            before, self.keys = self.position, keys
            if self.selected not in keys:
                self._position = min(before, max(0, len(keys) - 1))
                self.select(keys[self._position] if keys else None)
        elif self.selected is None and keys:
            self.select(keys[0])

    def move(self, rows: int) -> None:
        """Move the cursor ``rows`` down (up where negative), stopping at the ends."""
        if self.keys:
            self._position = max(0, min(len(self.keys) - 1, self.position + rows))
            self.select(self.keys[self._position])
            self.moved()
            self.repaint()

    @property
    def page(self) -> int:
        """How many rows a page has: one of the page before stays in view."""
        return max(1, self.size.height - 2)

    def row_handlers(self, context: str) -> Mapping[str, Callable[[str], None]]:
        """What the commands that move the cursor do, by id."""
        return {
            f"{context}.down": lambda _: self.move(1),
            f"{context}.up": lambda _: self.move(-1),
            f"{context}.page_down": lambda _: self.move(self.page),
            f"{context}.page_up": lambda _: self.move(-self.page),
            f"{context}.first": lambda _: self.move(-len(self.keys)),
            f"{context}.last": lambda _: self.move(len(self.keys)),
        }

    # drawing

    def draw(self, width: int, height: int) -> list[Line]:
        """The heading and as many rows as there is room for, with the cursor's among them."""
        shape = self.shape(width)
        rows = [self.heading(shape)]
        if not self.keys:
            return [*rows, BLANK, *self.empty()]
        room, position = max(0, height - 1), self.position
        self.top = max(0, min(self.top, position, max(0, len(self.keys) - room)))
        if room and position >= self.top + room:
            self.top = position - room + 1
        for number, key in enumerate(self.keys[self.top : self.top + room], start=self.top):
            rows.append(self.row(key, shape, cursor=number == position))
        return rows

    def ground_of(self, row: int) -> str:
        """The row under the cursor has a ground of its own."""
        return "cursor" if row > 0 and self.keys and self.top + row - 1 == self.position else self.ground

    # the mouse (with --mouse)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row that was clicked."""
        number = self.top + event.y - 1
        if event.y > 0 and number < len(self.keys):
            self.move(number - self.position)

    def on_mouse_scroll_down(self) -> None:
        """Move down."""
        self.move(3)

    def on_mouse_scroll_up(self) -> None:
        """Move up."""
        self.move(-3)
