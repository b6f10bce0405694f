"""Keeps rollouts, verdicts, incidents and measurements true beside the feed.

Rollouts, verdicts and incidents come by the stream. What is large, or of interest only while somebody looks at it (series,
looks, steps, timelines), is asked for only for what is on screen (``Wish``), at the pace at which it can change.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from flagconsole.console import watched, watched_incidents
from flagconsole.console.cache_parts import INCIDENTS, METRICS, ROLLOUTS
from flagconsole.console.clock import Clock
from flagconsole.console.overseer import Overseer, OversightReader
from flagconsole.console.state import Applied, ConsoleState, Phase
from flagconsole.console.verdicts import FAIL
from flagconsole.console.wish import Wish
from flagconsole.domain.errors import FlagConsoleError, NotAllowed, RouteNotFound

if TYPE_CHECKING:
    from flagconsole.client.stream import IncidentFrame, RolloutFrame, VerdictFrame
    from flagconsole.console.keeper import Keeper
    from flagconsole.domain.flag_metrics import FlagMetrics
    from flagconsole.domain.incident_views import IncidentDetail, IncidentList
    from flagconsole.domain.playbook_views import PlaybookList
    from flagconsole.domain.rollout_views import RolloutDetail, RolloutList, VerdictPage

#: Seconds between two questions for measurements: the pace of the SDKs' buckets, never faster than ``LEAST_PACE``.
LEAST_PACE: Final = 5.0
MOST_PACE: Final = 60.0
SLOW_PACE: Final = 30.0
#: Seconds after which steps, looks and timelines are asked for again; sooner where an event tells that they moved.
STORY_PACE: Final = 15.0
#: Seconds between two glances at what is on screen.
GLANCE: Final = 0.25
MOST_ROLLOUTS: Final = 200
LOOKS: Final = 100


class RolloutReader(OversightReader, Protocol):
    """What the watcher needs of a client."""

    async def rollouts(self, *, active: bool = False, limit: int = 50) -> RolloutList:
        """Rollouts, newest first."""
        ...

    async def rollout(self, name: str) -> RolloutDetail:
        """A flag's newest rollout, its steps, and the checklist."""
        ...

    async def verdicts(self, name: str, *, before: int | None = None, limit: int = 100) -> VerdictPage:
        """What the judge said, newest first."""
        ...

    async def metrics(self, name: str, window: int = 3600, step: int | None = None) -> FlagMetrics:
        """What was measured of a flag."""
        ...

    async def incidents(
        self, *, flag_name: str | None = None, open_only: bool = False, limit: int = 50
    ) -> IncidentList:
        """Incidents, newest first."""
        ...

    async def incident(self, incident_id: str) -> IncidentDetail:
        """One incident."""
        ...

    async def playbooks(self) -> PlaybookList:
        """The playbooks that rollbacks go by."""
        ...


class Host(Protocol):
    """Who holds the state and knows what is on screen: the app."""

    state: ConsoleState

    @property
    def slow_link(self) -> bool:
        """Whether as little as possible is to travel."""
        ...

    def wish(self) -> Wish:
        """What is on screen now."""
        ...

    def publish(self, state: ConsoleState, changed: frozenset[str]) -> None:
        """Take a new state in which these flags look different."""
        ...

    def ring(self, occasion: str, words: str) -> None:
        """Ring for something that must not be missed, once for each ``occasion``."""
        ...


