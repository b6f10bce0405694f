"""The guards of one phase, each with its own share of the error budget."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.assignment import Assignment
from flagconsole.domain.judge.baseline import Baseline
from flagconsole.domain.judge.broken_tenant import BrokenTenantGuard
from flagconsole.domain.judge.comparison_guard import ComparisonGuard
from flagconsole.domain.judge.critical_guard import CriticalGuard
from flagconsole.domain.judge.gross_guard import GrossGuard
from flagconsole.domain.judge.limit_guard import LimitGuard
from flagconsole.domain.judge.observation import Counts, Observation
from flagconsole.domain.judge.settings import JudgeSettings
from flagconsole.domain.metric import CRITICAL_ERRORS, ERROR_RATE, P95_REGRESSION, SUCCESS_RATE
from flagconsole.domain.plan import Criterion, Evidence, Phase
from flagconsole.domain.urgency import urgency_of
from flagconsole.domain.verdict import CohortBasis, GuardResult

Floats = NDArray[np.float64]
Guard = LimitGuard | GrossGuard | CriticalGuard | ComparisonGuard
#: Which metric a column of the counts speaks for.
METRIC_OF_COLUMN = {
    "errors": ERROR_RATE,
    "slow": P95_REGRESSION,
    "slower": P95_REGRESSION,
    "criticals": CRITICAL_ERRORS,
}


class Fired(NamedTuple):
    """A test that found something: its name, the metric, when, and in a few words what."""

    test: str
    metric: str
    at: float
    why: str


class _Entry(NamedTuple):
    guard: Guard
    metric: str
    budget: float
    why: str


class Guards:
    """Takes in each look and remembers which guards fired. Guards that need a control, or a baseline, are left out where
    there is none."""

    def __init__(
        self, assignment: Assignment, phase: Phase, settings: JudgeSettings, baseline: Baseline | None
    ) -> None:
        canary = assignment.canary
        self._canary = canary
        self._least_ms = phase.min_difference_ms
        self._weights = np.stack([canary, ~canary]).astype(np.float64)
        self._entries: dict[str, _Entry] = {}
        limits = [limit for limit in phase.rollback if _error_limit(limit) is not None]
        for criterion in limits:
            limit, budget = _error_limit(criterion), settings.limit_budget / len(limits)
            assert limit is not None
            guard = LimitGuard(limit, int(canary.sum()), budget, settings.horizon_seconds, settings.half_hour_seconds)
            why = f"the cohort's errors went above {limit * 100:.3g} % and stay there, whichever one tenant is left out"
            self._entries[f"limit {criterion.metric}"] = _Entry(guard, criterion.metric, budget, why)
        errors = None if baseline is None else baseline.rate("errors")
        if assignment.has_control and errors is not None:
            gross = GrossGuard(canary, errors.expected, settings)
            why = "errors reach many tenants of the cohort at once, more than twice as fast as control"
            self._entries["gross failure"] = _Entry(gross, ERROR_RATE, settings.gross_budget, why)
        if assignment.has_control:
            compared = assignment.by_chance if assignment.by_chance.any() else np.ones(canary.size, np.bool_)
            criticals = CriticalGuard(canary, compared, settings.critical_budget)
            why = "critical errors meet the cohort's tenants first"
            self._entries["criticals"] = _Entry(criticals, CRITICAL_ERRORS, settings.critical_budget, why)
        self._rates = {}
        if assignment.basis is CohortBasis.HAND_PICKED and assignment.has_control:
            for column in ("errors", "slow"):
                budget = settings.rank_budget / 2
                rate = None if baseline is None else baseline.rate(column)
                comparison = ComparisonGuard(column, canary, budget, 0.0 if rate is None else rate.drift)
                what = "errors" if column == "errors" else "slow operations"
                why = f"the cohort's {what} are above control's, by tenants"
                self._entries[f"comparison {column}"] = _Entry(comparison, METRIC_OF_COLUMN[column], budget, why)
                if rate is not None:
                    self._rates[column] = rate.expected
        before = 0 if baseline is None else baseline.broken_tenants
        self._broken = None
        if assignment.has_control and baseline is not None:
            self._broken = BrokenTenantGuard(canary, before, settings.confirm_seconds)

    def advance(self, seen: Observation, since_last: Counts) -> None:
        """Take in one look and what happened since the last one."""
        half_hour = seen.last_half_hour
        operations, errors = since_last.operations[self._canary], since_last.errors[self._canary]
        recent, beside = self._sums(half_hour, 0), self._sums(half_hour, 1)
        control_rate = beside[1] / beside[0] if beside[0] > 0 else float("nan")
        for entry in self._entries.values():
            guard = entry.guard
            if isinstance(guard, LimitGuard):
                guard.advance(seen.seconds, operations, errors, recent, control_rate)
            elif isinstance(guard, GrossGuard):
                guard.advance(seen.seconds, since_last.operations, since_last.errors)
            elif isinstance(guard, CriticalGuard):
                guard.advance(seen.seconds, seen.whole_phase.criticals)
            else:
                exposure = seen.whole_phase.operations * self._rates.get(guard.column, 1.0)
                counts = guard.column != "slow" or seen.latencies_differ(self._least_ms)
                guard.advance(seen.seconds, seen.whole_phase.columns()[guard.column], exposure, counts=counts)
        if self._broken is not None:
            self._broken.advance(seen.seconds, half_hour.operations, half_hour.errors)

    def _sums(self, counts: Counts, group: int) -> tuple[float, float]:
        """Operations and errors of the cohort (0) or the control (1)."""
        weights = self._weights[group]
        return float(weights @ counts.operations), float(weights @ counts.errors)

    @property
    def budget(self) -> float:
        """The sum of the guards' shares. The broken tenant's guard has none: nothing bounds it."""
        return sum(entry.budget for entry in self._entries.values())

    @property
    def broken_tenant(self) -> int | None:
        """The place of the tenant that the broken tenant's guard accuses."""
        return None if self._broken is None else self._broken.tenant

    def fired(self) -> list[Fired]:
        """Every guard that fired, in the order of firing."""
        found = [
            Fired(name, entry.metric, entry.guard.fired_at, entry.why)
            for name, entry in self._entries.items()
            if entry.guard.fired_at is not None
        ]
        if self._broken is not None and self._broken.fired_at is not None:
            why = "one tenant of the cohort is broken and no other tenant is"
            found.append(Fired("broken tenant", ERROR_RATE, self._broken.fired_at, why))
        return sorted(found, key=lambda one: one.at)

    def results(self) -> list[GuardResult]:
        """How each guard stands."""
        results = [
            GuardResult(
                guard=name,
                metric=entry.metric,
                urgency=urgency_of(entry.metric),
                budget=entry.budget,
                spent=1.0,
                evidence=1.0 if entry.guard.fired_at is not None else entry.guard.nearness,
                fired_at=entry.guard.fired_at,
                note=entry.why if entry.guard.fired_at is not None else "",
            )
            for name, entry in self._entries.items()
        ]
        if self._broken is not None:
            fired = self._broken.fired_at
            results.append(
                GuardResult(
                    guard="broken tenant",
                    metric=ERROR_RATE,
                    urgency=urgency_of(ERROR_RATE),
                    budget=0.0,
                    spent=0.0,
                    evidence=0.0 if fired is None else 1.0,
                    fired_at=fired,
                    note="heuristic: its share of false alarms is not bounded",
                )
            )
        return results

    def state(self) -> dict[str, Any]:
        """All that has to be kept; JSON."""
        return {
            "guards": {name: entry.guard.state() for name, entry in self._entries.items()},
            "broken": None if self._broken is None else self._broken.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        for name, entry in self._entries.items():
            entry.guard.restore(state["guards"][name])
        if self._broken is not None:
            self._broken.restore(state["broken"])


def _error_limit(criterion: Criterion) -> float | None:
    """The error rate above which a rollback criterion is violated; None where it isn't about errors, or is a threshold."""
    if criterion.evidence is Evidence.THRESHOLD:
        return None
    if criterion.metric == ERROR_RATE and criterion.comparison.upward:
        return criterion.value
    if criterion.metric == SUCCESS_RATE and not criterion.comparison.upward:
        return 1 - criterion.value
    return None
