"""What was measured, as the charts read it: what is old is never told as now."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from flagconsole.console.chart_wall import Chart, chart_box
from flagconsole.console.line import text_of
from flagconsole.console.metric_windows import GroupRow, MetricWindow
from flagconsole.console.widgets.rollout_pane import course_line, course_lines

UNTIL, STEP = 10_000.0, 30
STARTS = tuple(UNTIL - 900 + STEP * index for index in range(30))


def window(canary_until: float) -> MetricWindow:
    """A canary with 28.81 % errors until then, and everyone else without trouble until now."""

    def group(rate: float, until: float) -> GroupRow:
        rates = tuple(rate if start < until else None for start in STARTS)
        counts = tuple(None if value is None else 20.0 for value in rates)
        return GroupRow(0, 0, {}, {"error_rate": rates, "operations": counts})

    groups = {"canary": group(0.2881, canary_until), "off": group(0.003, UNTIL)}
    return MetricWindow("pos.lite", 900, UNTIL, UNTIL - 900, UNTIL, STEP, UNTIL, STARTS, groups, 0, 0)


def shown(found: MetricWindow) -> str:
    state = cast("Any", SimpleNamespace(metrics={"pos.lite": found}))
    pane = course_lines(state, "pos.lite", UNTIL + 2, 60, ascii_only=False)
    strip = course_line(state, "pos.lite", UNTIL + 2, 100, ascii_only=False)
    return "\n".join(text_of(row) for row in (*pane, strip))


def test_a_running_canary_is_told_with_its_newest_value_and_its_age() -> None:
    text = shown(window(UNTIL))
    assert text.count("28.81") == 2
    assert text.count("2.0s old") == 2


def test_a_killed_canarys_last_errors_are_not_told_as_now() -> None:
    text = shown(window(UNTIL - 120))
    assert "28.81" not in text
    assert text.count("none for 2m02s") == 2
    assert " old" not in text


def of_groups(**spans: tuple[int, int]) -> MetricWindow:
    """A window in which each group was measured from one step to another."""

    def group(first: int, last: int) -> GroupRow:
        rates = tuple(0.01 if first <= place <= last else None for place in range(30))
        counts = tuple(20.0 if value is not None else 0.0 for value in rates)
        return GroupRow(0, 0, {}, {"error_rate": rates, "operations": counts})

    groups = {name: group(*span) for name, span in spans.items()}
    return MetricWindow("pos.lite", 900, UNTIL, UNTIL - 900, UNTIL, STEP, UNTIL, STARTS, groups, 0, 0)


@pytest.mark.parametrize(
    ("spans", "judged"),
    [
        ({"on": (0, 9), "off": (10, 19), "shadow": (20, 29)}, "shadow"),
        ({"shadow": (0, 20), "canary": (20, 29), "control": (20, 29)}, "canary"),
        ({"canary": (0, 29), "control": (0, 29), "on": (29, 29)}, "on"),
        ({"canary": (0, 9), "control": (0, 9), "off": (10, 29)}, "canary"),
        ({"off": (0, 29)}, "off"),
        ({}, "canary"),
    ],
)
def test_the_lines_are_of_whom_the_flag_has_gone_on_to(spans: dict[str, tuple[int, int]], judged: str) -> None:
    found = of_groups(**spans)
    assert found.judged_group == judged
    if found.measured_until(judged) == UNTIL:
        text = shown(found)
        assert text.count(f"{judged}, last 15:00") == 1
        assert text.count("2.0s old") == 2


def test_a_chart_in_shadow_shows_shadow_and_names_no_group_of_before() -> None:
    found = of_groups(on=(0, 9), off=(10, 19), shadow=(20, 29))
    box = "\n".join(map(text_of, chart_box(Chart("error_rate", "ratio"), found, 60, 10)))
    assert "shadow 1.00" in box
    assert "–" not in box
