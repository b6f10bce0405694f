"""Whom a change reaches, as the sheets and the approvals say it: tenants that gain or lose the feature, and flags that follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flagconsole.console.glyphs import ARROW
from flagconsole.console.line import Line, joined, line, line_width
from flagconsole.console.safe import span
from flagconsole.domain.blast import BlastRadius, DependentChange
from flagconsole.domain.states import FlagState

#: Rows in which the dependents that change are named; the rest is counted.
_ROWS: Final = 3
#: So many of those that stay as they are are named.
_NAMED: Final = 2


def radius_rows(radius: BlastRadius | None, tenants: int, width: int, *, at_most: bool = False) -> list[Line]:
    """Who gains and who loses the feature, and which flags follow. ``at_most``: it may come to less than that."""
    if radius is None:
        return [line(span("TENANTS", "header"), span(" counting …", "muted"))]
    if not tenants:
        return [line(span("TENANTS", "header"), span(" none are known here, so they can't be counted", "warning"))]
    most = "up to " if at_most and radius.losing else ""
    parts = [line(most, span(f"{radius.losing}", "strong"), " lose it")]
    if not at_most:
        parts.insert(0, line(span(f"{radius.gaining}", "strong"), " gain it"))
    if radius.shadow_losing:
        parts.append(line(f"{radius.shadow_losing} stop running it in shadow"))
    parts[-1] = line(*parts[-1], span(f" of {tenants}", "muted"))
    rows = _under("TENANTS ", _fitted(parts, " · ", width - len("TENANTS ")))
    return [*rows, *dependent_rows(radius.dependents, "DEPS    ", width)] if radius.dependents else rows


def dependent_rows(dependents: Sequence[DependentChange], label: str, width: int) -> list[Line]:
    """What becomes of the flags that need the changed one, those with the most tenants first, and which of them stay as they
    are: every one is named or counted. ``label`` stands before the first row, the others begin below their first word."""
    hit = sorted((one for one in dependents if one.tenants), key=lambda one: -one.tenants)
    if not hit:
        known = len(dependents)
        none = f"none of the {known} that need it would change" if known else "no flag needs it"
        return [line(span(label, "header"), span(none, "muted"))]
    room = width - len(label)
    rows = _fitted([_part(one, room) for one in hit], "   ", room)
    named = sum(part.role == "link" for row in rows[:_ROWS] for part in row)
    rest = [words for words in (_more(len(hit) - named), _still(dependents)) if words]
    return _under(label, [*rows[:_ROWS], *(line(span(words, "muted")) for words in rest)])


def _part(dependent: DependentChange, room: int) -> Line:
    part = line(
        span(dependent.flag_name, "link"),
        span(f" {dependent.before.value} {ARROW} {dependent.after.value} for {dependent.tenants}"),
    )
    if dependent.before is FlagState.SHADOW and dependent.after is FlagState.OFF:
        said = line(*part, span(", which nobody sees", "muted"))
        return said if line_width(said) <= room else part
    return part


def _fitted(parts: Sequence[Line], between: str, room: int) -> list[Line]:
    """The parts in as many rows as they need; none is broken."""
    rows: list[Line] = []
    for part in parts:
        candidate = joined([rows[-1], part], between) if rows else part
        if rows and line_width(candidate) <= room:
            rows[-1] = candidate
        else:
            rows.append(part)
    return rows


def _under(label: str, rows: Sequence[Line]) -> list[Line]:
    """The rows behind a label, the others below the first one's first word."""
    return [line(span(label if index == 0 else " " * len(label), "header"), *row) for index, row in enumerate(rows)]


def _more(rest: int) -> str:
    return f"and {rest} more flag{'s' * (rest != 1)}" if rest else ""


def _still(dependents: Sequence[DependentChange]) -> str:
    """Which of them stay as they are for everyone."""
    names = [one.flag_name for one in dependents if not one.tenants]
    if len(names) > _NAMED:
        return f"{len(names)} more that need it stay as they are"
    return (
        f"{' and '.join(names)} stay{'s' * (len(names) == 1)} as {'it is' if len(names) == 1 else 'they are'}"
        if names
        else ""
    )
