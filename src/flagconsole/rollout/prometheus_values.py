"""The metrics of a plan that Prometheus measures, group by group, as the judge is shown them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from flagconsole.domain.group import Group
from flagconsole.domain.judge import GroupValue, MetricValue
from flagconsole.domain.plan import Phase, PhaseKind
from flagconsole.domain.plan_metric import PlanMetric
from flagconsole.domain.rollout import Rollout
from flagconsole.rollout.prometheus_source import PrometheusSource
from flagconsole.rollout.sources import Failed, MetricQuery, NoData, NotANumber, Reading, Stale, TimedOut, Value

SOURCE: Final = "Prometheus"
#: All queries of a look together may take so long (seconds): what a plan has measured elsewhere must not keep the judge from
#: what the store knows.
ALL_SECONDS: Final = 8.0
#: Queries under way at once.
AT_ONCE: Final = 8
WINDOW_SECONDS: Final = 3600
_SHORTEST_WINDOW: Final = 60


class PrometheusValues:
    """``GroupValues`` by the queries of the rollout's plan. Without a ``source`` nothing that they measure is known."""

    def __init__(self, source: PrometheusSource | None, *, all_seconds: float = ALL_SECONDS) -> None:
        self._source = source
        self._all_seconds = all_seconds

    async def values(self, rollout: Rollout, now: datetime) -> Mapping[str, MetricValue]:
        """The metrics that the phase has limits on and the plan has queries for. Never raises for what Prometheus does."""
        phase = rollout.current_phase
        wanted = {name: asked for name, asked in rollout.plan.metrics.items() if name in _limited(phase)}
        if not wanted:
            return {}
        judged = phase.kind.judged
        groups = (judged, Group.CONTROL) if phase.kind is PhaseKind.CANARY else (judged,)
        readings = await self._readings(rollout, wanted, groups, now)
        return {
            name: _value(readings[name, judged], readings.get((name, Group.CONTROL)), judged=judged) for name in wanted
        }

    async def _readings(
        self, rollout: Rollout, wanted: Mapping[str, PlanMetric], groups: tuple[Group, ...], now: datetime
    ) -> dict[tuple[str, Group], Reading]:
        places = [(name, group) for name in wanted for group in groups]
        if self._source is None:
            nobody = Failed("this server was started without --prometheus")
            return dict.fromkeys(places, nobody)
        source, turns = self._source, asyncio.Semaphore(AT_ONCE)
        since = int((now - rollout.phase_started_at).total_seconds())
        window = min(WINDOW_SECONDS, max(_SHORTEST_WINDOW, since))

        async def read(name: str, group: Group) -> Reading:
            async with turns:
                return await source.read(wanted[name], MetricQuery(rollout.flag_name, group, name, window), now)

        tasks = {place: asyncio.create_task(read(*place)) for place in places}
        try:
            await asyncio.wait(tasks.values(), timeout=self._all_seconds)
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        return {
            place: TimedOut(self._all_seconds) if task.cancelled() else task.result() for place, task in tasks.items()
        }


def _limited(phase: Phase) -> frozenset[str]:
    return frozenset(criterion.metric for criterion in (*phase.success, *phase.rollback))


def _value(own: Reading, control: Reading | None, *, judged: Group) -> MetricValue:
    problem = _problem(own)
    if problem:
        return MetricValue(None, source=SOURCE, problem=f"{judged.value}: {problem}")
    beside = _problem(control)
    said = f"control: {beside}" if beside else ""
    return MetricValue(_number(own), _number(control), source=SOURCE, problem=said)


def _number(reading: Reading | None) -> GroupValue | None:
    # One number: how many observations made it is not known.
    return GroupValue(reading.value, 1) if isinstance(reading, Value) else None


def _problem(reading: Reading | None) -> str:
    match reading:
        case NoData():
            return reading.reason
        case NotANumber():
            return f"it gives {reading.value}"
        case Stale():
            return f"its newest sample is {reading.age_seconds:.0f} s old"
        case Failed():
            return reading.problem
        case TimedOut():
            return f"no answer within {reading.seconds:g} s"
        case _:
            return ""
