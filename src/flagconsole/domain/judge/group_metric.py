"""Metrics that come as one value per group: what people answered, what services count themselves, what others measured."""

from __future__ import annotations

import math
from dataclasses import replace

from flagconsole.domain.judge.count_ratio import CountRatio, Tally
from flagconsole.domain.judge.interval import joint_freedom
from flagconsole.domain.judge.measurement import Measurement
from flagconsole.domain.judge.observation import GroupValue, MetricValue
from flagconsole.domain.metric import MetricKind
from flagconsole.domain.plan import Criterion

#: Fewer answers than this make no interval.
FEWEST_OBSERVATIONS = 10


def given(criterion: Criterion, value: MetricValue | None) -> Measurement | None:
    """A metric that comes as one number per group. None where the canary's (for a change: either group's) is missing,
    empty or not a number."""
    if value is None or not _usable(value.canary):
        return None
    own, other = value.canary, value.control if _usable(value.control) else None
    assert own is not None
    beside = None if other is None else other.value
    kind = criterion.metric_kind
    if kind is MetricKind.CHANGE:
        changed = _change(own, other) if other is not None else None
        return changed if changed is None or not value.source else replace(changed, error=None, operations=0)
    floor, ceiling = (0.0, 1.0) if kind is MetricKind.RATIO else (-math.inf, math.inf)
    if kind is MetricKind.RATIO and not 0 <= own.value <= 1:
        return None
    error = None if own.count < FEWEST_OBSERVATIONS or value.source else _error(own, kind)
    return Measurement(
        own.value,
        error,
        _freedom(own),
        control_value=beside,
        operations=0 if value.source else own.count,
        tenants=own.tenants or 0,
        floor=floor,
        ceiling=ceiling,
    )


def _error(own: GroupValue, kind: MetricKind) -> float | None:
    """The standard error; for a share never less than what counting alone leaves open."""
    if kind is MetricKind.RATIO:
        middle = (own.value * own.count + 1) / (own.count + 2)
        counting = math.sqrt(middle * (1 - middle) / own.count)
        return counting if own.error is None else max(own.error, counting)
    if own.error is not None:
        return own.error
    return math.sqrt(own.variance / own.count) if own.variance is not None and own.variance >= 0 else None


def _freedom(own: GroupValue) -> float:
    """Too few tenants have no spread of their own to speak of: then one degree, which is as good as no interval."""
    return math.inf if own.error is None else max((own.tenants or 1) - 1.0, 1.0)


def _change(own: GroupValue, other: GroupValue) -> Measurement | None:
    """The canary's value by the control's, minus 1. None for a control of 0, unless events are counted in tenants: then both
    counts tell how much more often they happen."""
    if own.exposure and other.exposure:
        counts = CountRatio(
            Tally(own.value, own.exposure, own.squared), Tally(other.value, other.exposure, other.squared)
        )
        raw = (own.value / own.exposure) / (other.value / other.exposure) - 1 if other.value > 0 else None
        return Measurement(
            counts.value - 1,
            counts=counts,
            raw_value=raw,
            control_value=other.value / other.exposure,
            operations=own.count,
            tenants=own.tenants or 0,
            floor=-1.0,
        )
    if other.value <= 0:
        return None
    error, freedom = None, math.inf
    if own.value > 0 and min(own.count, other.count) >= FEWEST_OBSERVATIONS:
        parts = (_log_variance(own), _freedom(own)), (_log_variance(other), _freedom(other))
        error, freedom = math.sqrt(sum(variance for variance, _ in parts)), joint_freedom(*parts)
    value = own.value / other.value - 1
    return Measurement(
        value,
        error,
        freedom,
        multiplicative=True,
        raw_value=value,
        control_value=other.value,
        operations=own.count,
        tenants=own.tenants or 0,
        floor=-1.0,
    )


def _log_variance(group: GroupValue) -> float:
    """Of the mean's logarithm; for events that are only counted, that of a Poisson count."""
    if group.error is not None:
        return (group.error / group.value) ** 2
    if group.variance is None:
        return 1.0 / group.count
    return group.variance / (group.count * group.value**2)


def _usable(group: GroupValue | None) -> bool:
    # No event in active tenants is a measurement; no answer is none.
    return group is not None and math.isfinite(group.value) and (group.count > 0 or bool(group.exposure))
