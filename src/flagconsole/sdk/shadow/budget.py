"""How much shadow work a process may do: a share of its requests, and a part of its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum


class Skipped(StrEnum):
    """Why an execution was left out. ``state``: the flag isn't in shadow for the tenant. ``share`` and ``time``: the budget.
    ``hung``: too many earlier executions have not come back yet."""

    STATE = "state"
    SHARE = "share"
    TIME = "time"
    HUNG = "hung"


class Budget:
    """Decides which executions run.

    ``share`` is the largest share of requests, 0 to 1: of any ``n`` requests no more than ``share * n`` run. ``seconds`` is the most
    that one execution may take: asynchronous work is cancelled then, and other work ends at its next guarded effect.
    ``seconds_per_minute`` is the most time that shadow work may take in all, in this process: what one execution overdraws, the
    following have to wait for. Raises ``ValueError`` for numbers that make no sense.
    """

    def __init__(
        self,
        *,
        share: float = 1.0,
        seconds: float = 1.0,
        seconds_per_minute: float = 12.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share must be between 0 and 1 (got {share!r})")
        for name, value in (("seconds", seconds), ("seconds_per_minute", seconds_per_minute)):
            if not value > 0:
                raise ValueError(f"{name} must be more than 0 (got {value!r})")
        self.share = share
        self.seconds = seconds
        self.seconds_per_minute = seconds_per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._credit = 0.0
        self._left = seconds_per_minute
        self._at = clock()

    def admit(self) -> Skipped | None:
        """Whether one more execution may run; else why not."""
        with self._lock:
            self._refill()
            self._credit += self.share
            # A little less than one, since a tenth added up ten times is.
            if self._credit < 1 - 1e-9:
                return Skipped.SHARE
            if self._left <= 0:
                self._credit = min(self._credit, 1.0)
                return Skipped.TIME
            self._credit -= 1
            return None

    def spend(self, seconds: float) -> None:
        """An execution has taken so long."""
        with self._lock:
            self._refill()
            self._left -= seconds

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(self.seconds_per_minute, self._left + (now - self._at) * self.seconds_per_minute / 60)
        self._at = now
