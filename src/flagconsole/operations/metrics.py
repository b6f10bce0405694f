"""What was measured of a flag over a window: each group's series and totals, and the canary against the control."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.flag_metrics import (
    Compared,
    CustomTotal,
    FlagMetrics,
    GroupMetrics,
    MetricSeries,
    MetricTotals,
    Series,
)
from flagconsole.domain.group import Group
from flagconsole.domain.metric import STANDARD_METRICS, MetricKind
from flagconsole.domain.sketch import LatencySketch, merged, quantile_of
from flagconsole.domain.tally import Tally
from flagconsole.domain.telemetry import CustomKind
from flagconsole.store.metric_store import GroupBucket, MetricStore, ValueBucket

LEAST_WINDOW: Final = 10
MOST_WINDOW: Final = 90 * 86_400
#: Steps that one answer may have.
MOST_STEPS: Final = 1500
#: Without a step the finest of these that makes no more than ``_USUAL_STEPS``.
_STEPS: Final = (5, 30, 60, 300, 900, 3600, 10_800, 86_400)
_USUAL_STEPS: Final = 300

_CSAT: Final = ("csat", CustomKind.RATIO)
_TICKETS: Final = ("tickets", CustomKind.COUNT)
_CONVERSIONS: Final = ("conversions", CustomKind.COUNT)


@dataclass(slots=True)
class _Measured:
    """What one group has, by start of step."""

    buckets: dict[int, GroupBucket] = field(default_factory=dict)
    values: dict[tuple[str, CustomKind], dict[int, ValueBucket]] = field(default_factory=dict)

    def value(self, key: tuple[str, CustomKind]) -> Mapping[int, ValueBucket]:
        return self.values.get(key, {})


async def flag_metrics(
    metrics: MetricStore, flag_name: str, now: datetime, window: int, step: int | None = None
) -> FlagMetrics:
    """The newest ``window`` seconds in steps of ``step`` seconds, or of wider ones where the data is coarser.

    The last step has begun but isn't over. Raises ``InvalidInput`` for a window or step out of bounds.
    """
    _check(window, step)
    seconds = now.timestamp()
    width = step or _usual_step(window)
    widest = await metrics.widest(flag_name, int(seconds) - window, int(seconds) + width)
    width = -(-width // widest) * widest
    until = (int(seconds) // width + 1) * width
    since = until - max(1, -(-window // width)) * width
    groups = await _measured(metrics, flag_name, since, until, width)
    active = await metrics.active_tenants(flag_name, since, until)
    incidents: dict[Group, int] = {}
    for critical in await metrics.criticals(flag_name, since, until):
        incidents[critical.group] = incidents.get(critical.group, 0) + 1
    newest = await metrics.newest(flag_name)
    starts = range(since, until, width)
    answered = {
        group: GroupMetrics(
            totals=_totals(groups[group], active.get(group, 0), incidents.get(group, 0)),
            series=_series(groups[group], starts),
        )
        for group in Group
        if group in groups
    }
    everything = _sum([bucket.tally for item in groups.values() for bucket in item.buckets.values()])
    return FlagMetrics(
        flag_name=flag_name,
        now=now,
        since=_moment(since),
        until=_moment(until),
        step_seconds=width,
        newest_at=None if newest is None else _moment(newest),
        age_seconds=None if newest is None else max(0.0, seconds - newest),
        active_tenants=active.get(None, 0),
        operations=everything.operations,
        latency_mean=_milliseconds(everything.mean_latency),
        starts=tuple(_moment(start) for start in starts),
        groups=answered,
        comparison=compared(answered),
    )


def compared(groups: Mapping[Group, GroupMetrics]) -> tuple[Compared, ...]:
    """The canary against the control, metric by metric; nothing without a canary. Counts are compared for each active
    tenant, since the groups are not of one size. Tickets and conversions that neither has any of aren't known."""
    canary = groups[Group.CANARY].totals if Group.CANARY in groups else None
    control = groups[Group.CONTROL].totals if Group.CONTROL in groups else None
    if canary is None:
        return ()
    rows = [_compare(name, kind, canary, control, read) for name, (kind, read) in _COMPARED.items()]
    for name, told in _TOLD.items():
        if not any(told(totals) for totals in (canary, control) if totals is not None):
            # Nobody may be counting them: none of either group is not known to be none.
            rows = [
                row
                if row.metric != name
                else Compared(metric=name, kind=row.kind, canary=None, control=None, change=None)
                for row in rows
            ]
    names = sorted({*canary.custom, *(control.custom if control is not None else ())})
    for name in names:
        kind = (canary.custom.get(name) or control.custom[name]).kind if control else canary.custom[name].kind
        rows.append(_compare(name, kind.metric_kind, canary, control, _custom_reader(name, kind)))
    return tuple(rows)


