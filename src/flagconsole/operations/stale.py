"""Which flags are due for removal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flagconsole.domain.flag import Flag
from flagconsole.domain.stale import UNUSED_DAYS, StaleFlag, StaleList, findings_of, stable_seconds
from flagconsole.operations.plan_file import SHIPPED, shipped_plan
from flagconsole.store.metric_store import MetricStore


async def stale_flags(
    metrics: MetricStore, flags: tuple[Flag, ...], now: datetime, unused_days: int = UNUSED_DAYS
) -> StaleList:
    """The stale ones of ``flags``. One look-up by index for each flag, however much was measured."""
    measured = {flag.flag_name: await _measured_at(metrics, flag.flag_name) for flag in flags}
    unused = timedelta(days=unused_days)
    anybody = any(at is not None and now - at < unused for at in measured.values())
    stable = {plan: _stable_seconds(plan) for plan in {flag.plan for flag in flags}}
    found = []
    for flag in flags:
        at = measured[flag.flag_name]
        findings = findings_of(flag, now, stable[flag.plan], at, unused if anybody else None)
        if findings:
            found.append(
                StaleFlag(
                    flag_name=flag.flag_name,
                    owner=flag.owner,
                    current_state=flag.current_state,
                    measured_at=at,
                    findings=findings,
                )
            )
    found.sort(key=lambda one: (min(finding.since for finding in one.findings), one.flag_name))
    return StaleList(now=now, unused_days=unused_days, measured=anybody, flags=tuple(found))


async def _measured_at(metrics: MetricStore, flag_name: str) -> datetime | None:
    newest = await metrics.newest(flag_name)
    return None if newest is None else datetime.fromtimestamp(newest, UTC)


def _stable_seconds(plan_name: str) -> float:
    """A plan that somebody keeps in a file of their own isn't known here: then the default's time is a fair one."""
    return stable_seconds(shipped_plan(plan_name if plan_name in SHIPPED else SHIPPED[0]).plan)
