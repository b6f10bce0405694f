"""What the judge's verdict suggests to whoever acts: a reason with its figures, and the playbook."""

from __future__ import annotations

from typing import Final

from flagconsole.console.figures import duration_text, limit_text, metric_label, unit_of, with_unit
from flagconsole.console.state import ConsoleState
from flagconsole.console.verdicts import FAIL, failing_since

#: The word in the usual reasons that stands for a metric; a suggestion takes its place.
_STANDS_FOR: Final = {
    "error_rate": "error rate",
    "success_rate": "error rate",
    "latency_p95": "latency",
    "latency_p99": "latency",
    "p95_regression": "latency",
}


def failing_reason(state: ConsoleState, flag_name: str, now: float) -> tuple[str, str] | None:
    """The failing criterion in words with its figures (``error rate 4.21 % > 2.00 % for 2:10``; below its limit
    ``error rate 1.59 %, control 0.39 %, worse for 0:30``), and the usual reason that it
    stands for; None where nothing fails now."""
    rollout = state.rollouts.get(flag_name)
    judged = rollout.judged if rollout is not None and rollout.active else None
    failing = None if judged is None or judged.kind != FAIL else judged.failing
    if failing is None:
        return None
    since = failing_since(state.verdicts.get(flag_name, ()), failing.metric, beyond=failing.beyond)
    lasted = f" for {duration_text(now - since)}" if since is not None else ""
    name = metric_label(failing.metric, unit=False)
    limit = limit_text(failing.comparison, failing.limit, failing.kind)
    unit = unit_of(failing.kind)
    value = with_unit(failing.value, failing.kind)
    if failing.beyond:
        words = f"{name} {value} {limit[0]} {limit[1:]}{f' {unit}' if unit else ''}{lasted}"
    elif failing.control is not None:
        words = f"{name} {value}, control {with_unit(failing.control, failing.kind)}, worse{lasted}"
    else:
        words = f"{name} {value}, worse than control{lasted}"
    return words, _STANDS_FOR.get(failing.metric, "")


def with_suggestion(reasons: tuple[str, ...], suggestion: tuple[str, str] | None) -> tuple[str, ...]:
    """The reasons with the suggested one first; as many as before, and the last one stays."""
    if suggestion is None:
        return reasons
    words, stands_for = suggestion
    usual = [reason for reason in reasons[:-1] if reason != stands_for]
    return (words, *usual[: len(reasons) - 2], reasons[-1])
