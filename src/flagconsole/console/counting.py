"""Counts tenants beside the event loop: what a kill of the selected flag would do, and how far each flag reaches."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flagconsole.console import impact
from flagconsole.console.impact import KillImpact

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp

#: Seconds that the cursor must stay before its flag's impact is counted.
PASSING: Final = 0.08
#: Seconds between two counts of the same thing while flags keep changing.
PACE: Final = 1.0


class Counter:
    """Keeps the counts for an app, in threads, one of each kind at a time."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app
        self._impact: KillImpact | None = None
        self._wanted: str | None = None
        self._counted_at = float("-inf")
        self._counting_impact = False
        self._uncounted: set[str] = set()
        self._counting_reach = False
        self._tenants: tuple[str, ...] = ()

    def impact_of(self, name: str) -> KillImpact | None:
        """What killing a flag would do, as last counted; counted anew where that is out of date."""
        known, state = self._impact, self._app.state
        same = known is not None and known.blast.flag_name == name
        counted = () if known is None else (known.revision, known.instances, known.blast.tenants)
        if not same or counted != (state.revision, len(state.expected), len(state.tenants)):
            self._wanted = name
            if not self._counting_impact:
                self._counting_impact = True
                self._app.run_worker(self._count_impact())
        return known if same else None

    async def _count_impact(self) -> None:
        try:
            while self._wanted is not None:
                name = self._wanted
                again = self._impact is not None and self._impact.blast.flag_name == name
                rested = self._app.clock.monotonic() - self._counted_at
                await asyncio.sleep(max(PASSING, PACE - rested) if again else PASSING)
                if name != self._wanted:
                    continue
                self._wanted = None
                state = self._app.state
                if name in state.ruleset.rules:
                    self._counted_at = self._app.clock.monotonic()
                    self._impact = await asyncio.to_thread(impact.kill_impact, state, name, self._app.server_now())
                    self._app.paint_soon()
        finally:
            self._counting_impact = False

    def changed(self, names: frozenset[str]) -> None:
        """These flags may reach other tenants than before; all of them where the tenants are others."""
        state = self._app.state
        self._uncounted |= set(state.flags) if state.tenants is not self._tenants else names
        self._tenants = state.tenants
        if self._uncounted and state.tenants and not self._counting_reach:
            self._counting_reach = True
            self._app.run_worker(self._count_reach())

    async def _count_reach(self) -> None:
        try:
            while self._uncounted:
                state, names = self._app.state, frozenset(self._uncounted)
                if len(names) * len(state.tenants) > impact.REACH_BUDGET:
                    names = frozenset({state.selected} if state.selected else ())
                self._uncounted.clear()
                now = self._app.server_now()
                found = await asyncio.to_thread(impact.reaches, state.ruleset, names, state.tenants, now)
                if self._app.state.past != state.past:
                    continue  # of another time than what is on screen
                self._app.state = replace(self._app.state, reach={**self._app.state.reach, **found})
                self._app.paint_soon()
                if self._uncounted:
                    await asyncio.sleep(PACE)
        finally:
            self._counting_reach = False
