"""What people and services said in a phase: CSAT, tickets, conversions, metrics of one's own.

The metrics that a plan limits are summed up tenant by tenant while the phase runs, so that the judge's intervals take the tenant
as their unit. Of any other span there are only the groups' sums.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.group import Group
from flagconsole.domain.judge import GroupValue, MetricValue
from flagconsole.domain.judge.interval import estimate
from flagconsole.domain.metric import CONVERSION_RATE, TICKET_INCREASE
from flagconsole.domain.telemetry import CustomKind
from flagconsole.rollout.phase_measurements import PhaseMeasurements, Subject
from flagconsole.rollout.slot import COLUMNS
from flagconsole.store.metric_store import MetricStore, PhaseMoments

Floats = NDArray[np.float64]

#: What feedback calls its tickets; plans limit their increase over the control's.
_TICKETS: Final = "tickets"
#: What services and feedback call them; plans limit their share of the operations.
_CONVERSIONS: Final = "conversions"
#: Fewer tenants have no spread between them to speak of.
_FEWEST_TENANTS: Final = 5
BY_GROUP: Final = "only the groups' sums are known of this span: the interval takes every answer as independent"
POSTED: Final = "with conversions that were posted: the interval takes every operation as independent"
FEW_TENANTS: Final = "fewer than five tenants had any: the interval takes every answer as independent"


async def phase_values(metrics: MetricStore, subject: Subject, active: Mapping[Group, int]) -> dict[str, MetricValue]:
    """What was said since the phase began, by metric. ``subject.since`` is the phase's beginning; events are counted in the
    ``active`` tenants of each group."""
    return _values(await metrics.phase_moments(subject.flag_name, subject.since), subject.judged, active)


async def values_since(
    metrics: MetricStore, subject: Subject, until: int, active: Mapping[Group, int]
) -> dict[str, MetricValue]:
    """The same of any span, by the groups' sums alone."""
    step = max(1, until - subject.since)
    sums: dict[tuple[str, CustomKind, Group], PhaseMoments] = {}
    for bucket in await metrics.value_series(subject.flag_name, subject.since, until, step):
        key = bucket.metric, bucket.kind, bucket.group
        known = sums.get(key, PhaseMoments(*key, 0, 0.0, 0, 0.0, 0.0, 0.0))
        sums[key] = known._replace(total=known.total + bucket.total, samples=known.samples + bucket.samples)
    return _values(sums.values(), subject.judged, active)


def with_conversions(
    values: dict[str, MetricValue], measured: PhaseMeasurements, canary: NDArray[np.bool_]
) -> dict[str, MetricValue]:
    """The values, and the conversion rate where anybody reports conversions."""
    counts = measured.whole().counts.astype(np.float64)
    columns = dict(zip(COLUMNS, counts, strict=True))
    rate = conversion_rate(columns["operations"], columns["conversions"], canary, values.get(_CONVERSIONS))
    return values if rate is None else {**values, CONVERSION_RATE: rate}


def conversion_rate(
    operations: Floats, conversions: Floats, canary: NDArray[np.bool_], posted: MetricValue | None
) -> MetricValue | None:
    """Conversions for each operation, by the tenants' ``operations`` and what SDKs counted of their ``conversions``, together
    with those that were ``posted``. None where there were none at all: then nobody reports them."""
    groups: list[GroupValue | None] = []
    for group, said in (
        (canary, None if posted is None else posted.canary),
        (~canary, None if posted is None else posted.control),
    ):
        counted = estimate(conversions, operations, group)
        if counted is None:
            groups.append(None)
            continue
        total = int(operations[group].sum())
        value = counted.value + (0.0 if said is None else said.value / total)
        # Of posted ones it isn't known here which tenant's they are.
        known = counted.tenants >= _FEWEST_TENANTS and not (said is not None and said.value)
        groups.append(GroupValue(value, total, error=counted.error if known else None, tenants=counted.tenants))
    own, other = groups
    if not any(group is not None and group.value > 0 for group in groups):
        return None
    return MetricValue(own, other, note="" if own is None or own.error is not None else POSTED)


def _values(found: Iterable[PhaseMoments], judged: Group, active: Mapping[Group, int]) -> dict[str, MetricValue]:
    metrics: dict[tuple[str, CustomKind], dict[Group, PhaseMoments]] = {}
    for moments in found:
        metrics.setdefault((moments.metric, moments.kind), {})[moments.group] = moments
    # One that was reported as several kinds is taken as the one that it was reported as most often.
    often = sorted(metrics, key=lambda key: sum(moments.samples for moments in metrics[key].values()))
    values: dict[str, MetricValue] = {}
    for name, kind in often:
        groups = metrics[name, kind]
        own, other = (_group_value(groups.get(group), kind, active.get(group, 0)) for group in (judged, Group.CONTROL))
        shown = groups.get(judged) or groups.get(Group.CONTROL)
        note = "" if shown is None or kind is CustomKind.COUNT else _note(shown)
        values[TICKET_INCREASE if name == _TICKETS else name] = MetricValue(own, other, note=note)
    return values


def _note(moments: PhaseMoments) -> str:
    if not moments.tenants:
        return BY_GROUP
    return FEW_TENANTS if moments.tenants < _FEWEST_TENANTS else ""


def _group_value(moments: PhaseMoments | None, kind: CustomKind, active: int) -> GroupValue | None:
    if kind is CustomKind.COUNT:
        if not active:
            return None
        # No event of a kind that others had is a measured zero, as long as somebody was active.
        if moments is None:
            return GroupValue(0.0, 0, tenants=active, exposure=active, squared=0.0)
        squared = moments.total_squared if moments.tenants else None
        return GroupValue(moments.total, int(moments.total), tenants=active, exposure=active, squared=squared)
    if moments is None or not moments.samples:
        return None
    value = moments.total / moments.samples
    error = _error(moments, value) if moments.tenants >= _FEWEST_TENANTS else None
    return GroupValue(value, moments.samples, error=error, tenants=moments.tenants or None)


def _error(moments: PhaseMoments, value: float) -> float:
    """The standard error of a ratio of sums over tenants: how far each tenant's total is off what its samples predict."""
    off = moments.total_squared - 2 * value * moments.total_samples + value**2 * moments.samples_squared
    return math.sqrt(max(off, 0.0) * moments.tenants / (moments.tenants - 1)) / moments.samples
