"""By how much a cohort's latencies moved against the control's, as the counts of slow operations tell it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.baseline import Rate
from flagconsole.domain.judge.interval import Estimate, estimate, joint_freedom
from flagconsole.domain.judge.latency_shape import MOST_SHARE, LatencyShape, deviate, deviates_per_share, moved
from flagconsole.domain.judge.observation import Counts

Floats = NDArray[np.float64]
Members = NDArray[np.bool_]
#: Fewer slow operations than this in a group make no interval of a latency: the tail needs more than a rate does.
FEWEST_SLOW = 50


class LatencyShift(NamedTuple):
    """``log_factor``: the logarithm of the canary's latencies by the control's, without the difference that there was before;
    None where the counts can't tell it. ``error`` is its standard error, estimated with ``freedom`` degrees."""

    log_factor: float | None
    error: float
    freedom: float


def difference_before(shape: LatencyShape, counts: Counts, rate: Rate | None, canary: Members) -> float:
    """The logarithm of the cohort's latencies by the control's as the baseline expects them of these operations; 0 where it
    doesn't tell."""
    if rate is None:
        return 0.0
    expected = counts.operations * rate.expected
    own, other = (_share(expected, counts.operations, group) for group in (canary, ~canary))
    return shape.log_exceeded_by(other) - shape.log_exceeded_by(own) if own > 0 and other > 0 else 0.0


def shift_by_counts(shape: LatencyShape, counts: Counts, rate: Rate | None, canary: Members) -> LatencyShift | None:
    """What the counts say; None before they say anything."""
    groups = [_group(shape, counts, rate, members) for members in (canary, ~canary)]
    if groups[0] is None or groups[1] is None:
        return None
    (own, *own_error), (other, *other_error) = groups[0], groups[1]
    log_factor = None
    if rate is not None and max(own, other) <= MOST_SHARE:
        log_factor = shape.log_exceeded_by(other) - shape.log_exceeded_by(own)
        log_factor -= difference_before(shape, counts, rate, canary)
    error = math.sqrt(own_error[0] + other_error[0])
    return LatencyShift(
        log_factor, error, joint_freedom((own_error[0], own_error[1]), (other_error[0], other_error[1]))
    )


def tail_known(group: Estimate) -> bool:
    """Whether the group has enough slow operations for an interval."""
    return group.telling and group.events >= FEWEST_SLOW


def _group(
    shape: LatencyShape, counts: Counts, rate: Rate | None, members: Members
) -> tuple[float, float, float] | None:
    """One group's share of slow operations, and the variance of the logarithm of its latencies with its degrees of
    freedom. Tenants are held against what each would have if all had moved alike from where they were, or against the
    group's share, whichever explains them better: where most operations are slow, what they were like before says little."""
    share = _share(counts.slow, counts.operations, members)
    usual = min(share, MOST_SHARE)
    drift, exposures = 0.0, [counts.operations]
    if rate is not None:
        before = _share(counts.operations * rate.expected, counts.operations, members)
        deviates = np.full(counts.operations.shape, deviate(usual) - deviate(before))
        exposures.append(counts.operations * moved(rate.expected, deviates))
        # A tenant's drift is one of its latencies: of many slow operations it moves a smaller part than of few.
        drift = rate.drift * (deviates_per_share(before) / deviates_per_share(usual)) ** 2
    found = [estimate(counts.slow, exposure, members, drift) for exposure in exposures]
    usable = [one for one in found if one is not None and tail_known(one)]
    if not usable:
        return None
    best = min(usable, key=lambda one: one.log_variance)
    return share, shape.log_error(usual, math.sqrt(best.log_variance)) ** 2, best.freedom


def _share(events: Floats, operations: Floats, group: Members) -> float:
    total = float(operations[group].sum())
    return float(events[group].sum()) / total if total > 0 else 0.0
