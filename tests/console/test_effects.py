"""The effect of an action: measured before and after, or not claimed at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flagconsole.console import watched
from flagconsole.console.actions import Action, Kind, Stage
from flagconsole.console.effects import ENOUGH, GIVEN_UP, REPORTED, metric_for, wanted, with_effect
from flagconsole.console.line import Line
from flagconsole.console.metric_windows import GroupRow, MetricWindow
from flagconsole.console.progress import effect_lines
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


def coarse(values: dict[str, list[tuple[float, float]]], newest_at: float, fetched_at: float) -> MetricWindow:
    """Steps of half a minute, the change in the middle of the fourth; by group the rate and the operations of each."""
    starts = tuple(AT - 105 + 30 * index for index in range(max(map(len, values.values()))))
    groups = {
        name: GroupRow(
            0,
            0,
            {},
            {"error_rate": tuple(rate for rate, _ in found), "operations": tuple(count for _, count in found)},
        )
        for name, found in values.items()
    }
    return MetricWindow("pos.lite", 900, fetched_at, starts[0], starts[-1] + 30, 30, newest_at, starts, groups, 0, 0)


FAILED_LATE = {"canary": [(0.0, 10.0), (0.0, 10.0), (0.0, 10.0), (0.18, 10.0), (0.0, 0.0)]}


def test_what_failed_in_the_half_minute_of_the_kill_is_in_the_number_before_it() -> None:
    seen = with_effect(action(), coarse(FAILED_LATE, AT + 5, AT + 5), AT + 5).effect
    assert seen is not None
    assert seen.before == pytest.approx(0.09)
    assert seen.before_seconds == 45


def test_nothing_is_said_of_before_until_the_data_up_to_the_change_has_come() -> None:
    early = coarse({"canary": FAILED_LATE["canary"][:3]}, AT - 15, AT + 1)
    seen = with_effect(action(), early, AT + 1)
    assert seen.effect is None or seen.effect.before is None
    later = with_effect(seen, coarse(FAILED_LATE, AT + 20, AT + 21), AT + 21).effect
    assert later is not None
    assert later.before == pytest.approx(0.09)
    # Where nobody reports any more, what there is is all there will be.
    silent = with_effect(action(), early._replace(fetched_at=AT + REPORTED), AT + REPORTED).effect
    assert silent is not None
    assert silent.before == 0.0


def test_a_step_in_which_the_group_went_on_with_other_tenants_is_no_before() -> None:
    lowered = action(kind=Kind.SET, before="canary 50 %", after="canary 10 %")
    seen = with_effect(lowered, coarse(FAILED_LATE, AT + 20, AT + 21), AT + 21).effect
    assert seen is not None
    assert seen.before == 0.0
    assert seen.before_seconds == 30


def test_the_sheet_names_the_number_that_the_flag_was_killed_for() -> None:
    killed = with_effect(action(judged=0.013), coarse(FAILED_LATE, AT + 5, AT + 5), AT + 5)
    shown = text_of(effect_lines(killed, 76))
    assert "9.00 % → waiting for data since the change" in shown
    assert "canary, 45 s before; the judge saw 1.30 %" in shown
    waiting = text_of(effect_lines(action(judged=0.013), 76))
    assert "waiting for data" in waiting
    assert "the judge saw 1.30 %" in waiting
    done = with_effect(action(judged=0.013), window(AT + 60), AT + 60)
    assert "canary, 60 s before → everyone, off, 55 s since; the judge saw 1.30 %" in text_of(effect_lines(done, 76))


def text_of(rows: list[Line]) -> str:
    return "\n".join("".join(part.text for part in row) for row in rows)


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
