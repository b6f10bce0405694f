"""Aligned tables for terminals and pipes. Everything in a cell passes through ``safe_text`` here."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import click

from flagconsole.domain.text import safe_text

_GAP: Final = "  "
_NARROWEST: Final = 6
#: So much of a text is still worth reading.
_READABLE: Final = 24


class Cell(NamedTuple):
    """A text with the colour and weight it has where colours are wanted."""

    text: str
    colour: str | None = None
    bold: bool = False
    dim: bool = False


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


def table(
    header: Sequence[str], rows: Sequence[Sequence[Cell | str]], *, width: int | None, colours: bool
) -> Iterator[str]:
    """The lines of a table. With a ``width`` the last column is cut until it fits; where that isn't enough, the columns on the
    right go to a line of their own below, since half a name or half a time tells nothing. Without, nothing is cut."""
    cells = [[_safe(item) for item in row] for row in rows]
    texts = [list(header), *([cell.text for cell in row] for row in cells)]
    widths = [max(cell_width(row[column]) for row in texts) for column in range(len(header))]
    parts = [range(len(widths))] if width is None else list(_folded(widths, width))
    for row in [[Cell(name, dim=True) for name in header], *cells]:
        for part in parts:
            shown = _line([row[column] for column in part], [widths[column] for column in part], colours)
            if part.start == 0 or shown:
                yield shown if part.start == 0 else f"{_GAP}{shown}"


def _folded(widths: list[int], available: int) -> Iterator[range]:
    """Which columns go on which line; ``widths`` become what they have there."""
    begin = 0
    while begin < len(widths):
        room = available - (len(_GAP) if begin else 0)
        end, used = begin + 1, widths[begin]
        while end < len(widths):
            least = min(widths[end], _READABLE) if end == len(widths) - 1 else widths[end]
            if used + len(_GAP) + least > room:
                break
            used += len(_GAP) + least
            end += 1
        part = widths[begin:end]
        _shrink(part, room)
        widths[begin:end] = part
        yield range(begin, end)
        begin = end


def _shrink(widths: list[int], available: int) -> None:
    spare = available - len(_GAP) * (len(widths) - 1)
    while sum(widths) > spare:
        # The last column is prose and gives way first, down to a readable rest; then the widest one.
        column = len(widths) - 1 if widths[-1] > _READABLE else max(range(len(widths)), key=widths.__getitem__)
        if widths[column] <= _NARROWEST:
            return
        widths[column] -= 1


def _line(cells: Sequence[Cell], widths: Sequence[int], colours: bool) -> str:
    parts = []
    for cell, width in zip(cells, widths, strict=True):
        text = fitted(cell.text, width)
        padding = " " * (width - cell_width(text))
        parts.append(styled(cell._replace(text=text), colours) + padding)
    return _GAP.join(parts).rstrip()


def styled(cell: Cell, colours: bool) -> str:
    """The cell's text, coloured where colours are wanted."""
    if not colours or not (cell.colour or cell.bold or cell.dim):
        return cell.text
    return click.style(cell.text, fg=cell.colour, bold=cell.bold or None, dim=cell.dim or None)


def _safe(item: Cell | str) -> Cell:
    cell = item if isinstance(item, Cell) else Cell(item)
    return cell._replace(text=safe_text(cell.text))
