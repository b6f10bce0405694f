"""The shadow report of a flag, from what services reported of their executions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.execution_type import ExecutionType, Finding
from flagconsole.domain.flag import Flag
from flagconsole.domain.group import Group
from flagconsole.domain.retention import MIDDLE_SECONDS
from flagconsole.domain.role import Actor
from flagconsole.domain.shadow_readiness import Evidence, blocking_issues, readiness_score, ready, recommendations
from flagconsole.domain.shadow_report import (
    BaselineSource,
    DependencyShadow,
    ErrorShadow,
    FieldMismatch,
    InvalidIntent,
    ShadowReport,
    TenantShadow,
    ValidationShadow,
)
from flagconsole.domain.shadow_tally import ShadowTally
from flagconsole.domain.states import FlagState
from flagconsole.store.metric_store import MetricStore
from flagconsole.store.shadow_store import ShadowFound, ShadowUsage

LEAST_WINDOW: Final = MIDDLE_SECONDS
MOST_WINDOW: Final = 90 * 86_400
#: Rows of each list in a report; what goes beyond is counted in the sums.
MOST_ROWS: Final = 50
#: Groups whose operations went the old way.
_OLD_WAY: Final = frozenset({Group.SHADOW, Group.OFF, Group.CONTROL})


async def shadow_report(
    metrics: MetricStore, actor: Actor, flag: Flag, states: Mapping[str, FlagState], now: datetime, window: int
) -> ShadowReport:
    """The newest ``window`` seconds. ``states`` are the current states of all flags.

    Buckets are five minutes wide, older ones an hour, and whole ones are read; ``since`` says from when. A tenant's key sees
    its own tenant's numbers, and no samples, since they may be another's. Raises ``InvalidInput`` for a window out of bounds.
    """
    if not LEAST_WINDOW <= window <= MOST_WINDOW:
        raise InvalidInput(field="window", problem="must be from 5 minutes to 90 days", value=window)
    seconds = now.timestamp()
    since = (int(seconds) - window) // MIDDLE_SECONDS * MIDDLE_SECONDS
    until = (int(seconds) // MIDDLE_SECONDS + 1) * MIDDLE_SECONDS
    name = flag.flag_name
    usage = await metrics.shadow_usage(name, since, until)
    found = await metrics.shadow_findings(name, since, until)
    if actor.tenant_id is not None:
        usage, found = [item for item in usage if item.tenant_id == actor.tenant_id], []
    newest = await metrics.shadow_newest(name)
    # Where nothing ran, nothing succeeded either: log lines count by type only.
    ran = [item for item in usage if item.execution_type is not ExecutionType.LOG_ONLY]
    tally = _sum(ran)
    baseline, source = await _baseline(metrics, name, tally, since, until)
    validations = _validations(found)
    evidence = Evidence(
        tally,
        baseline,
        _sum([item for item in ran if item.execution_type is not ExecutionType.VALIDATE]),
        failures=[
            ErrorShadow(error=item.name, source=item.detail or "handler", times=item.times)
            for item in _of(found, Finding.ERROR)
        ],
        validations=validations,
        fields=[_field(item, tally) for item in _of(found, Finding.MISMATCH)],
        dependencies=_dependencies(flag, states, validations),
    )
    before_canary, before_production = blocking_issues(evidence)
    tenants = _tenants(ran)
    return ShadowReport(
        flag_name=name,
        current_state=flag.current_state,
        now=now,
        since=_moment(since),
        until=_moment(until),
        newest_at=None if newest is None else _moment(newest),
        age_seconds=None if newest is None else max(0.0, seconds - newest),
        executions=tally.executions,
        by_type=_by_type(usage),
        skipped=tally.skipped,
        mean_ms=_milliseconds(tally.mean_seconds),
        baseline_ms=_milliseconds(baseline),
        baseline_source=source,
        time_ratio=evidence.time_ratio,
        success_rate=tally.share(tally.successes),
        errors=tally.errors,
        error_rate=tally.share(tally.errors),
        intents=tally.intents,
        intents_per_execution=tally.share(tally.intents),
        invalid_intents=tally.invalid_intents,
        effects=tally.effects,
        effects_avoided=sum(tally.effects.values()),
        compared=tally.compared,
        consistency=tally.consistency,
        mismatch_rate=tally.mismatches / tally.compared if tally.compared else None,
        readiness=readiness_score(tally),
        ready_for_canary=ready(before_canary),
        ready_for_production=ready([*before_canary, *before_production]),
        blocking_issues=(*before_canary, *before_production),
        recommendations=tuple(recommendations(evidence)),
        fields=tuple(evidence.fields[:MOST_ROWS]),
        tenant_count=len(tenants),
        tenants=tuple(tenants[:MOST_ROWS]),
        failures=tuple(evidence.failures[:MOST_ROWS]),
        validations=tuple(validations[:MOST_ROWS]),
        bad_intents=tuple(
            InvalidIntent(intent=item.name, problem=item.detail, times=item.times)
            for item in _of(found, Finding.INTENT)[:MOST_ROWS]
        ),
        dependencies=tuple(evidence.dependencies),
    )


async def _baseline(
    metrics: MetricStore, flag_name: str, tally: ShadowTally, since: int, until: int
) -> tuple[float | None, BaselineSource | None]:
    """The mean seconds of the old way: run beside the new one where it was, else as services measured it."""
    if tally.compared and tally.live_seconds:
        return tally.live_seconds / tally.compared, BaselineSource.COMPARED
    timed, seconds = 0, 0.0
    for bucket in await metrics.group_series(flag_name, since, until, until - since):
        if bucket.group in _OLD_WAY:
            timed += bucket.tally.timed
            seconds += bucket.tally.latency_seconds
    return (seconds / timed, BaselineSource.MEASURED) if timed and seconds else (None, None)


def _sum(usage: Sequence[ShadowUsage]) -> ShadowTally:
    total = ShadowTally()
    for item in usage:
        total = total.plus(item.tally)
    return total


def _by_type(usage: Sequence[ShadowUsage]) -> dict[ExecutionType, int]:
    found: dict[ExecutionType, int] = {}
    for item in usage:
        if item.tally.executions:
            found[item.execution_type] = found.get(item.execution_type, 0) + item.tally.executions
    return {kind: found[kind] for kind in ExecutionType if kind in found}


def _of(found: Sequence[ShadowFound], finding: Finding) -> list[ShadowFound]:
    return [item for item in found if item.finding is finding]


def _field(item: ShadowFound, tally: ShadowTally) -> FieldMismatch:
    return FieldMismatch(
        field=item.name,
        kind=item.detail,
        times=item.times,
        rate=item.times / tally.compared if tally.compared else None,
        old_sample=item.old,
        new_sample=item.new,
    )


def _validations(found: Sequence[ShadowFound]) -> list[ValidationShadow]:
    """By name, those that failed most often first."""
    passed = {item.name: item.times for item in _of(found, Finding.PASSED)}
    failed = {item.name: item.times for item in _of(found, Finding.FAILED)}
    rows = [
        ValidationShadow(name=name, passed=passed.get(name, 0), failed=failed.get(name, 0))
        for name in sorted({*passed, *failed})
    ]
    return sorted(rows, key=lambda row: -row.failed)


def _dependencies(
    flag: Flag, states: Mapping[str, FlagState], validations: Sequence[ValidationShadow]
) -> list[DependencyShadow]:
    sound = {row.name for row in validations if row.passed and not row.failed}
    unsound = {row.name for row in validations if row.failed}
    return [
        DependencyShadow(
            name=name,
            state=states.get(name),
            validated=name in sound or (states.get(name) is FlagState.ON and name not in unsound),
        )
        for name in flag.dependencies
    ]


def _tenants(usage: Sequence[ShadowUsage]) -> list[TenantShadow]:
    """Those with the most mismatches first, then those with the most errors."""
    sums: dict[str, ShadowTally] = {}
    for item in usage:
        sums[item.tenant_id] = sums.get(item.tenant_id, ShadowTally()).plus(item.tally)
    ordered = sorted(sums.items(), key=lambda pair: (-pair[1].mismatches, -pair[1].errors, pair[0]))
    return [
        TenantShadow(
            tenant_id=tenant,
            executions=tally.executions,
            errors=tally.errors,
            compared=tally.compared,
            mismatches=tally.mismatches,
            mismatch_rate=tally.mismatches / tally.compared if tally.compared else None,
        )
        for tenant, tally in ordered
    ]


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
