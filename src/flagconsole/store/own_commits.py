"""The events that this process has committed, for whoever would read them back from the store at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from flagconsole.store.protocol import StoredEvent

#: Events that are kept. Whoever follows takes them after each commit.
_KEPT: Final = 100


class OwnCommits:
    """The newest of them, oldest first."""

    def __init__(self) -> None:
        self._events: deque[tuple[str, StoredEvent]] = deque(maxlen=_KEPT)

    def add(self, events: Iterable[tuple[str, StoredEvent]]) -> None:
        """Keep what was just committed, each event with its epoch."""
        self._events.extend(events)

    def after(self, epoch: str, revision: int) -> list[StoredEvent]:
        """Those that follow ``revision`` in this epoch without a gap. None of them is kept any longer."""
        found: list[StoredEvent] = []
        while self._events:
            of, event = self._events.popleft()
            if of == epoch and event.revision == revision + 1 + len(found):
                found.append(event)
        return found
