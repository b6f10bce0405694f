"""What a metric is worth now in the canary: its value, the control's, and the interval around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flagconsole.domain.judge.count_ratio import CountRatio
from flagconsole.domain.judge.interval import for_few, sequence_factor


@dataclass(frozen=True)
class Measurement:
    """A metric in the canary. ``reach`` gives the interval at any confidence: from the standard ``error``, that was
    estimated with so many degrees of ``freedom``, or from two ``counts``."""

    value: float
    error: float | None = None
    freedom: float = math.inf
    counts: CountRatio | None = None
    multiplicative: bool = False
    raw_value: float | None = None
    control_value: float | None = None
    operations: int = 0
    tenants: int = 0
    floor: float = -math.inf
    ceiling: float = math.inf

    def reach(self, alpha: float) -> tuple[float, float] | None:
        """The interval that misses the truth at some look with a chance of ``alpha``, half of it on either side; None where
        the error isn't known."""
        if self.counts is not None:
            low, high = self.counts.interval(alpha)
            return low - 1, high - 1
        if self.error is None or not math.isfinite(self.error):
            return None
        factor = for_few(sequence_factor(alpha), self.freedom)
        if self.multiplicative:
            # The value is a factor minus 1 (or a plain positive number when ``floor`` is 0): the error is on its logarithm.
            offset = 1.0 if self.floor < 0 else 0.0
            scale = math.exp(min(factor * self.error, 50.0))
            low, high = (self.value + offset) / scale - offset, (self.value + offset) * scale - offset
        else:
            low, high = self.value - factor * self.error, self.value + factor * self.error
        return max(low, self.floor), min(high, self.ceiling)
