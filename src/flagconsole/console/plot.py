"""Charts in text. The only module that knows plotext, and keeps from it what it can't bear: NaN, gaps, and far outliers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeGuard

from flagconsole.domain.text import safe_text

LEAST_WIDTH: Final = 12
LEAST_HEIGHT: Final = 4
#: More than any terminal has; a width that was made up costs memory.
MOST_WIDTH: Final = 400
MOST_HEIGHT: Final = 200
#: The axis ends this far above what 98 % of the values don't exceed, so that one outlier doesn't flatten the rest.
_HEADROOM: Final = 1.5
_ROBUST: Final = 0.98
_TICKS: Final = 5
#: What lines are drawn with: fine dots, or a mark for each.
_FINE: Final = "braille"
_MARKS: Final = ("*", "o", "+", "x", "#", "=", "%", "~")


class Line(NamedTuple):
    """One series. None is a gap."""

    name: str
    values: Sequence[float | None]
    colour: str


def chart(
    title: str,
    lines: Sequence[Line],
    starts: Sequence[datetime],
    *,
    width: int,
    height: int,
    colours: bool,
    marked: bool = False,
) -> str:
    """The lines over ``starts`` as a chart of ``width`` × ``height`` characters; a word where there is nothing to draw.
    ``marked`` draws each line with a mark of its own, which needs no colours to be told from the others."""
    title = safe_text(title, 100)
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return f"{title}: too small for a chart"
    known = [value for line in lines for value in line.values if _drawable(value)]
    if not known:
        return f"{title}: no data"
    top = axis_top(known)
    import plotext

    plotext.clear_figure()
    # Of the size that was asked for, wherever it goes: by itself plotext never draws more than its own terminal holds.
    plotext.limit_size(False, False)
    plotext.theme("clear")
    plotext.plot_size(min(width, MOST_WIDTH), min(height, MOST_HEIGHT))
    plotext.title(title)
    plotext.xlim(0, max(1, len(starts) - 1))
    plotext.ylim(0, top)
    for place, line in enumerate(lines):
        mark = _MARKS[place % len(_MARKS)] if marked else _FINE
        name: str | None = safe_text(line.name, 30)
        for xs, ys in segments(line.values, top):
            draw = plotext.plot if len(xs) > 1 else plotext.scatter
            draw(xs, ys, marker=mark, color=line.colour, label=name)
            name = None
    ticks = _tick_places(len(starts))
    plotext.xticks(ticks, [starts[place].strftime("%H:%M") for place in ticks])
    drawn: str = plotext.build()
    plotext.clear_figure()
    return (drawn if colours else plotext.uncolorize(drawn)).rstrip("\n")


def axis_top(values: Sequence[float]) -> float:
    """Where the axis ends: above nearly all values, and above zero."""
    ordered = sorted(values)
    usual = ordered[math.ceil(_ROBUST * len(ordered)) - 1]
    highest = max(0.0, ordered[-1])
    top = min(usual * _HEADROOM, highest * 1.05) if usual > 0 else highest
    return top or 1.0


def segments(values: Sequence[float | None], top: float) -> Iterator[tuple[list[int], list[float]]]:
    """The pieces between gaps as places and values, clamped to the axis."""
    xs: list[int] = []
    ys: list[float] = []
    for place, value in enumerate(values):
        if _drawable(value):
            xs.append(place)
            ys.append(min(max(0.0, value), top))
        elif xs:
            yield xs, ys
            xs, ys = [], []
    if xs:
        yield xs, ys


def _drawable(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _tick_places(count: int) -> list[int]:
    if count <= _TICKS:
        return list(range(count))
    return [round(index * (count - 1) / (_TICKS - 1)) for index in range(_TICKS)]
