"""Where a rollout's metrics come from, and everything that can be answered when one is asked for.

Only a ``Value`` is a measurement. All else is a reason why there is none, and none of them ever counts as good news.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

from flagconsole.domain.group import Group
from flagconsole.domain.metric import MetricKind, MetricName


class MetricQuery(NamedTuple):
    """One metric of one group of a flag over the newest ``window_seconds``. A custom metric of ``kind`` change is asked for as
    the canary's change against the control."""

    flag_name: str
    group: Group
    metric: MetricName
    window_seconds: int
    kind: MetricKind | None = None


class Value(NamedTuple):
    """A measurement: a finite number, from data that ended ``age_seconds`` ago."""

    value: float
    age_seconds: float


class NoData(NamedTuple):
    """Nothing was measured."""

    reason: str


class NotANumber(NamedTuple):
    """The source answered NaN or infinity, as a share of nothing does."""

    value: str


class Stale(NamedTuple):
    """There is a number, but its data ended ``age_seconds`` ago, longer than may be."""

    value: float
    age_seconds: float


class Failed(NamedTuple):
    """The source couldn't be asked, or answered something else. ``problem`` is safe to show."""

    problem: str


class TimedOut(NamedTuple):
    """The source didn't answer within ``seconds``."""

    seconds: float


Reading = Value | NoData | NotANumber | Stale | Failed | TimedOut


class MetricSource(Protocol):
    """Answers queries. Never raises for what the source does."""

    async def read(self, query: MetricQuery, now: datetime) -> Reading:
        """The metric as of ``now``."""
