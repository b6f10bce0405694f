"""Watches the local kill list, and has what it names killed here, whatever the server says or doesn't."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from typing import Final

from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.kill_list import MOST_BYTES, KillListError, parse_kill_list
from flagconsole.domain.text import safe_text
from flagconsole.sdk.held import Held

#: How often (seconds) it is looked whether the file has changed.
WATCH_SECONDS: Final = 0.25


class KillListWatch:
    """One file; ``told(before, after)`` is called after each change of what is served. A list that can't be used changes nothing: the last good one goes on. A file that isn't there kills
    nothing."""

    def __init__(self, path: str, key: str | None, held: Held, told: Callable[[Ruleset | None, Ruleset], None]) -> None:
        self._path = path
        self._key = key
        self._held = held
        self._told = told
        self._seen: tuple[int, ...] | None = ()
        #: Why the newest list can't be used, safe to show; None where it can.
        self.problem: str | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self.look()

    def look(self) -> None:
        """Take the list if it has changed. Never raises."""
        try:
            seen = _identity(self._path)
            if seen == self._seen:
                return
            names = frozenset() if seen is None else self._names()
        except (OSError, KillListError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self.problem = safe_text(f"the kill list {self._path} can't be used: {why}", 300)
            return
        self._seen, self.problem = seen, None
        before = self._held.served
        self._held.kill_here(names)
        after = self._held.served
        if after is not None and after is not before:
            self._told(before, after)

    def _names(self) -> frozenset[str]:
        with open(self._path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if self._key is None and mode & stat.S_IWOTH:
                raise KillListError("everybody may write it, and no key says whose lists to obey")
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise KillListError(f"it is larger than {MOST_BYTES} bytes")
        return frozenset(kill.flag_name for kill in parse_kill_list(text, self._key))


def _identity(path: str) -> tuple[int, ...] | None:
    """What differs where the file was written anew; None where there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode
