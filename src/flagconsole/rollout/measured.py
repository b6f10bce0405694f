"""What the store measured of one phase, in the shape that the judge looks at: arrays in the order of the tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from flagconsole.domain.group import Group
from flagconsole.domain.judge import Baseline, Counts, GroupValue, JudgeSettings, Latency, MetricValue, Observation
from flagconsole.domain.metric import TICKET_INCREASE
from flagconsole.domain.sketch import merged, quantile_of
from flagconsole.domain.telemetry import CustomKind
from flagconsole.store.metric_store import GroupBucket, MetricStore, TenantUsage, ValueBucket

#: What feedback calls its tickets; plans limit their increase over the control's.
_TICKETS: Final = "tickets"
#: Groups that belong to neither side of a comparison.
_NEITHER: Final = frozenset({Group.OFF, Group.OTHER})


class Span(NamedTuple):
    """Whole seconds since the epoch, ``since <= t < until``."""

    since: int
    until: int

    @property
    def halves(self) -> tuple[Span, Span]:
        """The first and the second half."""
        middle = (self.since + self.until) // 2
        return Span(self.since, middle), Span(middle, self.until)


async def counts(
    metrics: MetricStore, flag_name: str, span: Span, tenants: Sequence[str], slow_above: float | None
) -> Counts:
    """Each tenant's counts in the span. Operations that belong to neither side (overrides, capped, off) are left out."""
    usage = await metrics.tenant_usage(flag_name, span.since, span.until, slow_above)
    return _arranged(usage, {name: index for index, name in enumerate(tenants)})


def _arranged(usage: Sequence[TenantUsage], index: Mapping[str, int]) -> Counts:
    columns = np.zeros((4, len(index)))
    for row in usage:
        at = index.get(row.tenant_id)
        if at is not None and row.group not in _NEITHER:
            columns[:, at] += (row.tally.operations, row.tally.errors, row.slow, row.tally.critical_errors)
    return Counts(*columns)


async def baseline(
    metrics: MetricStore, flag_name: str, shadow: Span, tenants: Sequence[str], slow_above: float | None
) -> Baseline | None:
    """The shadow phase in two halves; None when nothing was measured in it."""
    first, second = [await counts(metrics, flag_name, half, tenants, slow_above) for half in shadow.halves]
    if first.operations.sum() + second.operations.sum() == 0:
        return None
    return Baseline(first, second)


async def reference_latency(metrics: MetricStore, flag_name: str, shadow: Span) -> float | None:
    """The p95 before the rollout, in seconds, above which an operation counts as slow; None without any."""
    buckets = await metrics.group_series(flag_name, shadow.since, shadow.until, _step(shadow))
    return quantile_of(merged(bucket.latency for bucket in buckets), 0.95)


async def observe(
    metrics: MetricStore,
    flag_name: str,
    phase: Span,
    tenants: Sequence[str],
    *,
    judged: Group,
    settings: JudgeSettings,
    slow_above: float | None,
    fresh_seconds: float,
    now: datetime,
) -> Observation:
    """One look at the phase so far. ``judged`` is the group under judgement: the canary, or everybody in shadow or on. The
    windows "last hour" and "last half hour" are as long as ``settings`` says: shorter in short phases."""
    last_hour = Span(max(phase.since, phase.until - int(settings.hour_seconds)), phase.until)
    last_half_hour = Span(max(phase.since, phase.until - int(settings.half_hour_seconds)), phase.until)
    series = await metrics.group_series(flag_name, phase.since, phase.until, _step(phase))
    recent = await metrics.group_series(flag_name, last_hour.since, last_hour.until, _step(last_hour))
    values = await metrics.value_series(flag_name, phase.since, phase.until, _step(phase))
    criticals = await metrics.criticals(flag_name, phase.since, phase.until)
    active = await metrics.active_tenants(flag_name, phase.since, phase.until)
    newest = await metrics.newest(flag_name)
    age = now.timestamp() - newest if newest is not None else float("inf")
    return Observation(
        seconds=max(0.0, now.timestamp() - phase.since),
        whole_phase=await counts(metrics, flag_name, phase, tenants, slow_above),
        last_hour=await counts(metrics, flag_name, last_hour, tenants, slow_above),
        last_half_hour=await counts(metrics, flag_name, last_half_hour, tenants, slow_above),
        canary_latency=_latency(series, judged),
        control_latency=_latency(series, Group.CONTROL),
        recent_canary_latency=_latency(recent, judged),
        recent_control_latency=_latency(recent, Group.CONTROL),
        incidents=sum(critical.group is judged for critical in criticals),
        metrics=_values(values, judged, active),
        data_age_seconds=max(0.0, age),
        fresh_seconds=fresh_seconds,
    )


def _step(span: Span) -> int:
    """One step for the whole span: sums are wanted, not a series."""
    return max(1, span.until - span.since)


def _latency(series: Sequence[GroupBucket], group: Group) -> Latency:
    sketch = merged(bucket.latency for bucket in series if bucket.group is group)
    p95, p99 = quantile_of(sketch, 0.95), quantile_of(sketch, 0.99)
    return Latency(None if p95 is None else p95 * 1000, None if p99 is None else p99 * 1000)


def _values(series: Sequence[ValueBucket], judged: Group, active: Mapping[Group | None, int]) -> dict[str, MetricValue]:
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
