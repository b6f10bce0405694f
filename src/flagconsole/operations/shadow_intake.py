"""Batches of shadow executions, made into what is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.execution_type import ExecutionType, Finding
from flagconsole.domain.retention import MIDDLE_SECONDS
from flagconsole.domain.role import Actor
from flagconsole.domain.shadow import ShadowBatch, ShadowFinding
from flagconsole.domain.shadow_tally import ShadowTally
from flagconsole.domain.telemetry import EARLY_SECONDS, LATE_SECONDS, Taken
from flagconsole.operations.telemetry import HasRoom, fate_of, refuse_foreign
from flagconsole.store.metric_store import MetricWrite
from flagconsole.store.shadow_store import FindingRow, ShadowRow

#: Whether one more name may be kept for a flag in the bucket that starts then.
HasName = Callable[[str, int, tuple[str, str, str]], bool]
#: Stands for the names beyond the bound.
OTHER = "other"


def shadow_write(
    actor: Actor,
    batch: ShadowBatch,
    ruleset: Ruleset,
    now: float,
    *,
    has_room: HasRoom = lambda flag_name, start: True,
    has_name: HasName = lambda flag_name, start, name: True,
) -> tuple[MetricWrite, Taken]:
    """What is kept of a batch, in buckets of five minutes, and what to answer. ``now`` in seconds since the epoch.

    Where ``has_room(flag, start)`` is false a tenant is counted without its name, and where ``has_name`` is false a finding.
    Raises ``InvalidInput`` for a tenant that isn't that of the key, and for findings with a tenant's key, since they are about
    a flag.
    """
    if actor.tenant_id is not None and batch.findings:
        raise InvalidInput(
            field="findings", problem="can't be reported with a tenant's key", value=batch.findings[0].name
        )
    counts: Counter[str] = Counter()
    sums: dict[tuple[str, str, ExecutionType, int], ShadowTally] = {}
    newest: dict[str, int] = {}
    for bucket in batch.buckets:
        refuse_foreign(actor, bucket.tenant_id)
        fate = _fate(bucket.flag_name, bucket.start, batch.bucket_seconds, ruleset, now)
        counts[fate] += 1
        if fate == "taken":
            start = _kept_start(bucket.start, now)
            tenant = bucket.tenant_id if has_room(bucket.flag_name, start) else ""
            key = bucket.flag_name, tenant, bucket.execution_type, start
            sums[key] = sums.get(key, ShadowTally()).plus(bucket.tally)
            newest[bucket.flag_name] = max(newest.get(bucket.flag_name, 0), bucket.start + batch.bucket_seconds)
    write = MetricWrite(
        batch_id=f"shadow {batch.batch_id}",
        expires_at=int(now) + LATE_SECONDS + EARLY_SECONDS + batch.bucket_seconds,
        shadow=[
            ShadowRow(flag, tenant, kind, start, MIDDLE_SECONDS, tally)
            for (flag, tenant, kind, start), tally in sums.items()
        ],
        findings=_findings(batch, ruleset, now, has_name),
        # Never ahead of us: a service's clock that runs fast must not make its data look fresher than it is.
        shadow_newest=[(flag, min(end, int(now))) for flag, end in newest.items()],
    )
    return write, Taken(batch_id=batch.batch_id, **counts)


def _kept_start(start: int, now: float) -> int:
    """The bucket that it is kept in. What a fast clock puts ahead of us happened now, and is seen now."""
    return min(start, int(now)) // MIDDLE_SECONDS * MIDDLE_SECONDS


def _fate(flag_name: str, start: int, width: int, ruleset: Ruleset, now: float) -> str:
    return fate_of(start + width, start, now, LATE_SECONDS) if flag_name in ruleset.rules else "unknown"


def _findings(batch: ShadowBatch, ruleset: Ruleset, now: float, has_name: HasName) -> list[FindingRow]:
    rows: dict[tuple[str, Finding, str, str, int], FindingRow] = {}
    for item in batch.findings:
        if _fate(item.flag_name, item.start, batch.bucket_seconds, ruleset, now) != "taken":
            continue
        start = _kept_start(item.start, now)
        kept = item if has_name(item.flag_name, start, (item.finding, item.name, item.detail)) else _nameless(item)
        key = kept.flag_name, kept.finding, kept.name, kept.detail, start
        times = kept.times + (rows[key].times if key in rows else 0)
        rows[key] = FindingRow(*key, MIDDLE_SECONDS, times, kept.old, kept.new)
    return list(rows.values())


def _nameless(item: ShadowFinding) -> ShadowFinding:
    return item.model_copy(update={"name": OTHER, "detail": "", "old": None, "new": None})
