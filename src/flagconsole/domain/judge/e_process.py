"""Evidence that can be looked at as often as one likes: e-processes that begin again every half hour.

The wealth is a mixture over alternatives and starting times, started with 1. While the null hypothesis holds it is a test
supermartingale, so the chance that it ever reaches 1/α is at most α (Ville), whenever one looks or stops.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.packed import pack, unpack

Floats = NDArray[np.floating[Any]]


class EProcess:
    """``streams`` e-processes side by side, each over the same ``alternatives``, with the same starting times.

    Half the wealth starts at once, the rest in equal parts every ``restart_seconds`` for twice the horizon, so that a late
    fault is found soon. Kept as logarithms in
    single precision, which is what is saved as well, so that a restart changes nothing.
    """

    def __init__(self, streams: int, alternatives: int, horizon_seconds: float, restart_seconds: float) -> None:
        self._restart_seconds = restart_seconds
        self._starts = max(4, math.ceil(2 * horizon_seconds / restart_seconds))
        self._log_wealth = np.full((streams, alternatives), math.log(0.5 / alternatives), np.float32)
        self._started = 0

    def advance(self, seconds: float, log_ratios: Floats) -> NDArray[np.float64]:
        """Multiply in one look's log likelihood ratios (streams × alternatives) and return each stream's log wealth."""
        missed = min(int(seconds // self._restart_seconds), self._starts) - self._started
        if missed > 0:
            part = 0.5 * missed / self._starts / self._log_wealth.shape[1]
            self._log_wealth = np.logaddexp(self._log_wealth, np.float32(math.log(part)))
            self._started += missed
        self._log_wealth = (self._log_wealth + log_ratios).astype(np.float32)
        return self.log_wealth()

    def log_wealth(self) -> NDArray[np.float64]:
        """Each stream's log wealth now, that which hasn't been started included."""
        invested: NDArray[np.float64] = np.logaddexp.reduce(self._log_wealth.astype(np.float64), axis=1)
        left = 0.5 * (1 - self._started / self._starts)
        if left > 0:
            invested = np.logaddexp(invested, math.log(left))
        return invested

    def state(self) -> dict[str, Any]:
        """All that has to be kept; JSON."""
        return {"log_wealth": pack(self._log_wealth), "started": self._started}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self._log_wealth = unpack(state["log_wealth"], np.float32, self._log_wealth.shape)
        self._started = int(state["started"])