def metric_value(metrics: FlagMetrics, group: Group, metric: str, kind: MetricKind | None = None) -> float | None:
    """The value that a plan's limit on ``metric`` is compared with: of one group over the window, or None where it wasn't
    measured. Relative metrics (of ``kind`` change, where it is a custom one) are the canary's, whatever the group.
    ``critical_errors`` are incidents."""
    of_change = metric if kind is MetricKind.CHANGE and metric not in _CHANGES else _CHANGES.get(metric)
    if of_change is not None:
        return next((item.change for item in metrics.comparison if item.metric == of_change), None)
    if group not in metrics.groups:
        return None
    totals = metrics.groups[group].totals
    if metric in _COMPARED:
        return _COMPARED[metric][1](totals)
    custom = totals.custom.get(metric)
    return None if custom is None else custom.value


def _check(window: int, step: int | None) -> None:
    if not LEAST_WINDOW <= window <= MOST_WINDOW:
        raise InvalidInput(field="window", problem=f"must be from {LEAST_WINDOW} s to 90 days", value=window)
    if step is not None and not 1 <= step <= window:
        raise InvalidInput(field="step", problem="must be from 1 s to the window", value=step)
    if step is not None and window / step > MOST_STEPS:
        raise InvalidInput(field="step", problem=f"must not cut the window into more than {MOST_STEPS}", value=step)


def _usual_step(window: int) -> int:
    return next((step for step in _STEPS if window / step <= _USUAL_STEPS), _STEPS[-1])


async def _measured(metrics: MetricStore, flag_name: str, since: int, until: int, width: int) -> dict[Group, _Measured]:
    groups: dict[Group, _Measured] = {}
    for bucket in await metrics.group_series(flag_name, since, until, width):
        groups.setdefault(bucket.group, _Measured()).buckets[bucket.start] = bucket
    for value in await metrics.value_series(flag_name, since, until, width):
        by_start = groups.setdefault(value.group, _Measured()).values.setdefault((value.metric, value.kind), {})
        by_start[value.start] = value
    return groups


