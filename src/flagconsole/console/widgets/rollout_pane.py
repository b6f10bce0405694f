"""A flag's rollout in the fleet's side panel and strip: the plan's phases, what is judged, the reason, a sparkline of errors."""

from __future__ import annotations

from typing import Final

from flagconsole.console.ages import age_role, age_text, ago_words
from flagconsole.console.attention import Problem
from flagconsole.console.charts import sparkline
from flagconsole.console.figures import (
    NOTHING,
    OUTCOME_ROLE,
    OUTCOME_SIGN,
    OUTCOME_WORD,
    duration_text,
    limit_text,
    metric_label,
    value_text,
)
from flagconsole.console.line import Line, cell, joined, line, line_width, wrapped
from flagconsole.console.metric_windows import MetricWindow
from flagconsole.console.rollouts import RolloutRow
from flagconsole.console.safe import span
from flagconsole.console.state import ConsoleState
from flagconsole.console.verdicts import FAIL, OUTCOME_RANK, CriterionRow
from flagconsole.domain.duration import part_of

#: Criteria that are shown, the worst first.
MOST: Final = 6
#: The metrics whose course is shown, by the name of their series.
COURSES: Final = (("error_rate", "err %", "ratio"), ("latency_p95", "p95 ms", "latency"))


def problem_lines(problem: Problem | None, width: int) -> list[Line]:
    """Why a flag needs attention; nothing where it doesn't."""
    if problem is None:
        return []
    return wrapped(f"{problem.sign} {problem.word}: {problem.why}", width, problem.role, most=4)


def missing_line(missing: str) -> Line:
    """That it isn't known whether there is a rollout, and why."""
    return line(span(f"its rollout: {missing}", "warning"))


def rollout_lines(rollout: RolloutRow | None, now: float, width: int) -> list[Line]:
    """Phase, rail, pauses, criteria with value and limit. Nothing where no rollout is under way."""
    if rollout is None or not rollout.active or rollout.current is None:
        return []
    least, fresh = rollout.current.min_seconds, rollout.fresh_seconds
    time = f"{part_of(fresh, least)} fresh" if least else f"{duration_text(fresh)} fresh"
    rows = [
        line(span(rollout.phase, "strong"), span(f"  {time}", "muted")),
        _rail(rollout),
    ]
    if rollout.progression_paused:
        rows.append(line(span("‖ progression paused", "warning")))
        if rollout.pause_reason and (rollout.judged is None or rollout.judged.kind != FAIL):
            rows += wrapped(f"“{rollout.pause_reason}”", width, "muted", most=2)
    if rollout.exposure_frozen:
        rows.append(line(span("‖ exposure frozen", "warning")))
    return [*rows, *criteria_lines(rollout, now, width)]


def _rail(rollout: RolloutRow) -> Line:
    """The phases by their shares: ``shadow✓ 10● 50· 100·``."""
    parts = []
    for index, phase in enumerate(item for item in rollout.phases if item.kind != "cleanup"):
        sign = "✓" if index < rollout.position else "●" if index == rollout.position else "·"
        role = "good" if sign == "✓" else "strong" if sign == "●" else "faint"
        parts.append(line(span(f"{'shadow' if phase.kind == 'shadow' else phase.percentage}{sign}", role)))
    return joined(parts, " ")


