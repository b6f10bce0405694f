"""How long to wait before the next attempt: exponential, with full jitter, so that a fleet doesn't return in step."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

BASE_SECONDS: Final = 0.25
CAP_SECONDS: Final = 30.0


class Backoff:
    """Waiting times in seconds: each drawn evenly from 0 to a bound that doubles from ``base`` up to ``cap``."""

    def __init__(
        self, base: float = BASE_SECONDS, cap: float = CAP_SECONDS, draw: Callable[[], float] = random.random
    ) -> None:
        self._base = base
        self._cap = cap
        self._draw = draw
        self._bound = base

    def next(self, least: float = 0.0) -> float:
        """The next waiting time, out of at least ``least`` seconds, where somebody knows how many others come back too."""
        bound = max(self._bound, least)
        self._bound = max(self._bound, min(self._cap, bound * 2))
        return self._draw() * bound

    def reset(self) -> None:
        """Begin anew: the last attempt went well."""
        self._bound = self._base
