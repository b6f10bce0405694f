"""The guard of an absolute limit: the canary's own rate is above what the plan allows, and no single tenant makes it so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.e_process import EProcess
from flagconsole.domain.judge.interval import lower_bound

Floats = NDArray[np.float64]

#: Rates that the guard bets on, as multiples of the limit.
ALTERNATIVES = (1.5, 2.5, 5.0, 12.0, 25.0)
#: The last half hour must be this many times as bad as the control, or the fault isn't the canary's.
CONTROL_FACTOR = 1.5
#: And so many standard errors above it, since in a short phase half an hour holds few errors, and less than a minute of time.
CONTROL_DEVIATIONS = 4.0


class LimitGuard:
    """An e-process against "the rate of the canary's operations is at most ``limit``", on the pooled cohort and on the
    cohort without each single tenant. It fires when all of them have gathered 1/``budget``."""

    def __init__(
        self, limit: float, tenants: int, budget: float, horizon_seconds: float, restart_seconds: float
    ) -> None:
        limit = min(max(limit, 1e-6), 0.89)
        rates = np.minimum(np.array(ALTERNATIVES) * limit, 0.9)
        self._hit = np.log(rates / limit)
        self._miss = np.log((1 - rates) / (1 - limit))
        self._threshold = -math.log(budget)
        # A cohort of one has nobody left when that one is left out: then the pooled stream alone decides.
        self._leaves_out = tenants > 1
        self._process = EProcess(1 + tenants * self._leaves_out, len(ALTERNATIVES), horizon_seconds, restart_seconds)
        self.fired_at: float | None = None
        self._evidence = 0.0

    @property
    def nearness(self) -> float:
        """How far the weakest stream's evidence is towards firing, 0 to 1, on a logarithmic scale."""
        return float(np.clip(self._evidence / self._threshold, 0.0, 1.0))

    def advance(
        self, seconds: float, operations: Floats, events: Floats, recent: tuple[float, float], control_rate: float
    ) -> None:
        """Take in what happened to the cohort's tenants since the last look. ``recent`` are the cohort's operations and
        events of the last half hour, ``control_rate`` is the control's rate then; a NaN (there is none) doesn't hold the
        guard back."""
        total_events, total_operations = float(events.sum()), float(operations.sum())
        if self._leaves_out:
            hits = np.concatenate(([total_events], total_events - events))
            misses = np.concatenate(([total_operations], total_operations - operations)) - hits
        else:
            hits = np.array([total_events])
            misses = np.array([total_operations - total_events])
        wealth = self._process.advance(seconds, np.outer(hits, self._hit) + np.outer(misses, self._miss))
        self._evidence = float(wealth.min())
        if self.fired_at is None and self._evidence >= self._threshold and not _shared(recent, control_rate):
            self.fired_at = seconds

    def state(self) -> dict[str, Any]:
        """All that has to be kept; JSON."""
        return {"process": self._process.state(), "fired_at": self.fired_at, "evidence": self._evidence}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self._process.restore(state["process"])
        self.fired_at = state["fired_at"]
        self._evidence = float(state["evidence"])


def _shared(recent: tuple[float, float], control_rate: float) -> bool:
    """Whether the control does so badly too that what happens lately isn't the canary's own. Its evidence stays for a while
    after an incident of everybody is over, and then two errors by chance may be twice the control's."""
    if not math.isfinite(control_rate):
        return False
    operations, events = np.array([recent[0]]), np.array([recent[1]])
    least = float(lower_bound(events, operations, CONTROL_DEVIATIONS)[0])
    return recent[1] < CONTROL_FACTOR * control_rate * recent[0] or least <= control_rate
