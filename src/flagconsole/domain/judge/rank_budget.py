"""The rank budget: a sequential randomisation test that may be looked at as often as one likes.

At each time of a fixed schedule one rank is spent: of the cohorts still alive, the one that looks worst is taken away.
When nothing was done to any tenant, the observed cohort is as likely as each of the others to be taken, so the chance that
it ever is taken is the number of ranks divided by the number of cohorts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.redraws import Redraws
from flagconsole.domain.judge.settings import JudgeSettings

Floats = NDArray[np.float64]
#: Statistics are divided by their distance from the mean to this quantile, so that a skewed one can't outbid the rest.
UPPER_QUANTILE = 0.995


class Window(StrEnum):
    """Which counts a rank is spent on."""

    WHOLE_PHASE = "whole_phase"
    LAST_HOUR = "last_hour"


@dataclass(frozen=True)
class Rank:
    """One entry of the schedule: when it is due (seconds since the phase began), and on which window."""

    seconds: float
    window: Window


@dataclass(frozen=True)
class Scores:
    """One window's scores: a row per metric, a column per tenant."""

    metrics: tuple[str, ...]
    rows: Floats


def schedule(settings: JudgeSettings) -> tuple[Rank, ...]:
    """When ranks are due: most of them early, in geometric steps, the rest evenly, and a few past the horizon."""
    horizon = settings.horizon_seconds
    begin = min(2 * settings.tick_seconds, horizon / 4)
    ranks = [Rank(at, Window.WHOLE_PHASE) for at in _times(settings.phase_ranks, begin, horizon, settings.early_share)]
    # Early on the last hour says nothing that the whole phase doesn't: its ranks are for what begins late.
    ranks += [Rank(at, Window.LAST_HOUR) for at in _times(settings.hour_ranks, settings.hour_seconds, horizon, 0.0)]
    for index in range(settings.overtime_ranks):
        window = Window.LAST_HOUR if index % 2 else Window.WHOLE_PHASE
        ranks.append(Rank(horizon * (1 + (index + 1) / 10), window))
    return tuple(sorted(ranks, key=lambda rank: (rank.seconds, rank.window)))


def _times(count: int, begin: float, end: float, early_share: float) -> list[float]:
    early = round(count * early_share)
    even = count - early
    geometric = np.geomspace(begin, end, early) if early else np.zeros(0)
    return [*geometric.tolist(), *np.linspace(begin, end, even + 1)[1:].tolist()]


class RankBudget:
    """The state of the test: which cohorts are gone, how far the schedule is done, and whether the observed one went."""

    def __init__(self, redraws: Redraws, ranks: Sequence[Rank], seed: int) -> None:
        self._redraws = redraws
        self._ranks = tuple(ranks)
        self._seed = seed
        self._alive = np.ones(redraws.count, np.bool_)
        self._removed: list[int] = []
        self.spent = 0
        self.accused_at: float | None = None
        self.accused_metric: str | None = None

    @property
    def share_spent(self) -> float:
        """The part of all ranks that is spent, 0 to 1."""
        return self.spent / len(self._ranks)

    def due(self, seconds: float) -> bool:
        """Whether a rank is waiting to be spent."""
        return self.accused_at is None and self.spent < len(self._ranks) and self._ranks[self.spent].seconds <= seconds

    def spend(self, seconds: float, scores: Callable[[Window], Scores]) -> None:
        """Spend every rank that is due at ``seconds``; ranks of missed looks are spent together."""
        statistics: dict[Window, tuple[tuple[str, ...], Floats]] = {}
        while self.due(seconds):
            window = self._ranks[self.spent].window
            if window not in statistics:
                statistics[window] = self._statistics(scores(window))
            self._spend_one(seconds, *statistics[window])

    def _statistics(self, scores: Scores) -> tuple[tuple[str, ...], Floats]:
        """Each metric's sum over every cohort, on one scale. Rows that tell no cohort from another are left out."""
        sums = self._redraws.sums(scores.rows)
        middle = sums.mean(axis=1, keepdims=True)
        place = int(UPPER_QUANTILE * (sums.shape[1] - 1))
        spread = np.partition(sums, place, axis=1)[:, place : place + 1] - middle
        telling = spread[:, 0] > 1e-9
        names = tuple(name for name, tells in zip(scores.metrics, telling, strict=True) if tells)
        return names, (sums[telling] - middle[telling]) / spread[telling]

    def _spend_one(self, seconds: float, names: tuple[str, ...], scaled: Floats) -> None:
        # Ties are broken by chance, the same chance each time this rank is spent.
        rng = np.random.Generator(np.random.PCG64([self._seed & 0xFFFFFFFFFFFFFFFF, self.spent]))
        worst = scaled.max(axis=0) if names else np.zeros(self._redraws.count)
        worst = np.where(self._alive, worst + rng.random(worst.size) * 1e-6, -np.inf)
        taken = int(worst.argmax())
        self._alive[taken] = False
        self._removed.append(taken)
        self.spent += 1
        if taken == self._redraws.observed:
            self.accused_at = seconds
            self.accused_metric = names[int(scaled[:, taken].argmax())] if names else None

    def state(self) -> dict[str, Any]:
        """All that has to be kept; JSON."""
        return {
            "removed": self._removed.copy(),
            "spent": self.spent,
            "accused_at": self.accused_at,
            "accused_metric": self.accused_metric,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self._removed = [int(index) for index in state["removed"]]
        self._alive[self._removed] = False
        self.spent = int(state["spent"])
        self.accused_at = state["accused_at"]
        self.accused_metric = state["accused_metric"]
