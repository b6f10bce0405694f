"""Batches of what was measured, made into what is kept: what comes too late or is about nothing known is left out and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.group import Group, group_of
from flagconsole.domain.metric import CONVERSION_RATE, TICKET_INCREASE
from flagconsole.domain.retention import COARSE_SECONDS
from flagconsole.domain.role import Actor
from flagconsole.domain.rollout import Rollout
from flagconsole.domain.sketch import packed
from flagconsole.domain.states import UNDER_WAY
from flagconsole.domain.tally import Tally
from flagconsole.domain.telemetry import (
    EARLY_SECONDS,
    INCIDENT_SECONDS,
    LATE_FEEDBACK_SECONDS,
    LATE_SECONDS,
    CustomKind,
    Feedback,
    FeedbackBatch,
    Taken,
    TelemetryBatch,
    UsageBucket,
)
from flagconsole.store.metric_store import (
    Critical,
    FeedbackRow,
    GroupBucket,
    MetricWrite,
    PhaseValue,
    TenantBucket,
    ValueBucket,
)

HasRoom = Callable[[str, int], bool]
#: The feedback and counts behind the standard metrics of plans.
_BEHIND = {TICKET_INCREASE: "tickets", CONVERSION_RATE: "conversions"}


class PhaseUnderWay(NamedTuple):
    """The phase that a flag's rollout is in: when it began (seconds since the epoch), and the metrics that its plan limits,
    which alone are summed up by tenant."""

    since: int
    metrics: frozenset[str]

    @classmethod
    def of(cls, rollout: Rollout) -> PhaseUnderWay:
        """That of a rollout."""
        limits = (one.metric for phase in rollout.plan.phases for one in (*phase.success, *phase.rollback))
        return cls(int(rollout.phase_started_at.timestamp()), frozenset(_BEHIND.get(name, name) for name in limits))


#: Flags in rollout with their phases.
Phases = Mapping[str, PhaseUnderWay]
#: The name that a tenant is summed up by in a flag's phase: its own, or none beyond the bound.
Named = Callable[[str, int, str], str]


def _own_name(flag_name: str, since: int, tenant_id: str) -> str:
    return tenant_id


_NONE: Phases = MappingProxyType({})


def telemetry_write(
    actor: Actor,
    batch: TelemetryBatch,
    ruleset: Ruleset,
    now: float,
    *,
    in_rollout: Phases = _NONE,
    has_room: HasRoom = lambda flag_name, start: True,
    named: Named = _own_name,
) -> tuple[MetricWrite, Taken]:
    """What is kept of a batch, and what to answer. ``now`` in seconds since the epoch.

    Tenants are kept in the batch's buckets while their flag is in shadow, in canary or ``in_rollout``, otherwise by the
    hour. Where ``has_room(flag, start)`` is false a tenant is counted without its name; ``named`` says by which name its
    custom metrics are summed up in a phase. Raises ``InvalidInput`` for a
    tenant that isn't that of the key.
    """
    counts: Counter[str] = Counter()
    kept: list[UsageBucket] = []
    for bucket in batch.buckets:
        refuse_foreign(actor, bucket.tenant_id)
        fate = fate_of(bucket.start + batch.bucket_seconds, bucket.start, now, LATE_SECONDS)
        if bucket.flag_name not in ruleset.rules:
            fate = "unknown"
        counts[fate] += 1
        if fate == "taken":
            kept.append(bucket)
    fine = {name for name, rule in ruleset.rules.items() if rule.state in UNDER_WAY} | set(in_rollout)
    width = batch.bucket_seconds
    write = MetricWrite(
        batch_id=f"telemetry {batch.batch_id}",
        # By then all of its buckets would be too late anyway.
        expires_at=int(now) + LATE_SECONDS + EARLY_SECONDS + width,
        groups=_groups(kept, width),
        tenants=_tenants(kept, width, fine, has_room),
        values=_values(kept, width),
        criticals=_criticals(kept),
        phase_values=_phase_values(_measured(kept, width), in_rollout, named),
    )
    return write, Taken(batch_id=batch.batch_id, **counts)


def feedback_write(
    actor: Actor,
    batch: FeedbackBatch,
    ruleset: Ruleset,
    now: float,
    *,
    in_rollout: Phases = _NONE,
    named: Named = _own_name,
) -> tuple[MetricWrite, Taken]:
    """What is kept of a batch of feedback, and what to answer. A tenant's group is the one it has now."""
    counts: Counter[str] = Counter()
    rows: list[FeedbackRow] = []
    for event in batch.events:
        refuse_foreign(actor, event.tenant_id)
        at = now if event.occurred_at is None else event.occurred_at.timestamp()
        fate = fate_of(at, at, now, LATE_FEEDBACK_SECONDS)
        flags = list(_flags_meant(event, ruleset))
        if event.flag_name is not None and not flags:
            fate = "unknown"
        counts[fate] += 1
        if fate == "taken":
            metric, kind = event.measures
            for name in flags:
                group = group_of(ruleset.evaluate(name, event.tenant_id, now))
                rows.append(FeedbackRow(name, event.tenant_id, group, metric, kind, event.value, int(at)))
    write = MetricWrite(
        batch_id=f"feedback {batch.batch_id}",
        expires_at=int(now) + LATE_FEEDBACK_SECONDS + EARLY_SECONDS,
        feedback=rows,
        phase_values=_phase_values(_said(rows), in_rollout, named),
    )
    return write, Taken(batch_id=batch.batch_id, **counts)