class Watcher:
    """Belongs to one connection; ``run`` never returns by itself, cancel it."""

    def __init__(self, client: RolloutReader, host: Host, clock: Clock, keeper: Keeper | None = None) -> None:
        self._client = client
        self._keeper = keeper
        self._host = host
        self._clock = clock
        self._overseer = Overseer(client, host, clock)
        self._behind = False
        self._woken = asyncio.Event()
        self._measured: tuple[str, int] | None = None
        self._measured_at = float("-inf")
        self._told: tuple[object, ...] | None = None
        self._told_at = float("-inf")
        self._story: tuple[object, ...] | None = None
        self._story_at = float("-inf")

    def catch_up(self) -> None:
        """The stream begins anew: what happened before it is fetched at once, again until that works."""
        self._behind = True
        self._woken.set()

    async def _fetch(self, _: Wish) -> None:
        """Fetch what the stream goes on from: rollouts, incidents, playbooks. Without the right to them there are none."""
        if not self._behind:
            return
        try:
            rollouts, active, incidents, playbooks = await asyncio.gather(
                self._client.rollouts(limit=MOST_ROLLOUTS),
                self._client.rollouts(active=True, limit=MOST_ROLLOUTS),
                self._client.incidents(limit=watched_incidents.INCIDENTS_KEPT),
                self._client.playbooks(),
            )
        except (NotAllowed, RouteNotFound):
            self._behind = False
            return
        self._behind = False
        told = [item.model_dump(mode="json") for item in (*rollouts.rollouts, *active.rollouts)]
        incidents_told = [item.model_dump(mode="json") for item in incidents.incidents]
        state = watched_incidents.with_incidents(watched.with_rollouts(self._host.state, told), incidents_told)
        state = watched_incidents.with_playbooks(state, [item.model_dump(mode="json") for item in playbooks.playbooks])
        newest = {item["flag_name"]: item for item in reversed(told)}
        self._keep(ROLLOUTS, newest, whole=True)
        self._keep(INCIDENTS, {item["incident_id"]: item for item in incidents_told}, whole=True)
        self._host.publish(replace(state, caught_up=True), frozenset(state.rollouts))

    def taken(self, frame: RolloutFrame | VerdictFrame | IncidentFrame) -> Applied:
        """The state after an event about a rollout, a look or an incident, and the flags that look different."""
        from flagconsole.client import stream as frames

        before = self._host.state
        match frame:
            case frames.VerdictFrame(text=text):
                return Applied(watched.apply_verdict(before, text), frozenset())
            case frames.IncidentFrame(text=text):
                applied = watched_incidents.apply_incident(before, text)
                part, key = INCIDENTS, "incident_id"
            case _:
                applied = watched.apply_rollout(before, frame.text)
                part, key = ROLLOUTS, "flag_name"
                self._ring(before, applied)
        if applied.state is not before:
            data = json.loads(frame.text)
            self._keep(part, {data[key]: data}, whole=False)
        return applied

    def _ring(self, before: ConsoleState, applied: Applied) -> None:
        """A guard that failed must not be missed."""
        for name in applied.changed:
            row, known = applied.state.rollouts[name], before.rollouts.get(name)
            judged, was = row.judged, None if known is None else known.judged
            if judged is not None and judged.kind == FAIL and (was is None or was.kind != FAIL):
                self._host.ring(f"failed {row.rollout_id} {row.phase}", f"{name}: {judged.because}")

    def _keep(self, part: str, items: dict[str, Any], *, whole: bool) -> None:
        if self._keeper is not None:
            at = self._clock.time() + self._host.state.connection.skew
            self._keeper.part(part, items, at, whole=whole)

    async def run(self) -> None:
        """Ask for what is on screen until cancelled. A failure is the stream's to report; it is asked again."""
        while True:
            if self._host.state.connection.phase is Phase.LIVE:
                wish = self._host.wish()
                await self._try(self._fetch, wish)
                await asyncio.gather(
                    self._try(self._measure, wish),
                    self._try(self._tell, wish),
                    self._try(self._tell_incident, wish),
                    self._try(lambda wish: self._overseer.ask(in_front=wish.oversight), wish),
                )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), GLANCE)
            self._woken.clear()

    @staticmethod
    async def _try(ask: Callable[[Wish], Awaitable[None]], wish: Wish) -> None:
        # An answer that isn't what was asked for must not take the screen away from anybody either.
        with suppress(FlagConsoleError, OSError, LookupError, TypeError, ValueError, AttributeError):
            await ask(wish)

    async def _measure(self, wish: Wish) -> None:
        name, now = wish.flag_name, self._clock.monotonic()
        if name is None or name not in self._host.state.flags:
            return
        asked = (name, wish.window)
        known = self._host.state.metrics.get(name)
        pace = LEAST_PACE if known is None else min(MOST_PACE, max(LEAST_PACE, known.step))
        if self._host.slow_link:
            pace = max(pace, SLOW_PACE)
        if asked == self._measured and now - self._measured_at < pace:
            return
        self._measured, self._measured_at = asked, now
        answer = await self._client.metrics(name, wish.window)
        data = answer.model_dump(mode="json")
        self._keep(METRICS, {name: {**data, "window": wish.window}}, whole=False)
        self._host.publish(watched.with_metrics(self._host.state, data, wish.window), frozenset())

    async def _tell(self, wish: Wish) -> None:
        """Steps, checklist and looks of the rollout on screen."""
        name, now = wish.flag_name, self._clock.monotonic()
        if name is None or not wish.story or name not in self._host.state.flags:
            return
        row = self._host.state.rollouts.get(name)
        asked = (name, None if row is None else (row.rollout_id, row.phase, row.status, row.progression_paused))
        if asked == self._told and now - self._told_at < STORY_PACE:
            return
        self._told, self._told_at = asked, now
        detail, looks = await asyncio.gather(self._client.rollout(name), self._client.verdicts(name, limit=LOOKS))
        state = watched.with_story(self._host.state, detail.model_dump(mode="json"), name)
        state = watched.with_verdicts(state, name, (item.model_dump(mode="json") for item in looks.verdicts))
        self._host.publish(state, frozenset())

    async def _tell_incident(self, wish: Wish) -> None:
        """Timeline and tenants of the incident on screen."""
        wanted, now = wish.incident_id, self._clock.monotonic()
        row = None if wanted is None else self._host.state.incidents.get(wanted)
        if wanted is None or row is None:
            return
        asked = (wanted, row)
        if asked == self._story and now - self._story_at < STORY_PACE:
            return
        self._story, self._story_at = asked, now
        detail = await self._client.incident(wanted)
        self._host.publish(
            watched_incidents.with_incident_story(self._host.state, detail.model_dump(mode="json")), frozenset()
        )
