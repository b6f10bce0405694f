"""Keeps the held ruleset on disk: soon after each change, at most once a second, and never in the way of a receipt."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from flagconsole.client.position import Position
from flagconsole.domain.evaluation import Ruleset
from flagconsole.sdk.cache import DiskCache
from flagconsole.sdk.held import Held

log = logging.getLogger("flagconsole.sdk")

SAVE_EVERY: Final = 1.0
#: A change is saved only after its receipt had this head start (seconds).
HEAD_START: Final = 0.05
#: Seconds between two marks that the kept snapshot is still the newest.
CONFIRM_EVERY: Final = 30.0
_NOTE_TRIES: Final = 50


class Keeper:
    """Writes what ``held`` serves to ``cache``, in threads of the loop's executor."""

    def __init__(self, cache: DiskCache, held: Held) -> None:
        self._cache = cache
        self._held = held
        self._changed = asyncio.Event()
        self._saved: Ruleset | None = None
        self._noted: Position | None = None
        self._told: str | None = None

    def changed(self) -> None:
        """Something new is served."""
        self._changed.set()

    async def note(self, position: Position) -> None:
        """Write down that ``position`` is about to be confirmed to the server."""
        if self._noted is not None and position <= self._noted:
            return
        for _ in range(_NOTE_TRIES):
            if self._cache.note(position):
                self._noted = position
                break
            await asyncio.sleep(0.001)
        self._tell()

    async def run(self) -> None:
        """Save until cancelled."""
        saved_at = confirmed_at = 0.0
        while True:
            try:
                async with asyncio.timeout(CONFIRM_EVERY):
                    await self._changed.wait()
            except TimeoutError:
                pass
            else:
                await asyncio.sleep(max(HEAD_START, saved_at + SAVE_EVERY - time.monotonic()))
                self._changed.clear()
                await asyncio.to_thread(self._save)
                self._tell()
                saved_at = time.monotonic()
            age = self._held.confirmed_age()
            if age is not None and age < CONFIRM_EVERY and time.monotonic() - confirmed_at >= CONFIRM_EVERY:
                confirmed_at = time.monotonic()
                if self._saved is self._held.ruleset:
                    await asyncio.to_thread(self._cache.confirm)

    def close(self) -> None:
        """Save what isn't saved, in this thread, and close the files."""
        self._save()
        self._cache.close()

    def _save(self) -> None:
        ruleset = self._held.ruleset
        if ruleset is not None and ruleset is not self._saved and self._cache.save(ruleset):
            self._saved = ruleset

    def _tell(self) -> None:
        """Log a new problem once, not each time it is met."""
        problem = self._cache.problem
        if problem is not None and problem != self._told:
            log.warning("flag cache: %s", problem)
        self._told = problem
