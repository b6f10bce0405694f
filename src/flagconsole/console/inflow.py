"""What the stream brings, on its way into the view model: taken in fifty times a second at most, shown ten times.

A change after a quiet while is shown at once. While more follow they wait, so that a thousand a second cost what they say
and not a thousand paintings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol

from flagconsole.console import change_events
from flagconsole.console import state as model
from flagconsole.console.clock import Clock
from flagconsole.console.state import ConsoleState

if TYPE_CHECKING:
    from flagconsole.console.keeper import Keeper

#: Seconds that a change waits at most until it is in the state, where a sheet that is opened finds it.
TAKE: Final = 0.02


class Host(Protocol):
    """Who holds the state: the app."""

    state: ConsoleState

    def publish(self, state: ConsoleState, changed: frozenset[str]) -> None:
        """Take a new state in which these flags look different."""
        ...


class Inflow:
    """Belongs to one feed. ``mend`` is awaited where a change doesn't follow what is known: it fetches the listing."""

    def __init__(
        self, host: Host, clock: Clock, keeper: Keeper | None, flush: float, mend: Callable[[], Awaitable[None]]
    ) -> None:
        self._host = host
        self._clock = clock
        self._keeper = keeper
        self._flush = flush
        self._mend = mend
        self._waiting: list[str] = []
        self._taking: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._whole = True
        self._dirty: set[str] = set()
        self._shown: ConsoleState | None = None
        self._flushing: asyncio.Task[None] | None = None

    @property
    def quiet(self) -> bool:
        """Whether what comes next is shown at once."""
        return self._flushing is None or self._flushing.done()

    def change(self, text: str) -> None:
        """A change was told of: it is shown at once after a quiet while, else with what follows."""
        self._waiting.append(text)
        self._heard_at = self._clock.monotonic()
        if self.quiet:
            self.take()
        elif self._taking is None:
            self._taking = asyncio.get_running_loop().call_later(TAKE, self.take)

    def take(self) -> None:
        """Take the changes that wait into the state, and show them within ``flush`` seconds."""
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None
        if not self._waiting:
            return
        texts, self._waiting = self._waiting, []
        applied = change_events.apply_events(self._host.state, texts)
        self._whole &= applied.complete
        if self._keeper is not None and applied.events:
            self._keeper.events(applied.events, self._clock.time() + applied.state.connection.skew)
        # One that doesn't follow says that what is known is out of date: nothing was heard of it then.
        state = model.heard(applied.state, self._heard_at) if applied.complete else applied.state
        self.fold(state, applied.changed)

    def fold(self, state: ConsoleState, changed: frozenset[str] = frozenset()) -> None:
        """Take a new state at once, and show it within ``flush`` seconds: at once after a quiet while, else with what follows."""
        self._host.state = state
        self._dirty |= changed
        if self.quiet:
            if self._whole:
                self.publish(state)
            self._flushing = asyncio.create_task(self._flush_later())

    def publish(self, state: ConsoleState, changed: frozenset[str] = frozenset()) -> None:
        """Show a state now, with all that changed since the last one."""
        told = frozenset(self._dirty | changed)
        self._dirty.clear()
        self._host.publish(state, told)
        # What the host made of it counts as shown: it may have put something of its own into it.
        self._shown = self._host.state

    def close(self) -> None:
        """Take in and show nothing any more."""
        if self._taking is not None:
            self._taking.cancel()
        if self._flushing is not None:
            self._flushing.cancel()

    async def _flush_later(self) -> None:
        while True:
            if not self._whole:
                self._whole = True
                await self._mend()
            await asyncio.sleep(self._flush)
            self.take()
            if not self._whole:
                continue
            if self._host.state is self._shown:
                return
            self.publish(self._host.state)
