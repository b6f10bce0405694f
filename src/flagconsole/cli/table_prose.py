"""Tables whose last columns are prose: who did something and why goes on below the row where there is no room beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flagconsole.cli.table import Cell, Table, cell_width, table
from flagconsole.cli.wrapping import wrapped
from flagconsole.domain.text import safe_text

#: In less than this nobody reads a reason.
_READABLE: Final = 24
_INDENT: Final = "    "


def table_with_prose(
    header: Sequence[str], rows: Sequence[Sequence[Cell | str]], prose: int, *, width: int, colours: bool
) -> Table:
    """The table in one line a row; where its last ``prose`` columns would be left out or hardly be read, they stand whole below
    each row, from word to word, as in ``who: why``."""
    beside = table(header, rows, width=width, colours=colours)
    told = set(header[-prose:])
    plain = table(header, rows, width=width, colours=False).lines[0]
    longest = max((cell_width(_text(row[-1])) for row in rows), default=0)
    room = width - plain.rindex(header[-1]) if header[-1] not in beside.left_out else 0
    if not told & set(beside.left_out) and room >= min(longest, _READABLE):
        return beside
    first = table(header[:-prose], [row[:-prose] for row in rows], width=width, colours=colours)
    lines = first.lines[:1]
    for line, row in zip(first.lines[1:], rows, strict=True):
        said = ": ".join(text for part in row[-prose:] if (text := _text(part)))
        lines += [line, *wrapped(f"{_INDENT}{said}", width).splitlines()]
    return Table(lines, first.left_out)


def _text(part: Cell | str) -> str:
    return safe_text(part.text if isinstance(part, Cell) else part, 2000)
