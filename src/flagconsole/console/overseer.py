"""Asks now and then what waits for a second person, who works with rights that they took, and what is scheduled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from flagconsole.console.clock import Clock
from flagconsole.console.oversight import Oversight, oversight_of
from flagconsole.console.state import ConsoleState
from flagconsole.domain.errors import BeyondTenant, NotAllowed, RouteNotFound

if TYPE_CHECKING:
    from flagconsole.domain.approval import ApprovalList
    from flagconsole.domain.break_glass import GrantList
    from flagconsole.domain.schedule import ScheduleList

#: Seconds between two questions; while the answer is what is on screen, and otherwise.
PACE_IN_FRONT: Final = 1.0
PACE: Final = 5.0


class OversightReader(Protocol):
    """What it needs of a client."""

    async def approvals(self) -> ApprovalList:
        """What waits for a second person."""
        ...

    async def break_glass(self) -> GrantList:
        """Rights that were taken for a time."""
        ...

    async def schedules(
        self, flag_name: str | None = None, *, open_only: bool = False, limit: int = 100
    ) -> ScheduleList:
        """What is scheduled."""
        ...


class Host(Protocol):
    """Who holds the state: the app."""

    state: ConsoleState

    def publish(self, state: ConsoleState, changed: frozenset[str]) -> None:
        """Take a new state in which these flags look different."""
        ...


class Overseer:
    """Belongs to one connection."""

    def __init__(self, client: OversightReader, host: Host, clock: Clock) -> None:
        self._client, self._host, self._clock = client, host, clock
        self._asked_at = float("-inf")

    async def ask(self, *, in_front: bool = False) -> None:
        """Ask, if it is time. A key that may not know leaves it unknown."""
        now = self._clock.monotonic()
        if now - self._asked_at < (PACE_IN_FRONT if in_front else PACE):
            return
        self._asked_at = now
        try:
            approvals, grants, schedules = await asyncio.gather(
                self._client.approvals(), self._client.break_glass(), self._client.schedules(open_only=True)
            )
        except (NotAllowed, BeyondTenant, RouteNotFound) as error:
            found = Oversight(refusal=str(error))
        else:
            found = oversight_of(
                (item.model_dump(mode="json") for item in approvals.approvals),
                (item.model_dump(mode="json") for item in grants.grants),
                (item.model_dump(mode="json") for item in schedules.schedules),
            )
        found = found._replace(asked_at=now)
        before = self._host.state.oversight
        if in_front or found != before._replace(asked_at=now):
            self._host.publish(replace(self._host.state, oversight=found), frozenset())
