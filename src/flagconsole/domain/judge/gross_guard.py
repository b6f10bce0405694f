"""The fast path for gross failures: many of the canary's tenants meet errors within the same few minutes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.against_control import GROSS_RATIO
from flagconsole.domain.judge.e_process import EProcess
from flagconsole.domain.judge.packed import pack, unpack
from flagconsole.domain.judge.settings import JudgeSettings

Floats = NDArray[np.float64]

#: The null hypothesis allows the canary this many times the control's rate.
TOLERATED_RATIO = GROSS_RATIO
#: What the guard bets on, as multiples of that.
ALTERNATIVES = (1.5, 2.0, 3.0, 6.0)


class GrossGuard:
    """An e-process on whose tenant errs first: each event belongs to the canary with a chance that its exposure gives.

    In each block of five minutes a tenant counts once, so that a burst inside one tenant is one event; since a long burst
    is one in each of many blocks, the evidence has to be there with any single tenant of the cohort left out as well. Exposure
    is the chance, by its own baseline, that a tenant not yet hit in this block errs in this look.
    """

    def __init__(self, canary: NDArray[np.bool_], rates: Floats, settings: JudgeSettings) -> None:
        self._canary = canary
        self._control = (~canary).astype(np.float64)
        self._rates = rates
        self._threshold = -math.log(settings.gross_budget)
        self._ratios = np.array(ALTERNATIVES)
        # A cohort of one has nobody left when that one is left out.
        self._leaves_out = int(canary.sum()) > 1
        streams = 1 + int(canary.sum()) * self._leaves_out
        self._process = EProcess(streams, len(ALTERNATIVES), settings.horizon_seconds, settings.half_hour_seconds)
        self._block_seconds = settings.block_seconds
        self._hit = np.zeros(canary.size, np.bool_)
        self._block = 0
        self.fired_at: float | None = None
        self._evidence = 0.0

    @property
    def nearness(self) -> float:
        """How far the evidence is towards firing, 0 to 1, on a logarithmic scale."""
        return float(np.clip(self._evidence / self._threshold, 0.0, 1.0))

    def advance(self, seconds: float, operations: Floats, errors: Floats) -> None:
        """Take in what happened to every tenant since the last look."""
        # A look's operations happened before it, so the look at 300 s still belongs to the first block.
        block = max(math.ceil(seconds / self._block_seconds) - 1, 0)
        if block != self._block:
            self._hit[:] = False
            self._block = block
        at_risk = ~self._hit
        newly = at_risk & (errors > 0)
        exposure = -np.expm1(-operations * self._rates) * at_risk
        self._hit |= newly
        other, misses = float(exposure @ self._control), float(newly @ self._control)
        inside = exposure[self._canary], newly[self._canary].astype(np.float64)
        own, hits = (np.array([values.sum()]) for values in inside)
        if self._leaves_out:
            own, hits = (np.append(total, total - values) for total, values in zip((own, hits), inside, strict=True))
        own = TOLERATED_RATIO * np.maximum(own, 0.0)[:, None]
        ratios = np.zeros((own.size, len(ALTERNATIVES)))
        if other > 0:
            some = own[:, 0] > 0
            null, bet = own[some] / (own[some] + other), self._ratios * own[some] / (self._ratios * own[some] + other)
            ratios[some] = hits[some, None] * np.log(bet / null) + misses * np.log((1 - bet) / (1 - null))
        self._evidence = float(self._process.advance(seconds, ratios).min())
        if self.fired_at is None and self._evidence >= self._threshold:
            self.fired_at = seconds

    def state(self) -> dict[str, Any]:
        """All that has to be kept; JSON."""
        return {
            "process": self._process.state(),
            "hit": pack(np.packbits(self._hit)),
            "block": self._block,
            "fired_at": self.fired_at,
            "evidence": self._evidence,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self._process.restore(state["process"])
        size = self._canary.size
        bits = unpack(state["hit"], np.uint8, (-(-size // 8),))
        self._hit = np.unpackbits(bits, count=size).astype(np.bool_)
        self._block = int(state["block"])
        self.fired_at = state["fired_at"]
        self._evidence = float(state["evidence"])
