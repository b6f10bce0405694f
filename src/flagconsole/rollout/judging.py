"""What the controller asks the judge for: the face between what happens over time and the verdict's mathematics."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

from flagconsole.domain.flag import Flag
from flagconsole.domain.rollout import Rollout, StoredVerdict


class Judgement(NamedTuple):
    """A verdict, and what the judge has to remember for the next look (None: nothing)."""

    verdict: StoredVerdict
    state: bytes | None = None


class Judging(Protocol):
    """Looks at a rollout's phase."""

    async def look(self, rollout: Rollout, flag: Flag, state: bytes | None, now: datetime) -> Judgement:
        """The verdict now. May raise anything: then there was no look, and nothing is promoted."""
