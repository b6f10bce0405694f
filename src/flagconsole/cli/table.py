"""Aligned tables for terminals and pipes. Everything in a cell passes through ``safe_text`` here."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

import click

from flagconsole.domain.text import safe_text

_GAP: Final = "  "
#: What is copied from one command into the next, and what tells rows apart: never cut while something else can go.
_WHOLE: Final = frozenset({"FLAG", "ID", "MESSAGE", "STEP"})
#: How narrow a column may become before a less important one is left out.
_LEAST: Final = {"BY": 8, "WHO": 8, "WHY": 8, "TRIGGER": 8, "TEXT": 8, "OUTPUT": 8, "WHAT": 16, "GETS": 8}
_LEAST_OF_OTHERS: Final = 22
#: Prose is made so wide before times are told at length.
_READABLE: Final = 30
#: What stays longest, the last to go at the beginning.
_MORE: Final = ("FLAG", "ID", "MESSAGE", "WHEN", "STARTED", "STATE", "GETS", "STATUS", "VERIFIED", "VERDICT", "ENDS")
#: What goes first when there isn't room, the first to go at the end.
_LESS: Final = ("BY", "WHY", "OWNER", "TYPE", "EPOCH", "PLAYBOOK", "TRIGGER")


class Cell(NamedTuple):
    """A text with the colour and weight it has where colours are wanted.

    ``short`` says the same where there isn't room for it, and ``unit`` is what the column's name then says besides.
    """

    text: str
    colour: str | None = None
    bold: bool = False
    dim: bool = False
    short: str | None = None
    unit: str = ""


def cell_width(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def fitted(text: str, width: int) -> str:
    """``text`` cut to ``width`` columns, with ``…`` where something is missing."""
    if cell_width(text) <= width:
        return text
    kept, used = "", 0
    for char in text:
        used += cell_width(char)
        if used > width - 1:
            break
        kept += char
    return f"{kept}…"


class Table(NamedTuple):
    """A table's lines, and the names of the columns that there wasn't room for."""

    lines: list[str]
    left_out: list[str]


def table(header: Sequence[str], rows: Sequence[Sequence[Cell | str]], *, width: int | None, colours: bool) -> Table:
    """Lay out a table. With a ``width`` it is made to fit: empty columns go, then times and words are told shortly, then the
    least important columns are cut, then left out. Without one everything stands there."""
    columns = [_Column(name, place, [_safe(row[place]) for row in rows]) for place, name in enumerate(header)]
    left_out: list[str] = []
    if width is None:
        widths = {column.place: column.natural for column in columns}
    else:
        columns = [column for column in columns if not column.is_empty] or columns[:1]
        widths = _fit(columns, width)
        left_out = [column.name for column in columns if column.place not in widths]
        columns = [column for column in columns if column.place in widths]
    sizes = [widths[column.place] for column in columns]
    lines = [_line([column.heading(size) for column, size in zip(columns, sizes, strict=True)], sizes, colours)]
    for row in range(len(rows)):
        cells = [column.told(row, size) for column, size in zip(columns, sizes, strict=True)]
        lines.append(_line(cells, sizes, colours))
    return Table(lines, left_out)


class _Column:
    """A column: its name, its cells, and how wide it would be and must be."""

    def __init__(self, name: str, place: int, cells: Sequence[Cell]) -> None:
        self.name, self.place, self.cells = name, place, cells
        self.natural = max(cell_width(text) for text in (name, *(cell.text for cell in cells)))
        #: Told shortly the whole column is: a time that is shorter in one line only would be read for another one.
        self.unit = next((cell.unit for cell in cells if cell.unit), "")
        self.short_name = f"{name} {self.unit}".strip()
        short = max(cell_width(text) for text in (self.short_name, *(cell.short or cell.text for cell in cells)))
        self.short = min(short, self.natural)
        self.least = self.short if name in _WHOLE or self.unit else min(self.short, _LEAST.get(name, _LEAST_OF_OTHERS))
        # What is lower stays longer; what isn't named above goes from the right.
        more = _MORE.index(name) - len(_MORE) if name in _MORE else 0
        self.importance = (_LESS.index(name) + 1 if name in _LESS else more, place)

    @property
    def is_empty(self) -> bool:
        return bool(self.cells) and not any(cell.text for cell in self.cells)

    def heading(self, width: int) -> Cell:
        """The column's name at this width."""
        return Cell(fitted(self.short_name if width < self.natural else self.name, width), dim=True)

    def told(self, row: int, width: int) -> Cell:
        """A row's cell at this width."""
        cell = self.cells[row]
        whole = self.natural if self.unit else cell_width(cell.text)
        return cell._replace(text=fitted(cell.text if cell.short is None or width >= whole else cell.short, width))


def _fit(columns: Sequence[_Column], available: int) -> dict[int, int]:
    """The widths of those columns that there is room for, by their places. The most important one is always there, if need be cut."""
    chosen: list[_Column] = []
    room = available + len(_GAP)
    for column in sorted(columns, key=lambda column: column.importance):
        if chosen and column.least + len(_GAP) > room:
            break
        chosen.append(column)
        room -= column.least + len(_GAP)
    widths = {column.place: column.least + (min(room, 0) if column is chosen[0] else 0) for column in chosen}

    def grow(column: _Column, to: int) -> None:
        nonlocal room
        more = min(to - widths[column.place], max(room, 0))
        # A part of a time's whole form is of no use.
        if more > 0 and (not column.unit or widths[column.place] + more == column.natural):
            widths[column.place] += more
            room -= more

    for column in chosen:
        if not column.unit:
            grow(column, min(column.natural, max(column.least, _READABLE)))
    for column in sorted(chosen, key=lambda column: not column.unit):
        grow(column, column.natural)
    return {column.place: widths[column.place] for column in columns if column.place in widths}


def _line(cells: Sequence[Cell], widths: Sequence[int], colours: bool) -> str:
    parts = []
    for cell, width in zip(cells, widths, strict=True):
        padding = " " * (width - cell_width(cell.text))
        parts.append(styled(cell, colours) + padding)
    return _GAP.join(parts).rstrip()


def styled(cell: Cell, colours: bool) -> str:
    """The cell's text, coloured where colours are wanted."""
    if not colours or not (cell.colour or cell.bold or cell.dim):
        return cell.text
    return click.style(cell.text, fg=cell.colour, bold=cell.bold or None, dim=cell.dim or None)


def _safe(item: Cell | str) -> Cell:
    cell = item if isinstance(item, Cell) else Cell(item)
    return cell._replace(text=safe_text(cell.text), short=None if cell.short is None else safe_text(cell.short))
