"""How much worse each tenant does than it used to, with what all tenants share taken out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.baseline import Rate

Floats = NDArray[np.float64]

#: A critical error is rare: half an event is what a tenant without any is taken to have.
CRITICAL_PRIOR = 0.5


def surplus(observed: Floats, operations: Floats, rate: Rate, among: NDArray[np.bool_]) -> Floats:
    """``log((observed + 1/τ²) / (expected + 1/τ²))`` of each tenant, 0 outside ``among``.

    ``expected`` is scaled to the total of what was observed, so that a shared incident accuses nobody; 1/τ² keeps tenants
    with few operations, and drift, from speaking too loudly.
    """
    expected = np.where(among, operations * rate.expected, 0.0)
    total = float(expected.sum())
    if total <= 0:
        return np.zeros_like(expected)
    expected = expected * (float(observed[among].sum()) / total)
    prior = 1.0 / rate.drift
    return np.where(among, np.log((observed + prior) / (expected + prior)), 0.0)


def critical_surplus(criticals: Floats, operations: Floats, among: NDArray[np.bool_]) -> Floats:
    """The same for critical errors, which are too rare for a baseline: expected in proportion to operations."""
    seen = np.where(among, criticals, 0.0)
    total = float(operations[among].sum())
    if total <= 0 or not seen.any():
        return np.zeros_like(seen)
    expected = operations * (float(seen.sum()) / total)
    return np.where(among, np.log((seen + CRITICAL_PRIOR) / (expected + CRITICAL_PRIOR)), 0.0)
