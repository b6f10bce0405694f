"""Small charts in braille: two series, limits, a y axis with round numbers; a gap is drawn as a gap.

Pure functions from numbers to rows, half a millisecond a chart. Without colour the control is dotted; on terminals that have
only ASCII the canary is ``*`` and the control ``.``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from flagconsole.console.figures import value_text
from flagconsole.console.line import Line
from flagconsole.console.safe import Span

LEAST_WIDTH: Final = 12
LEAST_HEIGHT: Final = 4

#: The axis ends this far above what nearly all values don't exceed, so that one outlier doesn't flatten the rest.
_ROBUST: Final = 0.98
_HEADROOM: Final = 1.5
#: How high the axis is where everything is zero: an error rate of none is no reason for one that goes to 100 %.
_QUIET: Final = {"ratio": 0.01, "change": 0.01}
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_LABEL: Final = 6
_BLANK: Final = 0x2800
#: Bits of a braille cell by column and row of dots.
_DOTS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


class Series(NamedTuple):
    """One line: its values (None is a gap), the role that it is painted in, and whether it is dotted."""

    values: Sequence[float | None]
    role: str
    dotted: bool = False


class Axis(NamedTuple):
    """The y axis: from where to where, and how the numbers on it read."""

    low: float
    high: float
    kind: str

    @property
    def in_microseconds(self) -> bool:
        """Whether its latencies are best told in microseconds: all of them are below a millisecond."""
        return self.kind == "latency" and self.high <= 1.0

    def place(self, value: float, dots: int) -> int:
        """The row of dots of a value, from the top; values beyond the axis lie on its edge."""
        share = (value - self.low) / (self.high - self.low)
        return round((1.0 - min(1.0, max(0.0, share))) * (dots - 1))


def axis_for(series: Sequence[Series], limits: Sequence[float], kind: str, *, from_zero: bool = True) -> Axis | None:
    """A round axis on which nearly all values and the first limit are seen; None where there is nothing to draw."""
    known = sorted(value for one in series for value in one.values if value is not None and math.isfinite(value))
    if not known:
        return None
    usual = known[math.ceil(_ROBUST * len(known)) - 1]
    high = min(usual * _HEADROOM, known[-1]) if usual > 0 else known[-1]
    low = min(0.0, known[0]) if from_zero else known[max(0, math.floor((1 - _ROBUST) * len(known)) - 1)]
    if limits:
        high, low = max(high, limits[0]), low if from_zero else min(low, limits[0])
    if high <= low:
        high = low + (abs(low) or _QUIET.get(kind, 1.0))
    room = (high - low) * 0.04
    step = _round_step((high - low + room) / 2)
    if kind == "count":
        step = max(1.0, step)
    bottom = math.floor(low / step) * step if low < 0 or not from_zero else 0.0
    top = bottom + 2 * step
    while top < high + room * 0.5:
        top += step
    if kind == "ratio":
        top = min(top, max(1.0, high))
    return Axis(bottom, top, kind)


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least)) if least > 0 else 1.0
    return next(step * power for step in _STEPS if step * power >= least * 0.999)


def chart_rows(
    series: Sequence[Series], limits: Sequence[float], axis: Axis, width: int, height: int, *, ascii_only: bool = False
) -> list[Line]:
    """The chart in ``width`` × ``height`` cells, its axis included. Later series lie over earlier ones."""
    across, down = width - _LABEL - 1, height
    if across < 4 or down < 2:
        return [(Span("too small".ljust(width)[:width], "muted"),)]
    draw = _ascii_cells if ascii_only else _braille_cells
    signs, roles = draw(series, axis, across, down)
    for number, limit in enumerate(limits):
        if axis.low <= limit <= axis.high:
            row = axis.place(limit, down)
            for column in range(across):
                if roles[row][column] == "":
                    signs[row][column], roles[row][column] = "╌", "warning" if number == 0 else "danger"
    labels = {0: axis.high, down - 1: axis.low}
    if down >= 5:
        middle = (axis.low + axis.high) / 2
        labels[axis.place(middle, down)] = middle
    rows = []
    for number in range(down):
        label = _axis_text(labels[number], axis) if number in labels else ""
        edge = "┤" if number in labels else "│"
        rows.append((Span(label.rjust(_LABEL)[:_LABEL] + edge, "faint"), *_runs(signs[number], roles[number])))
    return rows


def sparkline(values: Sequence[float | None], width: int, *, top: float | None = None, ascii_only: bool = False) -> str:
    """The course of a value in one row: height in eighths of braille, a blank where nothing was measured. ``top`` is what
    the full height means; the highest value where it isn't said."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if width < 1 or not known:
        return " " * max(0, width)
    high = max(top or 0.0, max(known)) or 1.0
    places = squeezed(values, width * (1 if ascii_only else 2))
    if ascii_only:
        return "".join(" " if value is None else "_.-=*#"[min(5, int(value / high * 5.99))] for value in places)
    cells = []
    for left, right in zip(places[::2], places[1::2], strict=True):
        bits = 0
        for column, value in ((0, left), (1, right)):
            if value is not None:
                dots = max(1, math.ceil(max(0.0, value) / high * 4 - 1e-9))
                for row in range(4 - min(4, dots), 4):
                    bits |= _DOTS[column][row]
        cells.append(chr(_BLANK + bits) if bits else " ")
    return "".join(cells)


