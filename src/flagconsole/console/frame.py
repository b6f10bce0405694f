"""A box around rows: heavy for sheets, which ask for something; light for boxes that only show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from flagconsole.console.line import BLANK, Line, cut, cut_text, line, line_width, pad
from flagconsole.console.safe import span


class Box(NamedTuple):
    """The signs of a frame."""

    left_above: str
    flat: str
    right_above: str
    side: str
    left_below: str
    right_below: str


HEAVY: Final = Box("┏", "━", "┓", "┃", "┗", "┛")
LIGHT: Final = Box("┌", "─", "┐", "│", "└", "┘")


def framed(
    rows: Sequence[Line],
    title: Line,
    note: str,
    width: int,
    height: int,
    role: str = "border",
    box: Box = HEAVY,
    note_role: str = "muted",
) -> list[Line]:
    """``rows`` in a box of exactly ``width`` × ``height`` cells with a title above and a note below; the surplus is cut."""
    flat = box.flat
    body = [*rows[: max(0, height - 2)], *[BLANK] * (height - 2 - len(rows))]
    above = cut(line(" ", *title, " "), width - 4)
    below = cut_text(note, width - 8)
    below = f" {below} " if below else ""
    edge = span(box.side, role)
    top = line(
        span(box.left_above + flat, role), *above, span(flat * (width - 3 - line_width(above)) + box.right_above, role)
    )
    rule = flat * max(0, width - 3 - line_width(line(span(below))))
    bottom = line(span(box.left_below + rule, role), span(below, note_role), span(flat + box.right_below, role))
    return [top, *(line(edge, " ", *pad(row, width - 4), " ", edge) for row in body), bottom]
