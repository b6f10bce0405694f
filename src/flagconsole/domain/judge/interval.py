"""Estimates with the tenant as the unit, and how far to trust them at all looks together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Below these the normal approximation means nothing.
FEWEST_TENANTS = 5
FEWEST_EVENTS = 10


@lru_cache(maxsize=64)
def sequence_factor(alpha: float) -> float:
    """How many standard errors an asymptotic confidence sequence reaches on either side, for an error of ``alpha`` at all
    looks together, tuned to be narrowest at the number of tenants that there is."""
    doubled = -2 * math.log(alpha)
    tuning = doubled + math.log(doubled + 1)
    return math.sqrt(2 * (tuning + 1) / tuning * math.log(math.sqrt(tuning + 1) / alpha))


def for_few(factor: float, freedom: float) -> float:
    """``factor`` standard errors of a normal estimate, as standard errors of one whose own error is estimated with so many
    degrees of freedom (Wallace's approximation to Student's t). Ten tenants say less of their spread than a thousand."""
    if not math.isfinite(freedom):
        return factor
    freedom = max(freedom, 1.0)
    normal = factor * (8 * freedom + 3) / (8 * freedom + 1)
    return math.sqrt(freedom * math.expm1(min(normal * normal / freedom, 60.0)))


def joint_freedom(*parts: tuple[float, float]) -> float:
    """The degrees of freedom of a sum of variances, each with its own (Welch and Satterthwaite)."""
    total = sum(variance for variance, _ in parts)
    spread = sum(variance**2 / max(freedom, 1.0) for variance, freedom in parts)
    return total**2 / spread if spread > 0 and math.isfinite(total) else math.inf


@dataclass(frozen=True)
class Estimate:
    """Events per unit of exposure in a group, with its standard error between tenants."""

    value: float
    error: float
    events: float
    tenants: int

    @property
    def telling(self) -> bool:
        """Whether the normal approximation means anything yet."""
        return self.tenants >= FEWEST_TENANTS and self.events >= FEWEST_EVENTS

    @property
    def freedom(self) -> float:
        """The degrees of freedom of the error."""
        return max(self.tenants - 1.0, 1.0)

    @property
    def log_variance(self) -> float:
        """The variance of the value's logarithm (delta method); infinite when nothing happened."""
        return (self.error / self.value) ** 2 if self.value > 0 else math.inf


def estimate(events: Floats, exposure: Floats, group: NDArray[np.bool_], drift: float = 0.0) -> Estimate | None:
    """The ratio of sums over the group's tenants (a ratio estimator); None where nothing was exposed.

    The error is never below what counting and the tenants' ``drift`` (the variance of the factor by which each changes by
    itself) leave open: a group without any event isn't taken for certain, nor one that is nearly all one tenant, from which that
    tenant can't be seen to differ.
    """
    active = group & (exposure > 0)
    tenants = int(active.sum())
    total = float(exposure[active].sum())
    if not tenants or total <= 0:
        return None
    seen = float(events[active].sum())
    value = seen / total
    between = float(((events[active] - value * exposure[active]) ** 2).sum()) / total**2
    between *= tenants / max(tenants - 1, 1)
    least = (seen + 1.0 + drift * value**2 * float((exposure[active] ** 2).sum())) / total**2
    return Estimate(value, math.sqrt(max(between, least)), seen, tenants)


def tail_index(p95: float | None, p99: float | None) -> float:
    """How steeply the share of slow operations falls with the latency that counts as slow: α of a Pareto tail through
    p95 and p99. It turns a ratio of slow shares into a ratio of latencies. 4 where the quantiles don't tell."""
    if p95 is None or p99 is None or not (0 < p95 < p99 < math.inf):
        return 4.0
    return min(max(math.log(5.0) / math.log(p99 / p95), 0.5), 20.0)


def lower_bound(events: Floats, trials: Floats, deviations: float) -> Floats:
    """Wilson's lower bound of a share, 0 where nothing was tried."""
    trials = np.maximum(trials, 1.0)
    share = np.minimum(events / trials, 1.0)
    square = deviations**2
    centre = share + square / (2 * trials)
    reach = deviations * np.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    bound: Floats = np.maximum((centre - reach) / (1 + square / trials), 0.0)
    return bound