def squeezed(values: Sequence[float | None], places: int) -> list[float | None]:
    """The values in ``places`` places; of several in one the highest is shown: a peak must not be lost."""
    if not values:
        return [None] * places
    shown: list[float | None] = []
    for place in range(places):
        begin = place * len(values) // places
        end = max(begin + 1, (place + 1) * len(values) // places)
        known = [value for value in values[begin:end] if value is not None and math.isfinite(value)]
        shown.append(max(known) if known else None)
    return shown


def _braille_cells(
    series: Sequence[Series], axis: Axis, across: int, down: int
) -> tuple[list[list[str]], list[list[str]]]:
    bits = [[0] * across for _ in range(down)]
    roles = [[""] * across for _ in range(down)]
    dots_across, dots_down = across * 2, down * 4
    for one in series:
        for x, upper, lower in _strokes(one, axis, dots_across, dots_down):
            if one.dotted and x % 3 == 2:
                continue
            column, dots = x >> 1, _DOTS[x & 1]
            for y in range(upper, lower + 1):
                row = y >> 2
                bits[row][column] |= dots[y & 3]
                roles[row][column] = one.role
    signs = [[chr(_BLANK + cell) if cell else " " for cell in row] for row in bits]
    return signs, roles


def _ascii_cells(
    series: Sequence[Series], axis: Axis, across: int, down: int
) -> tuple[list[list[str]], list[list[str]]]:
    signs = [[" "] * across for _ in range(down)]
    roles = [[""] * across for _ in range(down)]
    for one in series:
        for x, upper, lower in _strokes(one, axis, across, down):
            for y in range(upper, lower + 1):
                signs[y][x], roles[y][x] = "." if one.dotted else "*", one.role
    return signs, roles


def _strokes(one: Series, axis: Axis, across: int, down: int) -> list[tuple[int, int, int]]:
    """What to fill of each column: place, upper and lower end. Neighbours are joined, gaps are not."""
    values, count = one.values, len(one.values)
    strokes: list[tuple[int, int, int]] = []
    before: tuple[int, int] | None = None
    for index, value in enumerate(values):
        if value is None or not math.isfinite(value):
            before = None
            continue
        x = index * (across - 1) // max(1, count - 1) if count > 1 else across - 1
        y = axis.place(value, down)
        if before is None:
            strokes.append((x, y, y))
        else:
            from_x, from_y = before
            if x == from_x:
                # Several values in one column: all of them are in it, so that neither a peak nor a dip is lost.
                strokes.append((x, min(y, from_y), max(y, from_y)))
            previous = from_y
            for column in range(from_x + 1, x + 1):
                here = from_y + round((y - from_y) * (column - from_x) / (x - from_x))
                upper, lower = (previous, here) if previous < here else (here, previous)
                if upper != lower:
                    # The corner belongs to the column before; without this a steep line is drawn twice as wide.
                    upper, lower = (upper + 1, lower) if here > previous else (upper, lower - 1)
                strokes.append((column, upper, lower))
                previous = here
        before = (x, y)
    return strokes


def _axis_text(value: float, axis: Axis) -> str:
    if axis.kind in {"ratio", "change"}:
        span = (axis.high - axis.low) * 100
        return f"{value * 100:.{0 if span >= 8 else 1 if span >= 0.8 else 2}f}"
    if axis.in_microseconds:
        return _counted(value * 1000, (axis.high - axis.low) * 1000)
    if axis.kind in {"count", "latency"}:
        return _counted(value, axis.high - axis.low)
    return value_text(value, axis.kind)


def _counted(value: float, span: float) -> str:
    if abs(value) >= 100_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.{0 if span >= 8 or value == round(value) else 1 if span >= 0.8 else 2}f}"


def _runs(signs: Sequence[str], roles: Sequence[str]) -> list[Span]:
    """Cells of one role beside each other as one span. The signs are our own, so they need no gate."""
    spans: list[Span] = []
    start = 0
    for place in range(1, len(signs) + 1):
        if place == len(signs) or roles[place] != roles[start]:
            spans.append(Span("".join(signs[start:place]), roles[start] or "plain"))
            start = place
    return spans
