"""What was measured, as the charts read it: what is old is never told as now."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

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
