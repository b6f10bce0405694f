"""Which flags are due for removal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from flagconsole.domain.flag import Flag
from flagconsole.domain.stale import UNUSED_DAYS, StaleFlag, StaleList, findings_of, stable_seconds
from flagconsole.domain.stored_plan import PlanEntry
from flagconsole.operations.plan_file import SHIPPED, shipped_plan
from flagconsole.store.metric_store import MetricStore
from flagconsole.store.protocol import Store


async def stale_flags(
    store: Store, flags: tuple[Flag, ...], now: datetime, unused_days: int = UNUSED_DAYS
) -> StaleList:
    """The stale ones of ``flags``. One look-up by index for each flag, however much was measured."""
    measured = {flag.flag_name: await _measured_at(store.metrics, flag.flag_name) for flag in flags}
    async with store.read() as reader:
        own = {stored.plan_name: stored.entry for stored in await reader.stored_plans() if stored.entry is not None}
    unused = timedelta(days=unused_days)
    anybody = any(at is not None and now - at < unused for at in measured.values())
    found = []
    for flag in flags:
        at = measured[flag.flag_name]
        findings = findings_of(flag, now, _stable_seconds(flag, own), at, unused if anybody else None)
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


def _stable_seconds(flag: Flag, own: Mapping[str, PlanEntry]) -> float:
    """By the flag's plan: one that the environment keeps, or one that ships. A plan that somebody keeps in a file of their own
    isn't known here: then the default's time is a fair one."""
    kept = own.get(flag.plan)
    if kept is not None:
        return stable_seconds(kept.for_flag(flag.flag_name))
    return _shipped_seconds(flag.plan if flag.plan in SHIPPED else SHIPPED[0])


@cache
def _shipped_seconds(name: str) -> float:
    return stable_seconds(shipped_plan(name).plan)