def _sum(tallies: Sequence[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total = total.plus(tally)
    return total


def _totals(measured: _Measured, active: int, incidents: int) -> MetricTotals:
    tally = _sum([bucket.tally for bucket in measured.buckets.values()])
    latency = LatencySketch.from_bytes(merged(bucket.latency for bucket in measured.buckets.values()))
    csat, answers = _whole(measured.value(_CSAT))
    tickets, _ = _whole(measured.value(_TICKETS))
    posted, _ = _whole(measured.value(_CONVERSIONS))
    conversions = tally.conversions + int(posted)
    return MetricTotals(
        operations=tally.operations,
        active_tenants=active,
        success_rate=tally.success_rate,
        error_rate=tally.error_rate,
        critical_errors=tally.critical_errors,
        critical_incidents=incidents,
        latency_mean=_milliseconds(tally.mean_latency),
        latency_p95=_milliseconds(latency.quantile(0.95)),
        latency_p99=_milliseconds(latency.quantile(0.99)),
        conversions=conversions,
        conversion_rate=conversions / tally.operations if tally.operations else None,
        csat=csat / answers if answers else None,
        csat_answers=answers,
        tickets=int(tickets),
        custom={name: _custom_total(kind, by_start) for (name, kind), by_start in _customs(measured).items()},
    )


def _customs(measured: _Measured) -> dict[tuple[str, CustomKind], dict[int, ValueBucket]]:
    """The custom metrics; one that was reported as several kinds is taken as the one that it was reported as most often."""
    own = {key: value for key, value in measured.values.items() if key not in (_CSAT, _TICKETS, _CONVERSIONS)}
    often: dict[str, tuple[int, CustomKind]] = {}
    for (name, kind), by_start in own.items():
        often[name] = max(often.get(name, (0, kind)), (_whole(by_start)[1], kind))
    return {(name, kind): by_start for (name, kind), by_start in sorted(own.items()) if often[name][1] is kind}


def _custom_total(kind: CustomKind, by_start: Mapping[int, ValueBucket]) -> CustomTotal:
    total, count = _whole(by_start)
    return CustomTotal(kind=kind, value=total if kind is CustomKind.COUNT else total / count, count=count)


def _whole(by_start: Mapping[int, ValueBucket]) -> tuple[float, int]:
    return sum(item.total for item in by_start.values()), sum(item.samples for item in by_start.values())


def _series(measured: _Measured, starts: range) -> MetricSeries:
    def of(read: Callable[[GroupBucket], float | None]) -> Series:
        found = (measured.buckets.get(start) for start in starts)
        return tuple(None if bucket is None else read(bucket) for bucket in found)

    def quantile(bucket: GroupBucket, share: float) -> float | None:
        return _milliseconds(quantile_of(bucket.latency, share))

    def posted(key: tuple[str, CustomKind], *, with_zero: bool) -> Series:
        # No ticket while there were operations is none; while there were none, it isn't known.
        values = measured.value(key)
        return tuple(
            _step_value(values[start]) if start in values else 0.0 if with_zero and start in measured.buckets else None
            for start in starts
        )

    reported = of(lambda bucket: float(bucket.tally.conversions))
    by_event = posted(_CONVERSIONS, with_zero=False)
    return MetricSeries(
        operations=of(lambda bucket: float(bucket.tally.operations)),
        success_rate=of(lambda bucket: bucket.tally.success_rate),
        error_rate=of(lambda bucket: bucket.tally.error_rate),
        critical_errors=of(lambda bucket: float(bucket.tally.critical_errors)),
        latency_p95=of(lambda bucket: quantile(bucket, 0.95)),
        latency_p99=of(lambda bucket: quantile(bucket, 0.99)),
        conversions=tuple(
            None if one is None and other is None else (one or 0.0) + (other or 0.0)
            for one, other in zip(reported, by_event, strict=True)
        ),
        csat=posted(_CSAT, with_zero=False),
        tickets=posted(_TICKETS, with_zero=True),
        custom={name: posted((name, kind), with_zero=False) for name, kind in _customs(measured)},
    )


def _step_value(value: ValueBucket) -> float:
    return value.total if value.kind is CustomKind.COUNT else value.total / value.samples


def _compare(
    name: str,
    kind: MetricKind,
    canary: MetricTotals,
    control: MetricTotals | None,
    read: Callable[[MetricTotals], float | None],
) -> Compared:
    ours, theirs = read(canary), None if control is None else read(control)
    change = None
    if ours is not None and theirs is not None and control is not None:
        if kind is MetricKind.COUNT:
            change = _change(_per(ours, canary.active_tenants), _per(theirs, control.active_tenants))
        else:
            change = _change(ours, theirs)
    return Compared(metric=name, kind=kind, canary=ours, control=theirs, change=change)


def _per(count: float, tenants: int) -> float | None:
    return count / tenants if tenants else None


def _change(ours: float | None, theirs: float | None) -> float | None:
    if ours is None or theirs is None:
        return None
    if theirs:
        return ours / theirs - 1
    return 0.0 if not ours else None


def _known_if_active(value: Callable[[MetricTotals], float]) -> Callable[[MetricTotals], float | None]:
    return lambda totals: value(totals) if totals.operations or value(totals) else None


_COMPARED: Final[dict[str, tuple[MetricKind, Callable[[MetricTotals], float | None]]]] = {
    "success_rate": (MetricKind.RATIO, lambda totals: totals.success_rate),
    "error_rate": (MetricKind.RATIO, lambda totals: totals.error_rate),
    "critical_errors": (MetricKind.COUNT, _known_if_active(lambda totals: totals.critical_incidents)),
    "latency_p95": (MetricKind.LATENCY, lambda totals: totals.latency_p95),
    "latency_p99": (MetricKind.LATENCY, lambda totals: totals.latency_p99),
    "csat": (MetricKind.RATIO, lambda totals: totals.csat),
    "tickets": (MetricKind.COUNT, _known_if_active(lambda totals: totals.tickets)),
    "conversion_rate": (MetricKind.RATIO, lambda totals: totals.conversion_rate),
}
#: What only some services tell, and how often a group's did.
_TOLD: Final[dict[str, Callable[[MetricTotals], int]]] = {
    "tickets": lambda totals: totals.tickets,
    "conversion_rate": lambda totals: totals.conversions,
}
#: The relative metrics of plans, and the metric whose change they are.
_CHANGES: Final = {"p95_regression": "latency_p95", "ticket_increase": "tickets"}
assert {name for name, kind in STANDARD_METRICS.items() if kind is MetricKind.CHANGE} == set(_CHANGES)


def _custom_reader(name: str, kind: CustomKind) -> Callable[[MetricTotals], float | None]:
    def read(totals: MetricTotals) -> float | None:
        custom = totals.custom.get(name)
        return custom.value if custom is not None and custom.kind is kind else None

    return read


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
