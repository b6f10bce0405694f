"""What people and services said in a phase (CSAT, tickets, conversions, metrics of one's own), group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from flagconsole.domain.group import Group
from flagconsole.domain.judge import GroupValue, MetricValue
from flagconsole.domain.metric import TICKET_INCREASE
from flagconsole.domain.telemetry import CustomKind
from flagconsole.rollout.phase_measurements import Subject
from flagconsole.store.metric_store import MetricStore, ValueBucket

#: What feedback calls its tickets; plans limit their increase over the control's.
_TICKETS: Final = "tickets"


async def phase_values(
    metrics: MetricStore, subject: Subject, until: int, active: Mapping[Group, int]
) -> Mapping[str, MetricValue]:
    """The metrics that were posted since the phase began, by name. ``active`` tenants are what counts are divided by."""
    step = max(1, until - subject.since)
    series = await metrics.value_series(subject.flag_name, subject.since, until, step)
    return _values(series, subject.judged, active)


def _values(series: Sequence[ValueBucket], judged: Group, active: Mapping[Group, int]) -> dict[str, MetricValue]:
    """Everything that was posted, by metric: shares and levels as they are, counts for each active tenant."""
    sums: dict[tuple[str, CustomKind], dict[Group, tuple[float, int]]] = {}
    for bucket in series:
        groups = sums.setdefault((bucket.metric, bucket.kind), {})
        total, samples = groups.get(bucket.group, (0.0, 0))
        groups[bucket.group] = total + bucket.total, samples + bucket.samples
    found: dict[str, MetricValue] = {}
    for (name, kind), groups in sums.items():
        ours, theirs = (
            _group_value(groups.get(group), kind, active.get(group, 0)) for group in (judged, Group.CONTROL)
        )
        found[TICKET_INCREASE if name == _TICKETS else name] = MetricValue(ours, theirs)
    return found


def _group_value(summed: tuple[float, int] | None, kind: CustomKind, active: int) -> GroupValue | None:
    if kind is CustomKind.COUNT:
        if not active:
            return None
        # No event of a kind that others had is a measured zero, as long as somebody was active.
        total = 0.0 if summed is None else summed[0]
        return GroupValue(total / active, int(total))
    if summed is None or not summed[1]:
        return None
    return GroupValue(summed[0] / summed[1], summed[1])