def criteria_lines(rollout: RolloutRow, now: float, width: int) -> list[Line]:
    """The worst finding on each metric, beside its limit; how old the look is."""
    judged = rollout.judged
    if judged is None:
        return [line(span("○ not judged in this phase yet", "warning"))]
    worst: dict[str, CriterionRow] = {}
    for row in judged.criteria:
        known = worst.get(row.metric)
        if known is None or OUTCOME_RANK[row.outcome] < OUTCOME_RANK[known.outcome]:
            worst[row.metric] = row
    rows = sorted(worst.values(), key=lambda row: OUTCOME_RANK[row.outcome])
    figure = 8 if width >= 40 else 7
    size = max(10, width - 2 * figure - 1)
    heads = [cell("now", figure, "header", right=True), cell("limit", figure + 1, "header", right=True)]
    lines = [line(cell("CRITERIA", size, "header"), *heads)]
    for row in rows[:MOST]:
        name = f"{OUTCOME_SIGN[row.outcome]} {metric_label(row.metric, row.kind, unit=width >= 40)}"
        limit = limit_text(row.comparison, row.limit, row.kind)
        role = OUTCOME_ROLE[row.outcome]
        lines.append(
            line(
                cell(name, size, role if row.outcome == "fail" else "plain"),
                cell(value_text(row.value, row.kind), figure, role if row.outcome == "fail" else "strong", right=True),
                cell(limit, figure + 1, "muted", right=True),
            )
        )
    if len(rows) > MOST:
        lines.append(line(span(f"and {len(rows) - MOST} more", "muted")))
    looked = now - judged.at
    late = looked > 3 * (rollout.current.tick_seconds if rollout.current is not None else 60.0)
    word = span(f"{OUTCOME_SIGN[judged.shown]} {OUTCOME_WORD[judged.shown]}", OUTCOME_ROLE[judged.shown])
    lines.append(line(word, span(f"  looked {ago_words(looked)}", "danger" if late else "muted")))
    return lines


def course_lines(state: ConsoleState, name: str, now: float, width: int, *, ascii_only: bool) -> list[Line]:
    """How errors and latency went in the window at hand: a sparkline each with the newest value, and how old that is."""
    window = state.metrics.get(name)
    if window is None:
        return []
    age = window.age(now)
    if age is None:
        return [line(span("nothing was measured yet", "muted"))]
    rows = [
        line(cell(label, 7, "muted"), *_course(window, metric, kind, max(8, width - 16), ascii_only=ascii_only))
        for metric, label, kind in COURSES
    ]
    word = duration_text(window.window)
    if width >= 40:
        word += f" per {duration_text(window.step)}"
    ended = _ended(window, now)
    if ended:
        return [*rows, line(span(f"{window.judged_group}, last {word}, ", "muted"), span(ended))]
    return [
        *rows,
        line(span(f"{window.judged_group}, last {word}, ", "muted"), span(f"{age_text(age)} old", age_role(age))),
    ]


def _ended(window: MetricWindow, now: float) -> str:
    """What is said instead of an age where others are measured still, but not whom the lines are about: a killed canary's
    last errors are no errors of now. Empty where they are measured too."""
    until = window.measured_until(window.judged_group)
    if until is None or window.newest_at is None or window.newest_at - until < 3 * window.step:
        return ""
    return f"none for {age_text(now - until)}"


def course_line(state: ConsoleState, name: str, now: float, width: int, *, ascii_only: bool) -> Line:
    """The same in one row."""
    window = state.metrics.get(name)
    age = None if window is None else window.age(now)
    if window is None or age is None:
        return ()
    ended = _ended(window, now)
    # The row's own error rate is the judge's, of the whole phase; what stands here is the newest step alone.
    last = line(span(f"per {duration_text(window.step)}, ", "muted"))
    last += line(span(ended) if ended else span(f"{age_text(age)} old", age_role(age)))
    rest = line_width(last) + sum(len(label) + 11 for _, label, _ in COURSES)  # with figures and gaps
    size = max(8, (width - rest) // len(COURSES))
    parts = [
        line(span(f"{label} ", "muted"), *_course(window, metric, kind, size, ascii_only=ascii_only))
        for metric, label, kind in COURSES
    ]
    return joined([*parts, last])


def _course(window: MetricWindow, metric: str, kind: str, width: int, *, ascii_only: bool) -> Line:
    values = window.drawn(window.judged_group, metric)
    newest = window.newest(window.judged_group, metric)
    shown = NOTHING if newest is None else value_text(newest, kind)
    return line(span(sparkline(values, width, ascii_only=ascii_only), "strong"), cell(shown, 8, "plain", right=True))
