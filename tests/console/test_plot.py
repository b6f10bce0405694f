"""Charts: gaps stay gaps, outliers flatten nothing, and nothing can make plotext hang or a terminal obey."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from flagconsole.console.plot import Line, axis_top, chart, segments

BEGIN = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def drawn(*values, name="canary", width=60, height=12, colours=False, title="error rate"):
    starts = [BEGIN + timedelta(seconds=30 * number) for number in range(len(values))]
    return chart(title, [Line(name, values, "red")], starts, width=width, height=height, colours=colours)


def braille(text):
    return sum("\u2801" <= char <= "\u28ff" for char in text)


def test_a_line_is_drawn_with_name_title_and_times():
    text = drawn(*(number % 7 for number in range(60)))
    assert braille(text) > 40
    assert "canary" in text
    assert "error rate" in text
    assert "03:00" in text
    assert len(text.splitlines()) == 12
    assert max(len(line) for line in text.splitlines()) <= 60


def test_a_gap_is_drawn_as_a_gap():
    whole = drawn(*[5.0] * 60)
    broken = drawn(*[5.0] * 20, *[None] * 20, *[5.0] * 20)
    assert braille(broken) < braille(whole) * 0.75
    assert list(segments([1, None, 2, 3, None], 10)) == [([0], [1]), ([2, 3], [2, 3])]
    assert broken.count("canary") == 1


def test_one_value_between_gaps_is_a_point():
    assert braille(drawn(None, None, 3.0, None)) >= 1


@pytest.mark.parametrize("values", [(), (None, None), (math.nan, math.inf, None)])
def test_nothing_to_draw_is_said(values):
    assert drawn(*values) == "error rate: no data"


@pytest.mark.parametrize(("width", "height"), [(11, 12), (60, 3), (0, 0)])
def test_too_small_is_said(width, height):
    assert drawn(1, 2, width=width, height=height) == "error rate: too small for a chart"


def test_the_smallest_and_the_largest_are_drawn():
    assert drawn(1, 2, 3, width=12, height=4)
    assert len(drawn(1, 2, 3, width=10**9, height=10**9).splitlines()) <= 200


def test_an_outlier_is_clamped_and_does_not_flatten_the_rest():
    values = [10.0 + number % 3 for number in range(200)]
    assert axis_top([*values, 1e9]) <= 18
    assert [ys for _, ys in segments([1.0, 1e9, -5.0], 18)] == [[1.0, 18, 0.0]]
    assert braille(drawn(*values, 1e9)) > 40


@pytest.mark.parametrize(("values", "top"), [([0.0], 1.0), ([0.0] * 99 + [4.0], 4.0), ([2.0], 2.1), ([-3.0], 1.0)])
def test_the_axis_ends_above_zero(values, top):
    assert axis_top(values) == pytest.approx(top)


def test_colours_only_where_they_are_wanted():
    assert "\x1b[" not in drawn(1, 2, 3)
    assert "\x1b[" in drawn(1, 2, 3, colours=True)


def test_hostile_names_are_made_safe():
    text = drawn(1, 2, 3, name="\x1b[2Jx", title="\x07t")
    assert "\x1b" not in text
    assert "\x07" not in text


def test_two_charts_share_nothing():
    drawn(*[100.0] * 30, name="before")
    assert "before" not in drawn(1, 2, 3)
