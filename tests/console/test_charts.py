"""Small charts: gaps stay gaps, nothing is drawn where nothing was measured, outliers don't flatten the rest."""

from __future__ import annotations

import math
import time

import pytest

from flagconsole.console.charts import Axis, Series, axis_for, chart_rows, sparkline, squeezed

WIDTH, HEIGHT = 60, 9


def drawn(values: list[float | None], limits: tuple[float, ...] = (), *, ascii_only: bool = False) -> list[str]:
    series = [Series(values, "link")]
    axis = axis_for(series, limits, "ratio")
    assert axis is not None
    rows = chart_rows(series, limits, axis, WIDTH, HEIGHT, ascii_only=ascii_only)
    return ["".join(span.text for span in row)[7:] for row in rows]


def columns_with_ink(rows: list[str]) -> set[int]:
    return {place for row in rows for place, sign in enumerate(row) if "\u2801" <= sign <= "\u28ff" or sign == "*"}


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_gap_is_drawn_as_a_gap(ascii_only: bool) -> None:
    rows = drawn([0.01] * 20 + [None] * 20 + [0.01] * 20, ascii_only=ascii_only)
    ink = columns_with_ink(rows)
    assert {0, 10, 45, 52} <= ink
    assert not ink & set(range(19, 34))


@pytest.mark.parametrize("values", [[], [None, None], [math.nan, math.inf, -math.inf]])
def test_nothing_measured_has_no_axis(values: list[float | None]) -> None:
    assert axis_for([Series(values, "link")], (0.01,), "ratio") is None


def test_one_outlier_does_not_flatten_the_rest() -> None:
    axis = axis_for([Series([0.01] * 99 + [50.0], "link")], (), "ratio")
    assert axis is not None
    assert axis.high < 0.05
    rows = chart_rows([Series([0.01] * 99 + [50.0], "link")], (), axis, WIDTH, HEIGHT)
    assert all(sum(len(span.text) for span in row) == WIDTH for row in rows)


def test_the_limit_is_in_view_even_where_the_values_are_far_below() -> None:
    rows = drawn([0.0001] * 30, (0.02,))
    assert any("╌╌╌" in row for row in rows)


def test_a_peak_and_a_dip_between_two_columns_are_not_lost() -> None:
    values: list[float | None] = [0.5] * 600
    values[300], values[301] = 0.9, 0.1
    rows = drawn(values)
    tall = max(sum(1 for row in rows if row[place] not in " ╌") for place in range(WIDTH - 7))
    assert tall >= 4


@pytest.mark.parametrize(
    ("values", "kind", "low", "high"),
    [([0.0, 0.0], "ratio", 0.0, None), ([188.0, 212.0], "latency", 0.0, 400), ([0.048], "ratio", 0.0, 0.05)],
)
def test_axes_are_round(values: list[float | None], kind: str, low: float, high: float | None) -> None:
    axis = axis_for([Series(values, "link")], (), kind)
    assert axis is not None
    assert axis.low == low
    assert axis.high > max(value or 0.0 for value in values)
    if high is not None:
        assert axis.high == pytest.approx(high, rel=0.25)


def test_values_beyond_the_axis_lie_on_its_edge() -> None:
    axis = Axis(0.0, 1.0, "ratio")
    assert (axis.place(5.0, 36), axis.place(-5.0, 36)) == (0, 35)


def test_too_little_room_is_said() -> None:
    (row,) = chart_rows([Series([1.0], "link")], (), Axis(0, 1, "ratio"), 9, 3)
    assert row[0].text.startswith("too small")


def test_a_chart_costs_less_than_half_a_millisecond() -> None:
    values = [0.005 + 0.001 * math.sin(place / 3) for place in range(60)]
    series = [Series(values, "muted", dotted=True), Series(values[::-1], "link")]
    axis = axis_for(series, (0.01,), "ratio")
    assert axis is not None
    best = math.inf
    for _ in range(5):
        began = time.process_time()
        for _ in range(40):
            chart_rows(series, (0.01,), axis, WIDTH, HEIGHT)
        best = min(best, (time.process_time() - began) / 40)
    assert best < 0.0015, "three times the budget: this machine may be busy"


def test_sparkline_shows_the_highest_and_keeps_gaps() -> None:
    line = sparkline([0.0] * 8 + [None] * 8 + [0.0, 1.0] * 4, 12)
    assert len(line) == 12
    assert line[5] == " "
    assert line[-1] == "⣸"
    assert sparkline([], 4) == "    "
    assert sparkline([None], 4) == "    "


def test_squeezing_keeps_the_peak_of_each_place() -> None:
    assert squeezed([1.0, 9.0, 2.0, 3.0, None, None], 3) == [9.0, 3.0, None]


@pytest.mark.parametrize(
    ("values", "kind", "labels"),
    [
        ([0.0, 0.0], "ratio", ["2.0", "1.0", "0.0"]),  # no errors at all: not an axis to 200 %
        ([0.9, 1.0], "ratio", ["100", "50", "0"]),
        ([0.031, 0.043], "latency", ["50", "25", "0"]),  # microseconds
        ([1.2, 1.4], "latency", ["2", "1", "0"]),
        ([3.1, 4.3], "latency", ["5", "2.5", "0"]),
        ([0.0, 0.0], "count", ["2", "1", "0"]),
    ],
)
def test_an_axis_reads_in_numbers_that_differ(values: list[float | None], kind: str, labels: list[str]) -> None:
    series = [Series(values, "link")]
    axis = axis_for(series, (), kind)
    assert axis is not None
    rows = ["".join(span.text for span in row) for row in chart_rows(series, (), axis, WIDTH, HEIGHT)]
    assert [row.split("┤")[0].strip() for row in rows if "┤" in row] == labels
