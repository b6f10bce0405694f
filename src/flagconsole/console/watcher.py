"""Keeps rollouts, verdicts, incidents and measurements true beside the feed.

Rollouts, verdicts and incidents come by the stream. What is large, or of interest only while somebody looks at it (series,
looks, steps, timelines), is asked for only for what is on screen (``Wish``), at the pace at which it can change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from flagconsole.console import watched
from flagconsole.console.clock import Clock
from flagconsole.console.metric_windows import USUAL_WINDOW
from flagconsole.console.state import ConsoleState, Phase
from flagconsole.domain.errors import FlagConsoleError

if TYPE_CHECKING:
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
ROLLOUTS: Final = 200
LOOKS: Final = 100


class Wish(NamedTuple):
    """What a screen shows beyond what the stream brings. ``window`` is in seconds."""

    flag_name: str | None = None
    window: int = USUAL_WINDOW
    story: bool = False
    incident_id: str | None = None


class RolloutReader(Protocol):
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

    async def incidents(self, *, flag_name: str | None = None, open_only: bool = False, limit: int = 50) -> IncidentList:
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
    slow_link: bool

    def wish(self) -> Wish:
        """What is on screen now."""
        ...

    def publish(self, state: ConsoleState, changed: frozenset[str]) -> None:
        """Take a new state in which these flags look different."""
        ...


class Watcher:
    """Belongs to one connection; ``run`` never returns by itself, cancel it."""

    def __init__(self, client: RolloutReader, host: Host, clock: Clock) -> None:
        self._client = client
        self._host = host
        self._clock = clock
        self._measured: tuple[str, int] | None = None
        self._measured_at = float("-inf")
        self._told: tuple[object, ...] | None = None
        self._told_at = float("-inf")
        self._story: tuple[object, ...] | None = None
        self._story_at = float("-inf")

    async def fetch(self) -> None:
        """Fetch what the stream goes on from: rollouts, incidents, playbooks."""
        rollouts, active, incidents, playbooks = await asyncio.gather(
            self._client.rollouts(limit=ROLLOUTS),
            self._client.rollouts(active=True, limit=ROLLOUTS),
            self._client.incidents(limit=watched.INCIDENTS_KEPT),
            self._client.playbooks(),
        )
        state = self._host.state
        both = [*rollouts.rollouts, *active.rollouts]
        state = watched.with_rollouts(state, (item.model_dump(mode="json") for item in both))
        state = watched.with_incidents(state, (item.model_dump(mode="json") for item in incidents.incidents))
        state = watched.with_playbooks(state, [item.model_dump(mode="json") for item in playbooks.playbooks])
        self._host.publish(state, frozenset(state.rollouts))

    async def run(self) -> None:
        """Ask for what is on screen until cancelled. A failure is the stream's to report; it is asked again."""
        while True:
            if self._host.state.connection.phase is Phase.LIVE:
                wish = self._host.wish()
                await asyncio.gather(
                    self._try(self._measure, wish), self._try(self._tell, wish), self._try(self._tell_incident, wish)
                )
            await asyncio.sleep(GLANCE)

    @staticmethod
    async def _try(ask: Callable[[Wish], Awaitable[None]], wish: Wish) -> None:
        with suppress(FlagConsoleError, OSError):
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
        self._host.publish(watched.with_incident_story(self._host.state, detail.model_dump(mode="json")), frozenset())
