"""The console's time: injected, so that screens, ages and the confirmation's timing can be tested exactly."""

from __future__ import annotations

import time
from typing import Protocol


class Timed(Protocol):
    """Anything that knows when it was made, in seconds of the monotonic clock: Textual's events do."""

    time: float


class Clock:
    """Real time."""

    def time(self) -> float:
        """Seconds since the epoch, UTC, by this machine's clock. Shown to people, never used for durations."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back: for ages and durations."""
        return time.monotonic()

    def pressed_at(self, event: Timed) -> float:
        """When a key was read from the terminal, in ``monotonic`` seconds.

        The input thread stamps it, so keys that waited behind a slow repaint keep the time at which they were typed.
        """
        return event.time
