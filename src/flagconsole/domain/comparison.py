"""How a value is compared with a limit: without the plans' models, so that the console's first paint can ask too."""

from __future__ import annotations

from enum import StrEnum


class Comparison(StrEnum):
    """How a metric's value is compared with its limit."""

    AT_LEAST = ">="
    AT_MOST = "<="
    ABOVE = ">"
    BELOW = "<"

    @property
    def upward(self) -> bool:
        """Whether large values satisfy it."""
        return self in {Comparison.AT_LEAST, Comparison.ABOVE}

    def holds(self, value: float, limit: float) -> bool:
        """Whether ``value`` satisfies it. NaN satisfies nothing."""
        match self:
            case Comparison.AT_LEAST:
                return value >= limit
            case Comparison.AT_MOST:
                return value <= limit
            case Comparison.ABOVE:
                return value > limit
            case Comparison.BELOW:
                return value < limit
