"""What is answered about a flag's metrics: a series for each group, totals, and the canary against the control.

What wasn't measured is null, never zero: zero errors means that there were operations, and none failed. Shares are fractions,
latencies milliseconds.
"""

from __future__ import annotations

from pydantic import AwareDatetime

from flagconsole.domain.flag import Frozen
from flagconsole.domain.group import Group
from flagconsole.domain.metric import MetricKind
from flagconsole.domain.telemetry import CustomKind

Series = tuple[float | None, ...]


class CustomTotal(Frozen):
    """A custom metric over the window: a ratio's share, a gauge's mean, a count's number; and from how many reports."""

    kind: CustomKind
    value: float
    count: int


class MetricTotals(Frozen):
    """One group over the whole window. ``critical_incidents`` are distinct: same tenant, fingerprint and five minutes count
    once; ``critical_errors`` counts each."""

    operations: int
    active_tenants: int
    success_rate: float | None = None
    error_rate: float | None = None
    critical_errors: int = 0
    critical_incidents: int = 0
    latency_mean: float | None = None
    latency_p95: float | None = None
    latency_p99: float | None = None
    conversions: int = 0
    conversion_rate: float | None = None
    csat: float | None = None
    csat_answers: int = 0
    tickets: int = 0
    custom: dict[str, CustomTotal]


class MetricSeries(Frozen):
    """One group over time; each series has one value for each of the answer's ``starts``."""

    operations: Series
    success_rate: Series
    error_rate: Series
    critical_errors: Series
    latency_p95: Series
    latency_p99: Series
    conversions: Series
    csat: Series
    tickets: Series
    custom: dict[str, Series]


class GroupMetrics(Frozen):
    """One group."""

    totals: MetricTotals
    series: MetricSeries


class Compared(Frozen):
    """One metric, canary against control. ``change`` is canary relative to control, minus 1."""

    metric: str
    kind: MetricKind
    canary: float | None
    control: float | None
    change: float | None


class FlagMetrics(Frozen):
    """``GET /api/flags/{name}/metrics``: the window from ``since`` to ``until`` in steps of ``step_seconds``.

    ``newest_at`` is the end of the newest bucket there is, and ``age_seconds`` how long ago that was; null where nothing was
    ever measured. ``active_tenants``, ``operations`` and ``latency_mean`` are those of all groups together.
    """

    flag_name: str
    now: AwareDatetime
    since: AwareDatetime
    until: AwareDatetime
    step_seconds: int
    newest_at: AwareDatetime | None
    age_seconds: float | None
    active_tenants: int
    operations: int
    latency_mean: float | None
    starts: tuple[AwareDatetime, ...]
    groups: dict[Group, GroupMetrics]
    comparison: tuple[Compared, ...]
