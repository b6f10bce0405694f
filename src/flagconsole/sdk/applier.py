"""Turns what arrives into what is served: changes in order, snapshots, and what to do about gaps between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from flagconsole.client.frames import ChangeFrame, Heartbeat
from flagconsole.client.position import Position
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.payload import PayloadError, apply_event, parse_snapshot
from flagconsole.domain.text import safe_text
from flagconsole.sdk.held import Held, Verdict
from flagconsole.sdk.status import Counters

#: Changes that arrive while a snapshot is fetched are kept for after it, up to so many.
MAX_SET_ASIDE: Final = 1000


class Applier:
    """Applies to ``held``; ``swapped(before, after)`` is called at once after each swap to a new position."""

    def __init__(self, held: Held, counters: Counters, swapped: Callable[[Ruleset | None, Ruleset], None]) -> None:
        self._held = held
        self._counters = counters
        self._swapped = swapped
        self._set_aside: list[ChangeFrame] = []
        self._head_before: Position | None = None
        #: Whether something is missing that only a snapshot can bring.
        self.gap = False
        #: Set when a snapshot should be fetched now.
        self.fetch_now = asyncio.Event()
        #: Why the last payload was of no use, safe to show; ``None`` after one that was.
        self.problem: str | None = None

    def forget_head(self) -> None:
        """A new connection begins, or a whole snapshot: earlier heartbeats say nothing about it."""
        self._head_before = None

    def beat(self, beat: Heartbeat) -> None:
        """A heartbeat: the time, and which position is the server's head."""
        self._held.learn_time(beat.now)
        head, ours = (beat.epoch, beat.revision), self._held.position
        if head == ours:
            self._held.confirm()
        elif self._head_before is not None and self._head_before > (ours or ("", -1)):
            # What the heartbeat before this one named should have come by now.
            self._fetch_snapshot()
        self._head_before = head

    def change(self, frame: ChangeFrame) -> None:
        """A change: served at once if it follows, set aside if something before it is missing."""
        before = self._held.ruleset
        if before is not None and frame.epoch < before.epoch:
            self._counters.refused_older += 1
            return
        try:
            after = None if before is None else apply_event(before, frame.text)
        except PayloadError as error:
            self._unusable("a change", error)
            self._fetch_snapshot()
            return
        if after is None:
            if len(self._set_aside) < MAX_SET_ASIDE:
                self._set_aside.append(frame)
            self._fetch_snapshot()
        elif after is not before:
            self._offer(after, whole=False)

    def snapshot(self, text: str | bytes) -> Position | None:
        """A whole snapshot. Returns its position; ``None`` where it is of no use or older than what is served."""
        try:
            ruleset = parse_snapshot(text)
        except PayloadError as error:
            self._unusable("a snapshot", error)
            return None
        if self._offer(ruleset, whole=True) is Verdict.OLDER:
            return None
        self.gap = False
        waiting, self._set_aside = self._set_aside, []
        for frame in waiting:
            if (frame.epoch, frame.revision) > (ruleset.epoch, ruleset.revision) and frame.epoch == ruleset.epoch:
                self.change(frame)
        return ruleset.epoch, ruleset.revision

    def _offer(self, ruleset: Ruleset, *, whole: bool) -> Verdict:
        before = self._held.ruleset
        verdict = self._held.offer(ruleset, whole=whole)
        if verdict is Verdict.OLDER:
            self._counters.refused_older += 1
            self.problem = safe_text(f"older revision {ruleset.revision} of {ruleset.epoch} refused", 300)
            return verdict
        self.problem = None
        if verdict is Verdict.ADOPTED:
            self._counters.swaps += 1
            self._swapped(before, ruleset)
        head = self._head_before
        if head is None or (ruleset.epoch, ruleset.revision) >= head:
            self._held.confirm()
        return verdict

    def _unusable(self, what: str, error: PayloadError) -> None:
        self._counters.bad_payloads += 1
        self.problem = safe_text(f"{what} can't be used: {error}", 300)

    def _fetch_snapshot(self) -> None:
        if not self.gap:
            self.gap = True
            self._counters.gaps += 1
        self.fetch_now.set()
