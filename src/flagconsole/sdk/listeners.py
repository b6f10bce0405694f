"""Callbacks of the service for changes: called in a thread of their own, so that a slow one delays nothing else."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from flagconsole.domain.evaluation import Ruleset
from flagconsole.sdk.status import Counters

log = logging.getLogger("flagconsole.sdk")


class Update(NamedTuple):
    """A new position, and the flags whose rules or overrides differ from before. Overrides that expire make none."""

    epoch: str
    revision: int
    flags: frozenset[str]


Listener = Callable[[Update], object]


class Listeners:
    """Who wants to know. What a listener raises is logged and counted, and goes no further."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._listeners: tuple[Listener, ...] = ()
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[Ruleset | None, Ruleset] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` from the next change on. Returns what takes it away again."""
        with self._lock:
            self._listeners = (*self._listeners, listener)
            if self._thread is None:
                self._start()

        def remove() -> None:
            with self._lock:
                self._listeners = tuple(known for known in self._listeners if known is not listener)

        return remove

    def tell(self, before: Ruleset | None, after: Ruleset) -> None:
        """Let the listeners know of a swap. Returns at once."""
        if self._listeners:
            self._queue.put((before, after))

    def close(self) -> None:
        """Stop once what is waiting was told."""
        self._queue.put(None)

    def after_fork(self) -> None:
        """The thread didn't come along: start anew, with nothing waiting."""
        self._lock = threading.Lock()
        self._queue = queue.SimpleQueue()
        self._thread = None
        if self._listeners:
            self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="flagconsole-listeners", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (swap := self._queue.get()) is not None:
            before, after = swap
            update = Update(after.epoch, after.revision, changed_flags(before, after))
            for listener in self._listeners:
                try:
                    listener(update)
                except Exception:  # a customer's code may raise anything
                    self._counters.listener_errors += 1
                    log.exception("a listener of flag changes failed")


def changed_flags(before: Ruleset | None, after: Ruleset) -> frozenset[str]:
    """The flags whose rule or overrides differ."""
    if before is None:
        return frozenset(after.rules)
    rules = {name for name in {*before.rules, *after.rules} if before.rules.get(name) != after.rules.get(name)}
    overrides = {
        name
        for name in {*before.overrides, *after.overrides}
        if (before.overrides.get(name) or {}) != (after.overrides.get(name) or {})
    }
    return frozenset(rules | overrides)
