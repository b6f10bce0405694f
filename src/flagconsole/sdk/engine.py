"""A client's moving parts, made when it starts and again in a forked child: cache, core, and the thread they live in."""

from __future__ import annotations

import os
from typing import Final

from flagconsole.sdk.background import Background
from flagconsole.sdk.cache import DiskCache
from flagconsole.sdk.core import Core
from flagconsole.sdk.held import Held
from flagconsole.sdk.keeper import Keeper
from flagconsole.sdk.kill_list import KillListWatch
from flagconsole.sdk.listeners import Listeners
from flagconsole.sdk.settings import Settings
from flagconsole.sdk.shadow_log import ShadowLog
from flagconsole.sdk.status import Counters
from flagconsole.sdk.usage import Usage

#: What joining may take beyond the time that closing is given (seconds).
GRACE: Final = 0.5


class Engine:
    """Follows the server for ``held`` from ``start`` until ``request_stop``."""

    def __init__(
        self, settings: Settings, held: Held, listeners: Listeners, counters: Counters, usage: Usage, shadow: ShadowLog
    ) -> None:
        self.cache = DiskCache(settings.cache_dir, settings.url, settings.api_key) if settings.cache_dir else None
        if self.cache is not None and held.ruleset is None:
            kept = self.cache.load()
            held.restore(kept.ruleset, kept.floor, kept.confirmed_seconds_ago)
        self.kill_list = None
        if settings.kill_list:
            self.kill_list = KillListWatch(settings.kill_list, settings.kill_list_key, held, listeners.tell)
            # Before anybody can ask: a service that starts while the server is away obeys it from its first operation.
            self.kill_list.look()
        keeper = None if self.cache is None else Keeper(self.cache, held)
        self.core = Core(settings, held, keeper, listeners, counters, usage, shadow, kill_list=self.kill_list)
        self._background = Background(self.core.run, self.core.stop)
        self._process = os.getpid()

    def start(self) -> None:
        """Begin."""
        self._background.start()

    def request_stop(self) -> None:
        """Ask it to end, and return at once. Another process's engine is left alone."""
        if self._process == os.getpid():
            self._background.request_stop()

    def join(self, timeout: float) -> None:
        """Wait for the end, about ``timeout`` seconds."""
        self._background.join(timeout + GRACE)

    def pause(self) -> None:
        """Hold the thread still for a fork."""
        self._background.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._background.resume()
