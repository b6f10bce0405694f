"""The guard of critical errors: which tenants meet one first, canary or control (a log-rank e-process)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.packed import pack, unpack

Floats = NDArray[np.float64]

#: Hazard ratios that the guard bets on.
ALTERNATIVES = (3.0, 10.0, 30.0, 100.0)


class CriticalGuard:
    """Each tenant's first critical error. Under a random draw, and when nothing was done to anybody, the next tenant to
    meet one is in the canary with the canary's share of the tenants that are left, whatever else goes on."""

    def __init__(self, canary: NDArray[np.bool_], compared: NDArray[np.bool_], budget: float) -> None:
        self._canary = canary
        self._compared = compared
        self._threshold = -math.log(budget)
        self._log_wealth = np.zeros(len(ALTERNATIVES))
        self._met = np.zeros(canary.size, np.bool_)
        self.fired_at: float | None = None

    @property
    def evidence(self) -> float:
        """The log wealth of the mixture over the alternatives."""
        return float(np.logaddexp.reduce(self._log_wealth) - math.log(len(ALTERNATIVES)))

    @property
    def nearness(self) -> float:
        """How far the evidence is towards firing, 0 to 1, on a logarithmic scale."""
        return float(np.clip(self.evidence / self._threshold, 0.0, 1.0))

    def advance(self, seconds: float, criticals: Floats) -> None:
        """Take in each tenant's critical errors since the phase began."""
        newly = np.flatnonzero((criticals > 0) & ~self._met & self._compared)
        if not newly.size:
            return
        ratios = np.array(ALTERNATIVES)
        for tenant in newly:
            left = self._compared & ~self._met
            share = float(self._canary[left].mean())
            self._met[tenant] = True
            if 0 < share < 1:
                bet = ratios * share / (ratios * share + 1 - share)
                hit = bool(self._canary[tenant])
                self._log_wealth += np.log(bet / share) if hit else np.log((1 - bet) / (1 - share))
        if self.fired_at is None and self.evidence >= self._threshold:
            self.fired_at = seconds

    def state(self) -> dict[str, Any]:
        """All that has to be kept; JSON."""
        return {
            "log_wealth": self._log_wealth.tolist(),
            "met": pack(np.packbits(self._met)),
            "fired_at": self.fired_at,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        size = self._canary.size
        self._log_wealth = np.array(state["log_wealth"], np.float64)
        self._met = np.unpackbits(unpack(state["met"], np.uint8, (-(-size // 8),)), count=size).astype(np.bool_)
        self.fired_at = state["fired_at"]
