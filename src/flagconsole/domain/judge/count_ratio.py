"""How many times as often something happens in one group as in another, where it happens rarely: tickets, events.

Given how many happened in all, how many of them are the canary's is a draw with a chance that the ratio gives. Its interval is that
of a mixture over all chances (Robbins), which holds at all looks together, also where one of the groups has none. Events of
one tenant are no independent draws: counts are divided by how many come together, ``Σt² / Σt`` over the tenants' own counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: What is added to both groups together, in proportion to their exposure: without any event the ratio is 1.
PRIOR_EVENTS = 1.0


@dataclass(frozen=True)
class Tally:
    """``events`` of a group in ``exposure`` (active tenants); ``squared`` is the sum of its tenants' squared counts, at least
    ``events``."""

    events: float
    exposure: float
    squared: float | None = None


@dataclass(frozen=True)
class CountRatio:
    """The canary's events against the control's. Both groups must have some exposure."""

    canary: Tally
    control: Tally

    @property
    def value(self) -> float:
        """The ratio of the rates, smoothed: finite, and 1 where nothing happened."""
        own, other, share = self.canary, self.control, self._even_share
        return ((own.events + PRIOR_EVENTS * share) / own.exposure) / (
            (other.events + PRIOR_EVENTS * (1 - share)) / other.exposure
        )

    @property
    def clustering(self) -> float:
        """How many events come together, 1 or more."""
        events = self.canary.events + self.control.events
        squared = sum(tally.events if tally.squared is None else tally.squared for tally in (self.canary, self.control))
        return max(squared / events, 1.0) if events > 0 else 1.0

    def interval(self, alpha: float) -> tuple[float, float]:
        """Bounds of the ratio; each is wrong at some look with a chance of at most ``alpha / 2``."""
        own, other = self.canary.events / self.clustering, self.control.events / self.clustering
        odds = self.control.exposure / self.canary.exposure
        low, high = _shares(own, other, alpha / 2)
        return odds * low / (1 - low), odds * high / (1 - high) if high < 1 else math.inf

    @property
    def _even_share(self) -> float:
        return self.canary.exposure / (self.canary.exposure + self.control.exposure)


def _shares(own: float, other: float, alpha: float) -> tuple[float, float]:
    """The canary's shares of all events that the mixture doesn't refute at ``1 / alpha``."""
    mixture = _log_beta(own + 0.5, other + 0.5) - _log_beta(0.5, 0.5)

    def refuted(share: float) -> bool:
        fit = (own * math.log(share) if own else 0.0) + (other * math.log1p(-share) if other else 0.0)
        return mixture - fit > -math.log(alpha)

    best = min(max(own / (own + other), 1e-9), 1 - 1e-9) if own + other > 0 else 0.5
    low = _edge(1e-12, best, refuted) if own else 0.0
    high = _edge(1 - 1e-12, best, refuted) if other else 1.0
    return low, high


def _edge(outside: float, inside: float, refuted: object) -> float:
    assert callable(refuted)
    if not refuted(outside):
        return outside
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if refuted(middle) else (outside, middle)
    return outside


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
