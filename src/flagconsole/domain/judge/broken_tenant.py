"""The guard of the single tenant: one customer of the canary is broken, and nobody else is or was."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: A tenant is broken when at least this share of its operations failed in half an hour, beyond doubt of 3 deviations.
BROKEN_SHARE = 0.2
#: … and at least this many of them.
FEWEST_ERRORS = 10


class BrokenTenantGuard:
    """Fires when a canary tenant is broken and no control tenant has been so in this phase, nor any in the baseline.

    That no other tenant breaks by itself is all that speaks against chance here, so this is a heuristic without a bound:
    no comparison of tenants can tell a tenant that the change broke from one that broke by coincidence.
    """

    def __init__(self, canary: NDArray[np.bool_], broken_before: int) -> None:
        self._canary = canary
        self._others = broken_before
        self.fired_at: float | None = None
        self.tenant: int | None = None

    def advance(self, seconds: float, operations: Floats, errors: Floats) -> None:
        """Take in each tenant's last half hour."""
        if not (errors >= FEWEST_ERRORS).any():
            return
        broken = (errors >= FEWEST_ERRORS) & (lower_bound(errors, operations) >= BROKEN_SHARE)
        others = int((broken & ~self._canary).sum())
        self._others = max(self._others, others)
        own = np.flatnonzero(broken & self._canary)
        if self.fired_at is None and own.size and self._others == 0:
            self.fired_at = seconds
            self.tenant = int(own[errors[own].argmax()])

    def state(self) -> dict[str, Any]:
        """All that has to be kept; JSON."""
        return {"others": self._others, "fired_at": self.fired_at, "tenant": self.tenant}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self._others = int(state["others"])
        self.fired_at = state["fired_at"]
        self.tenant = state["tenant"]


def lower_bound(events: Floats, trials: Floats, deviations: float = 3.0) -> Floats:
    """Wilson's lower bound of a share, 0 where nothing was tried."""
    trials = np.maximum(trials, 1.0)
    share = np.minimum(events / trials, 1.0)
    square = deviations**2
    centre = share + square / (2 * trials)
    reach = deviations * np.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    bound: Floats = (centre - reach) / (1 + square / trials)
    return np.maximum(bound, 0.0)
