"""The effect of an action: measured before and after, or not claimed at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flagconsole.console import watched
from flagconsole.console.actions import Action, Kind, Stage
from flagconsole.console.effects import ENOUGH, GIVEN_UP, metric_for, wanted, with_effect
from flagconsole.console.metric_windows import GroupRow, MetricWindow
from flagconsole.console.state import ConsoleState
from flagconsole.domain.verdict import VerdictKind

AT = 1_000_000.0
STEP = 5


def action(**more: object) -> Action:
    made = Action(
        "k", Kind.KILL, "pos.lite", "production", "errors", 3, "canary 10 %", AT, metric="error_rate",
        stage=Stage.CONFIRMED, sent_at=10.0, accepted_at=10.0,
    )  # fmt: skip
    return replace(made, **more)


def window(
    until: float, *, canary: float | None = 0.04, off: float | None = 0.004, operations: float = 10
) -> MetricWindow:
    """Fifteen minutes of steps: the canary up to ``AT``, everyone without the feature from then on."""
    starts = tuple(until - 900 + STEP * index for index in range(900 // STEP))
    before = tuple(canary if start + STEP <= AT else None for start in starts)
    after = tuple(off if start >= AT else None for start in starts)

    def group(values: tuple[float | None, ...]) -> GroupRow:
        counts = tuple(None if value is None else operations for value in values)
        return GroupRow(0, 0, {}, {"error_rate": values, "operations": counts})

    groups = {"canary": group(before), "off": group(after)}
    return MetricWindow("pos.lite", 900, until, until - 900, until, STEP, until, starts, groups, 0, 0)


def test_before_enough_was_measured_nothing_is_claimed() -> None:
    seen = with_effect(action(), window(AT + 20), AT + 20).effect
    assert seen is not None
    assert seen.before == pytest.approx(0.04)
    assert seen.after is None


def test_the_effect_names_both_groups_and_how_long_each_was_measured() -> None:
    seen = with_effect(action(), window(AT + 60), AT + 60).effect
    assert seen is not None
    assert (seen.before_group, seen.after_group) == ("canary", "off")
    assert seen.after == pytest.approx(0.004)
    assert seen.before_seconds == 60
    assert ENOUGH <= seen.after_seconds <= 60


def test_what_was_seen_before_the_change_is_kept_when_it_leaves_the_window() -> None:
    first = with_effect(action(), window(AT + 40), AT + 40)
    later = with_effect(first, window(AT + 80, canary=None), AT + 80)
    assert later.effect is not None
    assert later.effect.before == pytest.approx(0.04)
    assert later.effect.after_seconds > first.effect.after_seconds if first.effect else False


@pytest.mark.parametrize("silent", [window(AT + 120, off=None), window(AT + 120, off=0.004, operations=0)])
def test_silence_after_the_change_is_no_success(silent: MetricWindow) -> None:
    seen = with_effect(action(), silent, AT + 120).effect
    assert seen is None or seen.after is None


@pytest.mark.parametrize(
    "other",
    [
        action(stage=Stage.REJECTED),
        action(stage=Stage.UNKNOWN),
        action(changed=False),
        action(metric=""),
        action(kind=Kind.HOLD),
        action(earlier=True),
        action(accepted_at=None),
    ],
    ids=["rejected", "unknown", "no change", "no metric", "no flag change", "of an earlier console", "not accepted"],
)
def test_no_effect_is_looked_for_where_nothing_was_changed_by_it(other: Action) -> None:
    assert not wanted(other, AT + 10)
    assert with_effect(other, window(AT + 60), AT + 60).effect is None


def test_waiting_ends() -> None:
    assert wanted(action(), AT + 10)
    assert not wanted(action(), AT + GIVEN_UP + 1)


def test_of_another_flag_nothing_is_taken() -> None:
    assert with_effect(action(flag_name="pos.other"), window(AT + 60), AT + 60).effect is None


def test_actions_that_are_not_taken_for_a_metric_have_none() -> None:
    assert metric_for(Kind.KILL, None) == "error_rate"
    assert metric_for(Kind.HOLD, None) == ""
    assert metric_for(Kind.OVERRIDE, None) == ""
    assert metric_for(Kind.KILL, None, "latency") == "latency_p95"


@pytest.mark.parametrize("kind", [VerdictKind.FAIL, VerdictKind.INCONCLUSIVE])
async def test_a_kill_for_the_p95_is_looked_at_by_the_p95(server: Any, kind: VerdictKind) -> None:
    name = "pos.loyalty_points"
    server.rollout_of(name)
    server.look(name, server.verdict(name, kind), silent=True)
    row = watched.with_rollouts(ConsoleState(), [server.rollouts_by_flag[name].model_dump(mode="json")]).rollouts[name]
    assert row.verdict is not None
    outcome = "fail" if kind is VerdictKind.FAIL else "inconclusive"
    values = {("rollback", "p95_regression"): (2.75, outcome), ("success", "p95_regression"): (2.75, outcome)}
    criteria = tuple(
        item._replace(value=found[0], outcome=found[1])
        if (found := values.get((item.purpose, item.metric)))
        else item._replace(outcome="pass" if item.outcome == "fail" else item.outcome, value=0.001)
        for item in row.verdict.criteria
    )
    row = row._replace(verdict=row.verdict._replace(criteria=criteria))
    assert metric_for(Kind.KILL, row, "security") == "latency_p95"
