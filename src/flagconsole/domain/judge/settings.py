"""What the judge is allowed to spend, and on what."""

from __future__ import annotations

from pydantic import Field

from flagconsole.domain.against_control import COHORTS
from flagconsole.domain.flag import Frozen
from flagconsole.domain.plan import Phase


class JudgeSettings(Frozen):
    """How a phase is judged. The defaults add up to an error budget of 1 % for the whole phase.

    ``cohorts`` with ``phase_ranks`` + ``hour_ranks`` + ``overtime_ranks`` bound the rank budget: 160 of 20,000 are 0.8 %.
    The other shares are those of the guards. ``tick_seconds`` is the time between two looks; data older than two of them
    is no data. ``horizon_seconds`` is how long the phase is expected to last.
    """

    horizon_seconds: float = Field(default=48 * 3600.0, gt=0, allow_inf_nan=False)
    tick_seconds: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    cohorts: int = Field(default=COHORTS, ge=100, le=200_000)
    phase_ranks: int = Field(default=100, ge=1, le=10_000)
    hour_ranks: int = Field(default=40, ge=0, le=10_000)
    overtime_ranks: int = Field(default=20, ge=0, le=10_000)
    early_share: float = Field(default=0.6, ge=0, le=1)
    limit_budget: float = Field(default=0.0005, gt=0, lt=1)
    gross_budget: float = Field(default=0.0005, gt=0, lt=1)
    critical_budget: float = Field(default=0.0005, gt=0, lt=1)
    interval_budget: float = Field(default=0.0005, gt=0, lt=1)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)

    @classmethod
    def for_phase(cls, phase: Phase, tick_seconds: float | None = None) -> JudgeSettings:
        """The defaults for a phase: its minimum duration (an hour where it has none) and its tick."""
        return cls(
            horizon_seconds=phase.min_seconds or 3600.0,
            tick_seconds=phase.tick_seconds if tick_seconds is None else tick_seconds,
        )

    @property
    def pace(self) -> float:
        """1 for phases of four hours or more; shorter ones, as in a demo, shrink the judge's own times in proportion."""
        return min(1.0, self.horizon_seconds / (4 * 3600))

    @property
    def hour_seconds(self) -> float:
        """How long the window is that an observation calls the last hour: an hour, in phases of four hours or more."""
        return 3600 * self.pace

    @property
    def half_hour_seconds(self) -> float:
        """How long the window is that an observation calls the last half hour. E-processes begin again as often."""
        return 1800 * self.pace

    @property
    def block_seconds(self) -> float:
        """In a block of this length a tenant counts once in the guard of gross failures: five minutes."""
        return 300 * self.pace

    @property
    def confirm_seconds(self) -> float:
        """How long a tenant has to be broken before its guard fires: ten minutes."""
        return 600 * self.pace

    @property
    def rank_budget(self) -> float:
        """The bound on the chance that the rank budget accuses a cohort that nothing was done to."""
        return (self.phase_ranks + self.hour_ranks + self.overtime_ranks) / self.cohorts

    @property
    def guard_budget(self) -> float:
        """The sum of the guards' shares."""
        return self.limit_budget + self.gross_budget + self.critical_budget + self.interval_budget
