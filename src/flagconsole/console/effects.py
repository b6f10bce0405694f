"""What an action did to the metric that it was taken for: measured before and after, never estimated.

Before is the last minute in which the change wasn't there, of the group that had the feature, up to the moment of the change.
After is what was measured since, of the same group where it still is there, else of those who no longer have it. Where
nothing was measured, nothing is claimed, and before what was measured up to the change has arrived, neither.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from flagconsole.console.actions import UNSPREAD, Action, Effect, Kind, Stage
from flagconsole.console.metric_windows import CANARY, CONTROL, OFF, ON, SHADOW, MetricWindow
from flagconsole.console.nearing import nearest_limit
from flagconsole.console.rollouts import RolloutRow, kind_of
from flagconsole.console.rulings import nearest_to_failing
from flagconsole.console.verdicts import FAIL

#: Seconds before the change that are compared.
BEFORE: Final = 60.0
#: Seconds after the change that belong to neither: instances are still switching.
SETTLING: Final = 2.0
#: So many seconds of data make an effect; up to ``LONGEST`` seconds are taken in, then it stands.
ENOUGH: Final = 30.0
LONGEST: Final = 120.0
#: Seconds after the change at which what was measured before it is all that will come, though none says that it goes up to it.
REPORTED: Final = 60.0
#: An effect that can't be measured so long after the change is given up.
GIVEN_UP: Final = 900.0
#: Metrics that can be averaged from the steps of a window.
_MEASURABLE: Final = frozenset({"error_rate", "success_rate", "latency_p95", "latency_p99", "csat"})
_DRAWN_AS: Final = {"p95_regression": "latency_p95", "critical_errors": "error_rate", "ticket_increase": "error_rate"}
#: The reasons of the sheets that name a metric.
_NAMED_BY: Final = {"error rate": "error_rate", "latency": "latency_p95"}
_SETTLED: Final = frozenset({Stage.ACCEPTED, Stage.PROPAGATING, Stage.PARTIAL, Stage.CONFIRMED})
#: Actions that are taken for what a metric does.
_FOR_A_METRIC: Final = frozenset({Kind.KILL, Kind.ROLLBACK, Kind.PLAYBOOK, Kind.SET})


def metric_for(kind: Kind, rollout: RolloutRow | None, reason: str = "") -> str:
    """The metric whose effect an action is looked at: the one that fails, or is near its limit while the judge still waits;
    else the one that the reason names, else the one that is nearest to failing, else the error rate. Empty for actions that
    are not taken for a metric."""
    if kind not in _FOR_A_METRIC:
        return ""
    metric = _pressing(rollout) or _NAMED_BY.get(reason) or _nearest(rollout)
    metric = _DRAWN_AS.get(metric, metric)
    return metric if metric in _MEASURABLE else "error_rate"


def _pressing(rollout: RolloutRow | None) -> str:
    """The metric that fails, or is near its limit; empty where none is."""
    judged = rollout.judged if rollout is not None and rollout.active else None
    if rollout is None or judged is None:
        return ""
    found = judged.failing if judged.kind == FAIL else nearest_limit(rollout)
    if found is not None:
        return found.metric
    return next((guard.metric for guard in judged.guards if guard.fired), "") if judged.kind == FAIL else ""


def _nearest(rollout: RolloutRow | None) -> str:
    nearest = None if rollout is None or not rollout.active else nearest_to_failing(rollout)
    return "error_rate" if nearest is None else nearest.metric


def judged_value(metric: str, rollout: RolloutRow | None) -> float | None:
    """What the judge last saw of a metric over the phase: the number that an action is taken for. None where it saw none."""
    judged = rollout.judged if rollout is not None and rollout.active else None
    rows = () if judged is None else judged.criteria
    return next((row.value for row in rows if row.metric == metric and row.value is not None), None)


def wanted(action: Action, now: float) -> bool:
    """Whether measurements since the action are still needed; ``now`` is the server's time."""
    at = action.accepted_time
    if not action.metric or at is None or action.stage not in _SETTLED or action.kind in UNSPREAD or not action.changed:
        return False
    done = action.effect is not None and action.effect.after_seconds >= LONGEST - 30
    return not done and not action.earlier and now - at < GIVEN_UP


def with_effect(action: Action, window: MetricWindow | None, now: float) -> Action:
    """The action with its effect as far as it is measured. What was measured before the change is kept once it is known."""
    at = action.accepted_time
    if window is None or at is None or window.flag_name != action.flag_name or not wanted(action, now):
        return action
    effect = _before(action, window, at)
    since = at + SETTLING
    until = min(window.until, since + LONGEST)
    groups = [effect.before_group, OFF, SHADOW, CONTROL] if effect.before_group else [OFF, CANARY, ON]
    for group in groups:
        seconds = _measured_seconds(window, group, action.metric, since, until)
        if seconds >= ENOUGH and seconds > effect.after_seconds:
            after = window.between(group, action.metric, since, until)
            effect = effect._replace(after=after, after_group=group, after_seconds=seconds)
            break
        if seconds >= ENOUGH:
            break
    return action if effect == action.effect else replace(action, effect=effect)


def _before(action: Action, window: MetricWindow, at: float) -> Effect:
    """The effect with the metric before the change. It grows with what arrives late, and is kept when it leaves the window."""
    known = action.effect or Effect(action.metric, kind_of(action.metric), None, "", 0.0)
    if (window.newest_at or 0.0) < at and window.fetched_at < at + REPORTED:
        return known
    # Of a coarse window at least the last whole step.
    since = min(at - BEFORE, at - 2 * window.step)
    for group in (CANARY, ON, SHADOW):
        value, seconds = window.up_to(group, action.metric, since, at, cut=_ends(action, group))
        if value is not None:
            better = seconds <= BEFORE and not seconds < known.before_seconds <= BEFORE
            if known.before is None or better:
                return known._replace(before=value, before_group=group, before_seconds=seconds)
            return known
    return known


def _ends(action: Action, group: str) -> bool:
    """Whether nobody is in the group after the action: then all that its last step holds was before it."""
    return action.kind is Kind.KILL or action.after.partition(" ")[0] != group


def _measured_seconds(window: MetricWindow, group: str, metric: str, since: float, until: float) -> float:
    values = window.series(group, metric)
    steps = [
        start
        for start, value in zip(window.starts, values, strict=True)
        if value is not None and start >= since and start + window.step <= until
    ]
    return float(len(steps) * window.step)
