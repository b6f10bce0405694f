"""Whom a change reaches, in the words of the sheets."""

from __future__ import annotations

import pytest

from flagconsole.console.line import line_width, text_of
from flagconsole.console.sheets.radius import dependent_rows, radius_rows
from flagconsole.domain.blast import BlastRadius, DependentChange
from flagconsole.domain.states import FlagState

OFF, SHADOW, CANARY = FlagState.OFF, FlagState.SHADOW, FlagState.CANARY
DEPENDENTS = (
    DependentChange("pos.inventory_tracking", 59, OFF, CANARY),
    DependentChange("pos.kitchen_display", 0, OFF, OFF),
    DependentChange("pos.loyalty_points", 499, OFF, SHADOW),
)


def texts(width: int, *, at_most: bool = False) -> list[str]:
    radius = BlastRadius("pos.lite", 500, 499, 0, 0, DEPENDENTS)
    return [text_of(row) for row in radius_rows(radius, 500, width, at_most=at_most)]


@pytest.mark.parametrize("width", [40, 76, 116])
def test_every_dependent_is_there_and_none_is_cut(width: int) -> None:
    rows = texts(width)
    said = " ".join(rows)
    assert "pos.loyalty_points shadow → off for 499" in said
    assert "pos.inventory_tracking canary → off for 59" in said
    assert "pos.kitchen_display stays as it is" in said
    assert all(len(row) <= width or "pos." in row for row in rows)


def test_at_80_columns_each_has_a_row_and_shadow_says_what_that_means() -> None:
    assert texts(76, at_most=True) == [
        "TENANTS up to 499 lose it of 500",
        "DEPS    pos.loyalty_points shadow → off for 499, which nobody sees",
        "        pos.inventory_tracking canary → off for 59",
        "        pos.kitchen_display stays as it is",
    ]


def test_of_many_the_rest_is_counted() -> None:
    many = tuple(
        DependentChange(f"domain.a_flag_with_a_name_{number}", 10 + number, OFF, CANARY) for number in range(9)
    )
    rows = dependent_rows(many, "DEPS   ", 76)
    assert [line_width(row) <= 76 for row in rows] == [True] * 4
    assert text_of(rows[0]) == "DEPS   domain.a_flag_with_a_name_8 canary → off for 18"
    assert text_of(rows[3]) == "       and 6 more flags"
