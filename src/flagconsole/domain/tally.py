"""Sums of what was measured: of one tenant or group, in one bucket of time or in a whole window."""

from __future__ import annotations

from typing import NamedTuple


class Tally(NamedTuple):
    """``timed`` operations have a latency; ``latency_seconds`` is the sum of them. An operation that is neither a success
    nor an error (given up by the caller, say) is an operation all the same."""

    operations: int = 0
    successes: int = 0
    errors: int = 0
    critical_errors: int = 0
    conversions: int = 0
    timed: int = 0
    latency_seconds: float = 0.0

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.operations + other.operations,
            self.successes + other.successes,
            self.errors + other.errors,
            self.critical_errors + other.critical_errors,
            self.conversions + other.conversions,
            self.timed + other.timed,
            self.latency_seconds + other.latency_seconds,
        )

    @property
    def success_rate(self) -> float | None:
        """The share of operations that succeeded; None without operations."""
        return self.successes / self.operations if self.operations else None

    @property
    def error_rate(self) -> float | None:
        """The share of operations that failed; None without operations."""
        return self.errors / self.operations if self.operations else None

    @property
    def conversion_rate(self) -> float | None:
        """Conversions for each operation; None without operations."""
        return self.conversions / self.operations if self.operations else None

    @property
    def mean_latency(self) -> float | None:
        """Seconds; None where nothing was timed."""
        return self.latency_seconds / self.timed if self.timed else None
