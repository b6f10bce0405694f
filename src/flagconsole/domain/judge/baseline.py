"""What each tenant was like before: expected rates, and how far tenants drift by themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.observation import Counts

Floats = NDArray[np.float64]

#: Bounds of what is believed about drift: below, a long quiet baseline would make every wobble a signal.
DRIFT_BOUNDS = (0.02, 1.0)
#: Bounds of the weight of the population in a tenant's own rate, in operations.
PRIOR_BOUNDS = (20.0, 20_000.0)


@dataclass(frozen=True)
class Rate:
    """One kind of event in the baseline. ``expected`` is each tenant's rate per operation, shrunk to the population;
    ``drift`` is τ², the variance of the factor by which a tenant's rate changes from one half to the other."""

    expected: Floats
    population: float
    drift: float


@dataclass(frozen=True)
class Baseline:
    """The shadow phase (or the days before) in two halves, in the order of the assignment's tenants.

    ``broken_tenants`` is how many tenants failed for half an hour by themselves in that time; where any did, one broken
    tenant in the canary is no sign of the rollout.
    """

    first_half: Counts
    second_half: Counts
    broken_tenants: int = 0

    def rate(self, name: str) -> Rate | None:
        """The rate of ``errors``, ``slow`` or ``slower``; None where the baseline can't tell."""
        first, second = self.first_half.columns(), self.second_half.columns()
        if name not in first or name not in second:
            return None
        operations = first["operations"] + second["operations"]
        events = first[name] + second[name]
        if operations.sum() <= 0:
            return None
        # Half an event more than none: a population without any event still has a rate.
        population = float((events.sum() + 0.5) / (operations.sum() + 1.0))
        prior = _prior_operations(operations, events, population)
        expected = (events + prior * population) / (operations + prior)
        return Rate(expected, population, _drift(first, second, name, prior))


def _prior_operations(operations: Floats, events: Floats, population: float) -> float:
    """How many operations of population rate to mix in: the moment estimate of a gamma prior's weight."""
    excess = ((events - operations * population) ** 2).sum() - events.sum()
    variance = excess / max(float((operations**2).sum()), 1.0)
    if variance <= 0:
        return PRIOR_BOUNDS[1]
    return float(np.clip(population / variance, *PRIOR_BOUNDS))


def _drift(first: dict[str, Floats], second: dict[str, Floats], name: str, prior: float) -> float:
    """τ²: what the second half varies around the first half's prediction, beyond counting noise."""
    early, late = first["operations"], second["operations"]
    if early.sum() <= 0 or late.sum() <= 0 or second[name].sum() <= 0:
        return DRIFT_BOUNDS[1]
    population = (first[name].sum() + 0.5) / (early.sum() + 1.0)
    predicted = late * (first[name] + prior * population) / (early + prior)
    predicted *= second[name].sum() / predicted.sum()
    residual = ((second[name] - predicted) ** 2).sum() - second[name].sum()
    return float(np.clip(residual / (predicted**2).sum(), *DRIFT_BOUNDS))
