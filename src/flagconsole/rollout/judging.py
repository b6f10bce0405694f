"""What the controller asks the judge for: the face between what happens over time and the verdict's mathematics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from flagconsole.domain.flag import Flag
from flagconsole.domain.rollout import Rollout, StoredVerdict

if TYPE_CHECKING:
    # The judge needs numpy, which must not delay a server's start.
    from flagconsole.domain.judge import MetricValue


class Judgement(NamedTuple):
    """A verdict, and what the judge has to remember for the next look (None: nothing)."""

    verdict: StoredVerdict
    state: bytes | None = None


class NothingToJudge(Exception):
    """Nobody could be compared. The text says why, and what to do about it."""


class Judging(Protocol):
    """Looks at a rollout's phase."""

    async def look(self, rollout: Rollout, flag: Flag, state: bytes | None, now: datetime) -> Judgement:
        """The verdict now. May raise anything: then there was no look, and nothing is promoted. ``NothingToJudge`` says in
        its own words what is missing."""


class GroupValues(Protocol):
    """Brings metrics that somebody else measured: one number for each group, not tenant by tenant."""

    async def values(self, rollout: Rollout, now: datetime) -> Mapping[str, MetricValue]:
        """The metrics of the rollout's phase as of ``now``, by name; one that isn't known now is ``MetricValue(None)``,
        so that no older or other number takes its place. May raise anything: then there is no look."""
