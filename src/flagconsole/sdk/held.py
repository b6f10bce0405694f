"""What this process holds: the ruleset that is served, below what it never goes back, and how sure it may be of it.

The background thread writes, every other thread reads: one attribute at a time, without a lock. A swap is the assignment
of one attribute, so a reader sees the old ruleset or the new one, never a mixture.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Final

from flagconsole.client.position import Position
from flagconsole.domain.evaluation import Evaluation, Ruleset

#: A server time that is off by more than this (seconds) from what was expected means that a clock was set.
CLOCK_STEP: Final = 1.0

Known = Callable[[tuple[str, str]], Evaluation | None]

_NOTHING: Final[dict[tuple[str, str], Evaluation]] = {}
#: For when no answer can be given without looking at the time, or at all.
nothing_known: Final[Known] = _NOTHING.get


class Verdict(Enum):
    """What became of an offered ruleset."""

    ADOPTED = "adopted"
    SAME = "same"
    OLDER = "older"


class Held:
    """The present ruleset and what is known about it. ``max_age`` as for ``FlagClient``."""

    __slots__ = (
        "_anchor",
        "_clock",
        "_confirmation",
        "_max_age",
        "_told_time",
        "confirmed_at",
        "contact_at",
        "floor",
        "killed_here",
        "known",
        "ruleset",
        "served",
    )

    def __init__(self, max_age: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_age = max_age
        self._clock = clock
        self._confirmation = threading.Condition()
        self._anchor = time.time() - clock()
        self._told_time = False
        #: The rules as the server has them, which its events change.
        self.ruleset: Ruleset | None = None
        #: The rules that are evaluated: the same, with what the local kill list names killed.
        self.served: Ruleset | None = None
        self.killed_here: frozenset[str] = frozenset()
        #: The highest position ever held here, or confirmed by this host before a restart.
        self.floor: Position | None = None
        #: Finished answers of the present ruleset, where they hold without looking at the time.
        self.known: Known = nothing_known
        #: Monotonic seconds.
        self.contact_at: float | None = None
        self.confirmed_at: float | None = None

    @property
    def position(self) -> Position | None:
        """The position of the ruleset that is served."""
        ruleset = self.ruleset
        return None if ruleset is None else (ruleset.epoch, ruleset.revision)

    def offer(self, ruleset: Ruleset, *, whole: bool) -> Verdict:
        """Serve ``ruleset`` from now on, unless that would be going back.

        A ``whole`` one (a snapshot) may be of a newer epoch, whatever its revision, and may mend what is held at the same
        position; an event's result must be newer within its epoch.
        """
        position = (ruleset.epoch, ruleset.revision)
        if self.floor is not None and position < self.floor:
            return Verdict.OLDER
        mends = self.ruleset is None or whole
        if position == self.position:
            if mends:
                self._swap(ruleset)
            return Verdict.SAME
        if self.ruleset is not None and ruleset.epoch != self.ruleset.epoch and not whole:
            return Verdict.OLDER
        self.floor = position
        self._swap(ruleset)
        return Verdict.ADOPTED

    def restore(self, ruleset: Ruleset | None, floor: Position | None, confirmed_seconds_ago: float) -> None:
        """Begin with what an earlier process left."""
        self.floor = floor
        if ruleset is not None:
            self._swap(ruleset)
            self.confirmed_at = self._clock() - confirmed_seconds_ago

    def _swap(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self._serve(ruleset)

    def kill_here(self, names: frozenset[str]) -> None:
        """Serve these flags as killed from now on, and no others, whatever the server says."""
        if names == self.killed_here:
            return
        self.killed_here = names
        if self.ruleset is not None:
            self._serve(self.ruleset)

    def _serve(self, ruleset: Ruleset) -> None:
        served = ruleset.killing(self.killed_here)
        timeless = self._max_age is None and served.next_expiry == inf
        self.served = served
        self.known = served.memo.get if timeless else nothing_known

    def heard(self) -> None:
        """Something sensible came from the server."""
        self.contact_at = self._clock()

    def confirm(self) -> None:
        """The server said that what is held is its newest."""
        self.confirmed_at = self._clock()
        with self._confirmation:
            self._confirmation.notify_all()

    def wait_for_confirmation(self, done: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``done()`` after a confirmation, at most ``timeout`` seconds. Returns ``done()``."""
        with self._confirmation:
            return self._confirmation.wait_for(done, max(0.0, timeout))

    def contact_age(self) -> float | None:
        """Seconds since the server was heard; ``None`` for never."""
        at = self.contact_at
        return None if at is None else max(0.0, self._clock() - at)

    def confirmed_age(self) -> float | None:
        """Seconds since the data was confirmed; ``None`` for never."""
        at = self.confirmed_at
        return None if at is None else max(0.0, self._clock() - at)

    def too_old(self) -> bool:
        """Whether ``max_age`` forbids to use the data."""
        if self._max_age is None:
            return False
        age = self.confirmed_age()
        return age is None or age > self._max_age

    def learn_time(self, server_now: float, tolerance: float = 0.0) -> None:
        """Take the server's time (seconds since the epoch). Of close ones the fastest to arrive is the truest.

        The time then runs on with the monotonic clock, so setting this machine's clock moves no expiry. A difference
        within ``tolerance`` seconds teaches nothing.
        """
        anchor = server_now - self._clock()
        difference = anchor - self._anchor
        back = CLOCK_STEP if self._told_time else 0.0
        if difference > tolerance or difference < -max(back, tolerance):
            self._anchor = anchor
        self._told_time = True

    def server_time(self) -> float:
        """The server's time now, in seconds since the epoch."""
        return self._anchor + self._clock()

    def after_fork(self) -> None:
        """Replace what a thread may have held that is gone in the child."""
        self._confirmation = threading.Condition()