def refuse_foreign(actor: Actor, tenant_id: str) -> None:
    """Raise ``InvalidInput`` for a tenant that isn't that of the key."""
    if actor.tenant_id is not None and tenant_id != actor.tenant_id:
        raise InvalidInput(field="tenant_id", problem="is not the tenant of this key", value=tenant_id)


def fate_of(end: float, start: float, now: float, late_after: float) -> str:
    """``taken``, ``late`` or ``early``: what becomes of a span, by the server's clock."""
    if end < now - late_after:
        return "late"
    return "early" if start > now + EARLY_SECONDS else "taken"


def _flags_meant(event: Feedback, ruleset: Ruleset) -> Iterable[str]:
    if event.flag_name is None:
        return (name for name, rule in ruleset.rules.items() if rule.state in UNDER_WAY)
    return (event.flag_name,) if event.flag_name in ruleset.rules else ()


def _tally(bucket: UsageBucket) -> Tally:
    return Tally(
        bucket.operations,
        bucket.successes,
        bucket.errors,
        sum(bucket.criticals.values()),
        bucket.conversions,
        bucket.timed,
        bucket.latency_seconds,
    )


class _Sum:
    """Several buckets as one."""

    __slots__ = ("bins", "tally")

    def __init__(self) -> None:
        self.tally = Tally()
        self.bins: Counter[int] = Counter()

    def add(self, bucket: UsageBucket) -> None:
        self.tally = self.tally.plus(_tally(bucket))
        for key, times in bucket.latency:
            self.bins[key] += times

    def latency(self) -> bytes:
        return packed(sorted(self.bins.items()))


def _groups(buckets: list[UsageBucket], width: int) -> list[GroupBucket]:
    sums: dict[tuple[str, Group, int], _Sum] = {}
    for bucket in buckets:
        sums.setdefault((bucket.flag_name, bucket.group, bucket.start), _Sum()).add(bucket)
    return [
        GroupBucket(flag, group, start, width, item.tally, item.latency())
        for (flag, group, start), item in sums.items()
    ]


def _tenants(buckets: list[UsageBucket], width: int, fine: set[str], has_room: HasRoom) -> list[TenantBucket]:
    sums: dict[tuple[str, str, Group, int, int], _Sum] = {}
    for bucket in buckets:
        seconds = width if bucket.flag_name in fine else COARSE_SECONDS
        start = bucket.start // seconds * seconds
        tenant = bucket.tenant_id if has_room(bucket.flag_name, start) else ""
        sums.setdefault((bucket.flag_name, tenant, bucket.group, start, seconds), _Sum()).add(bucket)
    return [
        TenantBucket(flag, tenant, group, start, seconds, item.tally, item.latency())
        for (flag, tenant, group, start, seconds), item in sums.items()
    ]


def _values(buckets: list[UsageBucket], width: int) -> list[ValueBucket]:
    sums: dict[tuple[str, Group, str, CustomKind, int], tuple[float, int]] = {}
    for bucket in buckets:
        for metric, value in bucket.custom.items():
            key = bucket.flag_name, bucket.group, metric, value.kind, bucket.start
            total, samples = sums.get(key, (0.0, 0))
            sums[key] = total + value.total, samples + value.count
    return [
        ValueBucket(flag, group, metric, kind, start, width, total, samples)
        for (flag, group, metric, kind, start), (total, samples) in sums.items()
    ]


def _measured(buckets: list[UsageBucket], width: int) -> Iterable[PhaseValue]:
    for bucket in buckets:
        for metric, value in bucket.custom.items():
            about = bucket.flag_name, bucket.start, metric, value.kind, bucket.group, bucket.tenant_id
            yield PhaseValue(*about, value.total, value.count, bucket.start + width)


def _said(rows: list[FeedbackRow]) -> Iterable[PhaseValue]:
    for row in rows:
        about = row.flag_name, row.occurred_at, row.metric, row.kind, row.group, row.tenant_id
        yield PhaseValue(*about, row.value, 1, row.occurred_at)


def _phase_values(happened: Iterable[PhaseValue], phases: Phases, named: Named) -> list[PhaseValue]:
    """What happened in a phase under way and matters to its plan. Until here ``since`` is when it happened."""
    sums: dict[PhaseValue, tuple[float, int, int]] = {}
    for one in happened:
        phase = phases.get(one.flag_name)
        if phase is None or one.since < phase.since or one.metric not in phase.metrics:
            continue
        name = named(one.flag_name, phase.since, one.tenant_id)
        key = one._replace(since=phase.since, tenant_id=name, total=0.0, samples=0, at=0)
        total, samples, at = sums.get(key, (0.0, 0, 0))
        sums[key] = total + one.total, samples + one.samples, max(at, one.at)
    return [key._replace(total=total, samples=samples, at=at) for key, (total, samples, at) in sums.items()]


def _criticals(buckets: list[UsageBucket]) -> list[Critical]:
    sums: Counter[tuple[str, str, Group, str, int]] = Counter()
    for bucket in buckets:
        window = bucket.start // INCIDENT_SECONDS * INCIDENT_SECONDS
        for fingerprint, times in bucket.criticals.items():
            sums[bucket.flag_name, bucket.tenant_id, bucket.group, fingerprint, window] += times
    return [Critical(*key, times) for key, times in sums.items()]
