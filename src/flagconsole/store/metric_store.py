"""What every store can do with what was measured. Apart from flags: it has no revision, no audit entry and no events, and its
writes wait for every change of a flag.

All times are whole seconds since the epoch. A *bucket* starts at a multiple of its width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from flagconsole.domain.group import Group
from flagconsole.domain.retention import Retention
from flagconsole.domain.tally import Tally
from flagconsole.domain.telemetry import CustomKind
from flagconsole.store.shadow_store import FindingRow, ShadowRow, ShadowStore


class GroupBucket(NamedTuple):
    """One group's operations under one flag in one bucket. ``latency`` is a kept sketch (``domain.sketch``)."""

    flag_name: str
    group: Group
    start: int
    seconds: int
    tally: Tally
    latency: bytes = b""


class TenantBucket(NamedTuple):
    """One tenant's operations under one flag in one bucket. A tenant id that is empty stands for those beyond the bound."""

    flag_name: str
    tenant_id: str
    group: Group
    start: int
    seconds: int
    tally: Tally
    latency: bytes = b""


class ValueBucket(NamedTuple):
    """One custom metric of one group in one bucket; ``total`` and ``samples`` are the total and the count of
    ``domain.telemetry.CustomSum``."""

    flag_name: str
    group: Group
    metric: str
    kind: CustomKind
    start: int
    seconds: int
    total: float
    samples: int


class Critical(NamedTuple):
    """Critical errors of one tenant with one fingerprint in one window of five minutes: one incident."""

    flag_name: str
    tenant_id: str
    group: Group
    fingerprint: str
    start: int
    critical_errors: int


class FeedbackRow(NamedTuple):
    """One thing that somebody of a tenant said or did."""

    flag_name: str
    tenant_id: str
    group: Group
    metric: str
    kind: CustomKind
    value: float
    occurred_at: int


class PhaseValue(NamedTuple):
    """One tenant's custom metric or feedback in the phase of a rollout that began at ``since``: added to its sums, which are
    the only thing that is kept of it by tenant. ``at`` is when the newest of it happened."""

    flag_name: str
    since: int
    metric: str
    kind: CustomKind
    group: Group
    tenant_id: str
    total: float
    samples: int
    at: int


class PhaseMoments(NamedTuple):
    """The sums of one metric over a group's ``tenants`` that had any: of their totals t and samples n, and of t², t·n and n²,
    which is all that an estimate with the tenant as its unit needs."""

    metric: str
    kind: CustomKind
    group: Group
    tenants: int
    total: float
    samples: int
    total_squared: float
    total_samples: float
    samples_squared: float


class MetricWrite(NamedTuple):
    """One batch as it is to be kept. ``expires_at``: until then the batch's id is remembered, so that it counts once."""

    batch_id: str
    expires_at: int
    groups: Sequence[GroupBucket] = ()
    tenants: Sequence[TenantBucket] = ()
    values: Sequence[ValueBucket] = ()
    criticals: Sequence[Critical] = ()
    feedback: Sequence[FeedbackRow] = ()
    shadow: Sequence[ShadowRow] = ()
    findings: Sequence[FindingRow] = ()
    #: Flags with the end of the newest bucket of their shadow executions.
    shadow_newest: Sequence[tuple[str, int]] = ()
    phase_values: Sequence[PhaseValue] = ()


class TenantRow(NamedTuple):
    """What the judge needs of a ``TenantBucket``, read by the ten thousand. ``latency`` is a kept sketch."""

    tenant_id: str
    group: Group
    operations: int
    errors: int
    critical_errors: int
    conversions: int
    latency: bytes


class MetricStore(ShadowStore, Protocol):
    """Measurements. Spans are ``since <= start of the bucket < until``."""

    async def save(self, writes: Sequence[MetricWrite]) -> list[bool]:
        """Add batches, each wholly. Returns for each whether it was new: one whose id is remembered changes nothing."""

    async def group_series(self, flag_name: str, since: int, until: int, step: int) -> list[GroupBucket]:
        """Each group's operations in steps of ``step`` seconds, by start. Steps without any are not there."""

    async def value_series(self, flag_name: str, since: int, until: int, step: int) -> list[ValueBucket]:
        """Custom metrics and feedback in steps, by start."""

    async def phase_moments(self, flag_name: str, since: int) -> list[PhaseMoments]:
        """What was said and measured by tenant in the phase that began at ``since``, by metric, kind and group."""

    async def tenant_rows(self, flag_name: str, since: int, until: int) -> list[TenantRow]:
        """Each tenant's buckets, one row each, by start and tenant. A span holds as many rows as tenants times buckets: ask for a
        short one."""

    async def active_tenants(self, flag_name: str, since: int, until: int) -> dict[Group | None, int]:
        """How many tenants had operations, by group; None for all groups together. A bucket that began before ``since`` and
        reaches into the span counts."""

    async def criticals(self, flag_name: str, since: int, until: int) -> list[Critical]:
        """Incidents of critical errors whose window reaches into the span, by start."""

    async def newest(self, flag_name: str) -> int | None:
        """The end of the newest bucket of any group; None where there is none."""

    async def widest(self, flag_name: str, since: int, until: int) -> int:
        """The width of the widest bucket in the span, in seconds; 1 where there is none."""

    async def roll_up(self, now: float, retention: Retention) -> int:
        """Do one piece of what ``retention`` asks for: merge buckets into wider ones, delete what is too old. Returns how
        many rows it did away with; 0 when all is done."""
