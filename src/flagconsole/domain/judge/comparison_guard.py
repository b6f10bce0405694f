"""The comparison of a hand-picked cohort with its control: tenants as units, an asymptotic confidence sequence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.interval import estimate, for_few, joint_freedom, sequence_factor

Floats = NDArray[np.float64]


class ComparisonGuard:
    """Fires when the canary's rate, relative to what its own baseline expects, is above the control's at every confidence
    that ``budget`` leaves. It assumes that the two groups drift alike, which nobody can promise for a hand-picked cohort.
    """

    def __init__(self, column: str, canary: NDArray[np.bool_], budget: float, drift: float) -> None:
        self.column = column
        self._drift = drift
        self._canary = canary
        self._factor = sequence_factor(2 * budget)
        self._deviations = 0.0
        self.fired_at: float | None = None

    @property
    def nearness(self) -> float:
        """How far the difference is towards firing, 0 to 1."""
        return float(np.clip(self._deviations / self._factor, 0.0, 1.0))

    def advance(self, seconds: float, events: Floats, exposure: Floats, *, counts: bool = True) -> None:
        """Take in the events of the whole phase and each tenant's exposure (operations, or the events expected). A difference
        that doesn't count, since it is too small to matter, is shown and fires nothing."""
        own, other = (estimate(events, exposure, group, self._drift) for group in (self._canary, ~self._canary))
        self._deviations = 0.0
        if own is None or other is None or not own.telling or not other.telling:
            return
        error = math.sqrt(own.log_variance + other.log_variance)
        freedom = joint_freedom((own.log_variance, own.freedom), (other.log_variance, other.freedom))
        # In units of the factor that so few tenants need.
        self._deviations = math.log(own.value / other.value) / error * self._factor / for_few(self._factor, freedom)
        if counts and self.fired_at is None and self._deviations > self._factor:
            self.fired_at = seconds

    def state(self) -> dict[str, Any]:
        """All that has to be kept; JSON."""
        return {"fired_at": self.fired_at, "deviations": self._deviations}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self.fired_at = state["fired_at"]
        self._deviations = float(state["deviations"])
