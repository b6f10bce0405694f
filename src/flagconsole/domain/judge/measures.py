"""Measures what the criteria of a phase are about, with one assignment and one baseline."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain import metric as names
from flagconsole.domain.judge.assignment import Assignment
from flagconsole.domain.judge.baseline import Baseline, Rate
from flagconsole.domain.judge.group_metric import given
from flagconsole.domain.judge.interval import estimate, tail_index
from flagconsole.domain.judge.latency_shape import LatencyShape
from flagconsole.domain.judge.latency_shift import difference_before, shift_by_counts, tail_known
from flagconsole.domain.judge.measurement import Measurement
from flagconsole.domain.judge.observation import Counts, Latency, Observation
from flagconsole.domain.plan import Criterion
from flagconsole.domain.verdict import Contribution

Floats = NDArray[np.float64]


class Measures:
    """Measures metrics for one assignment and baseline."""

    def __init__(self, assignment: Assignment, baseline: Baseline | None) -> None:
        self._canary = assignment.canary
        self._control = ~assignment.canary
        self._tenants = assignment.tenants
        self._rates: dict[str, Rate] = {}
        for name in ("errors", "slow"):
            rate = baseline.rate(name) if baseline is not None else None
            if rate is not None:
                self._rates[name] = rate

    def of(
        self, criterion: Criterion, seen: Observation, *, recent: bool = False, rough: bool = False
    ) -> Measurement | None:
        """The criterion's metric over the phase, or over the last half hour (``recent``; latencies: the last hour).
        None where there is no data, or only NaN. ``rough`` leaves the error of latencies out, which costs most."""
        if criterion.metric in seen.metrics:
            # Also a standard metric, where a plan has it measured elsewhere.
            return given(criterion, seen.metrics[criterion.metric])
        counts = seen.last_half_hour if recent else seen.whole_phase
        own, other = seen.canary_latency, seen.control_latency
        if recent and seen.recent_canary_latency is not None:
            own, other = seen.recent_canary_latency, seen.recent_control_latency or Latency()
        match criterion.metric:
            case names.ERROR_RATE:
                return self._error_rate(counts)
            case names.SUCCESS_RATE:
                return self._success_rate(counts)
            case names.CRITICAL_ERRORS:
                return self._sized(Measurement(float(seen.incidents), floor=0.0), counts)
            case names.LATENCY_P95:
                return self._latency(counts, own.p95, other.p95, own, rough)
            case names.LATENCY_P99:
                return self._latency(counts, own.p99, other.p99, own, rough)
            case names.P95_REGRESSION:
                return self._regression(counts, own, other, rough)
            case _:
                return None

    def _regression(self, counts: Counts, own: Latency, other: Latency, rough: bool) -> Measurement | None:
        """The canary's p95 by the control's, minus 1. What the two groups differed by in the baseline already is taken
        out: by chance a cohort can hold slower customers, and that isn't the rollout's doing. With a baseline there are two
        ways to do that, by the quantiles and by the counts of slow operations; the one that claims less is taken."""
        if not _positive(own.p95) or not _positive(other.p95):
            return None
        assert own.p95 is not None
        assert other.p95 is not None
        raw = own.p95 / other.p95
        shape, rate = LatencyShape(other), self._rates.get("slow")
        value = raw * math.exp(-difference_before(shape, counts, rate, self._canary)) - 1
        error, freedom = None, math.inf
        if not rough and (shift := shift_by_counts(shape, counts, rate, self._canary)) is not None:
            error, freedom = shift.error, shift.freedom
            if shift.log_factor is not None:
                # Where one slow customer makes most of a cohort's tail, the quantile exaggerates what the counts say.
                value = min(value, math.expm1(shift.log_factor), key=abs)
        measured = Measurement(
            value,
            error,
            freedom,
            multiplicative=True,
            raw_value=raw - 1,
            control_value=other.p95,
            floor=-1.0,
        )
        return measured if rough else self._sized(measured, counts)

    def operations(self, seen: Observation) -> int:
        """The cohort's operations in the whole phase."""
        return int(seen.whole_phase.operations[self._canary].sum())

    def top_tenants(self, counts: Counts, column: str, count: int = 3) -> tuple[Contribution, ...]:
        """The cohort's tenants that have most of ``column`` beyond what their own baselines expect."""
        events = counts.columns()[column]
        rate = self._rates.get(column)
        expected = counts.operations * rate.expected if rate is not None else np.zeros(events.size)
        beyond = np.where(self._canary & (events > 0), events - expected, -np.inf)
        order = np.argsort(-beyond, kind="stable")[:count]
        return tuple(
            Contribution(
                tenant_id=self._tenants[index],
                operations=int(counts.operations[index]),
                events=int(events[index]),
                expected=float(expected[index]) if rate is not None else None,
            )
            for index in order
            if beyond[index] > -math.inf
        )

    def _error_rate(self, counts: Counts) -> Measurement | None:
        canary = estimate(counts.errors, counts.operations, self._canary)
        if canary is None:
            return None
        control = estimate(counts.errors, counts.operations, self._control)
        beside = None if control is None else control.value
        return self._sized(
            Measurement(canary.value, canary.error, canary.freedom, control_value=beside, floor=0.0, ceiling=1.0),
            counts,
        )

    def _success_rate(self, counts: Counts) -> Measurement | None:
        failed = self._error_rate(counts)
        if failed is None:
            return None
        beside = None if failed.control_value is None else 1 - failed.control_value
        return self._sized(
            Measurement(1 - failed.value, failed.error, failed.freedom, control_value=beside, floor=0.0, ceiling=1.0),
            counts,
        )

    def _latency(
        self, counts: Counts, own: float | None, other: float | None, group: Latency, rough: bool
    ) -> Measurement | None:
        if not _positive(own):
            return None
        assert own is not None
        canary = None if rough else estimate(counts.slow, counts.operations, self._canary)
        error = (
            None
            if canary is None or not tail_known(canary)
            else math.sqrt(canary.log_variance) / tail_index(group.p95, group.p99)
        )
        beside = other if _positive(other) else None
        freedom = math.inf if canary is None else canary.freedom
        measured = Measurement(own, error, freedom, multiplicative=True, control_value=beside, floor=0.0)
        return self._sized(measured, counts)

    def _sized(self, measured: Measurement, counts: Counts) -> Measurement:
        operations = counts.operations[self._canary]
        return Measurement(
            **(measured.__dict__ | {"operations": int(operations.sum()), "tenants": int((operations > 0).sum())})
        )


def _positive(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0
