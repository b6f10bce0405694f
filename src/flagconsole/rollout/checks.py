"""What can be verified without a person. Every answer is ``ok``, ``not_ok`` or ``unknown`` with what was found; what
nobody measured is ``unknown``.
"""

from __future__ import annotations

import math
import time
from datetime import datetime
from typing import Final, NamedTuple

from flagconsole.domain.group import Group
from flagconsole.domain.instance import EXPECTED, Instance, Presence
from flagconsole.domain.metric import CRITICAL_ERRORS, CSAT, ERROR_RATE, P95_REGRESSION
from flagconsole.domain.playbook import Check
from flagconsole.domain.playbook_run import CheckResult
from flagconsole.domain.telemetry import BUCKET_SECONDS
from flagconsole.domain.text import safe_text
from flagconsole.operations.metrics import LEAST_WINDOW
from flagconsole.operations.reading import ruleset_of, with_presence
from flagconsole.rollout.sources import MetricQuery, MetricSource, Reading, Value
from flagconsole.store.protocol import Reader, Store

#: The newest seconds that a check looks at: two of the SDK's buckets.
WINDOW_SECONDS: Final = 60
#: Seconds for which the instances that were read serve others who look.
HOLDS: Final = 0.25
#: How much worse than the control group still counts as its baseline: a fifth, or a tenth of a percentage point.
_ERRORS_FACTOR, _ERRORS_MARGIN = 1.2, 0.001
_CSAT_MARGIN: Final = 0.02
_LATENCY_CHANGE: Final = 0.05
#: The share of failed operations above which a service isn't well, the feature being off: what a shadow phase bears by default.
_FEW_ERRORS: Final = 0.05
#: The groups for which the feature runs, or ran a moment ago; what others meet is not the feature's.
_EXPOSED: Final = (Group.CANARY, Group.ON, Group.OTHER)


class Finding(NamedTuple):
    """What a check found."""

    result: CheckResult
    found: str


class Fleet:
    """The instances as those see them who look at about the same time: a thousand, read anew for each of sixty open incidents, would
    keep the server from everything else for half a second. They are at most ``HOLDS`` old, so nobody has confirmed less by now."""

    def __init__(self) -> None:
        self._read_at = -math.inf
        self._instances: list[Instance] = []

    async def instances(self, reader: Reader) -> list[Instance]:
        """All of them."""
        if time.monotonic() - self._read_at > HOLDS:
            self._instances = await reader.instances()
            self._read_at = time.monotonic()
        return self._instances


async def verify(
    check: Check,
    store: Store,
    metrics: MetricSource | None,
    flag_name: str,
    now: datetime,
    fleet: Fleet | None = None,
) -> Finding:
    """Look once."""
    match check:
        case Check.RECEIPTS:
            return await _receipts(store, fleet or Fleet(), flag_name, now)
        case Check.CACHES:
            return await _caches(store, fleet or Fleet(), now)
        case Check.DEPENDENTS_OFF:
            return await _dependents_off(store, flag_name, now)
        case Check.ERRORS_ZERO:
            return await _none(store, metrics, flag_name, ERROR_RATE, "errors", now)
        case Check.NO_CRITICALS:
            return await _none(store, metrics, flag_name, CRITICAL_ERRORS, "critical errors", now)
        case Check.ERRORS_BASELINE:
            return await _errors_baseline(metrics, flag_name, now)
        case Check.CSAT:
            return await _csat(metrics, flag_name, now)
        case Check.LATENCY:
            return await _latency(metrics, flag_name, now)
        case Check.SERVICES:
            return await _services(store, metrics, fleet or Fleet(), flag_name, now)


async def _receipts(store: Store, fleet: Fleet, flag_name: str, now: datetime) -> Finding:
    """Every expected instance has confirmed the flag's newest change. Where some can't, nobody knows."""
    async with store.read() as reader:
        head = await reader.head()
        newest = await reader.changes(flag_name=flag_name, limit=1)
        instances = with_presence(await fleet.instances(reader), now)
    revision = newest[0].change_id if newest else head.revision
    expected = [instance for instance in instances if instance.presence in EXPECTED]
    done = sum(item.confirms(head.epoch, revision) for item in expected)
    told = sum(item.told(head.epoch, revision) for item in expected)
    if not expected:
        return Finding(CheckResult.UNKNOWN, "no instances are connected")
    confirmed = f"{done} of {len(expected)} instances at revision {revision}"
    if told:
        confirmed += f"; {told} told, can't confirm"
    if done + told < len(expected):
        behind = [
            item for item in expected if not (item.confirms(head.epoch, revision) or item.told(head.epoch, revision))
        ]
        names = ", ".join(safe_text(item.instance_id, 60) for item in behind[:5])
        return Finding(CheckResult.NOT_OK, f"{confirmed}; waiting for {names}")
    return Finding(CheckResult.UNKNOWN if told else CheckResult.OK, confirmed)


async def _caches(store: Store, fleet: Fleet, now: datetime) -> Finding:
    async with store.read() as reader:
        instances = with_presence(await fleet.instances(reader), now)
    expected = [instance for instance in instances if instance.presence in EXPECTED]
    stale = [item.instance_id for item in expected if item.status != "ready"]
    if not expected:
        return Finding(CheckResult.UNKNOWN, "no instances are connected")
    if stale:
        names = ", ".join(safe_text(name, 60) for name in stale[:5])
        return Finding(CheckResult.NOT_OK, f"{len(stale)} of {len(expected)} instances serve old rules: {names}")
    silent = sum(not item.can_confirm for item in expected)
    if silent:
        return Finding(CheckResult.UNKNOWN, f"{silent} of {len(expected)} instances can't say what they serve")
    return Finding(CheckResult.OK, f"none of {len(expected)} instances serves old rules")


async def _services(store: Store, metrics: MetricSource | None, fleet: Fleet, flag_name: str, now: datetime) -> Finding:
    """Those that answer for the flag: whether they run with fresh rules, and how many of its operations fail there since its
    newest change, also without the feature. Nobody measured is nobody knows."""
    async with store.read() as reader:
        flag = await reader.flag(flag_name)
        instances = with_presence(await fleet.instances(reader), now)
    expected = [instance for instance in instances if instance.presence in EXPECTED]
    affects = () if flag is None else flag.affects
    answering = [instance for instance in expected if instance.service in affects] or expected
    if not answering:
        return Finding(CheckResult.UNKNOWN, "no instances are connected")
    unwell = [item.instance_id for item in answering if item.presence is not Presence.LIVE or item.status != "ready"]
    if unwell:
        names = ", ".join(safe_text(name, 60) for name in unwell[:5])
        return Finding(
            CheckResult.NOT_OK, f"{len(unwell)} of {len(answering)} instances are silent or serve old rules: {names}"
        )
    live = f"{len(answering)} of {len(answering)} instances are live with fresh rules"
    window = await _seconds_since_change(store, flag_name, now)
    if window < LEAST_WINDOW:
        return Finding(CheckResult.UNKNOWN, f"{live}; too soon after the change to tell of errors")
    readings = [await _read(metrics, flag_name, group, ERROR_RATE, now, window) for group in Group]
    values = [reading.value for reading in readings if isinstance(reading, Value)]
    if not values:
        return Finding(CheckResult.UNKNOWN, f"{live}; nothing tells of errors in the last {window} s")
    found = f"{live}; at most {max(values):.2%} of the flag's operations failed in the last {window} s"
    return Finding(CheckResult.OK if max(values) <= _FEW_ERRORS else CheckResult.NOT_OK, found)


async def _dependents_off(store: Store, flag_name: str, now: datetime) -> Finding:
    async with store.read() as reader:
        # Most flags have none, and to read all flags for each incident that waits would keep a server with many of them busy.
        if not any(flag_name in needed for needed in (await reader.dependency_graph()).values()):
            return Finding(CheckResult.OK, "no flag depends on it")
        ruleset = ruleset_of(await reader.head(), await reader.flag_views(), await reader.overrides())
        tenants = await reader.active_tenant_ids()
    dependents, at = ruleset.dependents(flag_name), now.timestamp()
    if not tenants:
        return Finding(CheckResult.UNKNOWN, "the store knows no tenants")
    enabled = [name for name in dependents if any(ruleset.evaluate(name, tenant, at).enabled for tenant in tenants)]
    if enabled:
        return Finding(CheckResult.NOT_OK, f"still enabled for some tenants: {', '.join(enabled[:5])}")
    return Finding(CheckResult.OK, f"{len(dependents)} dependents are off for everyone")


async def _read(
    metrics: MetricSource | None,
    flag_name: str,
    group: Group,
    metric: str,
    now: datetime,
    window_seconds: int = WINDOW_SECONDS,
) -> Reading | None:
    if metrics is None:
        return None
    return await metrics.read(MetricQuery(flag_name, group, metric, window_seconds), now)


async def _none(
    store: Store, metrics: MetricSource | None, flag_name: str, metric: str, what: str, now: datetime
) -> Finding:
    """Nothing of the kind was measured where the feature runs, since the flag's newest change at most, though the flag is
    measured. Where it is measured and the feature ran for nobody, there was nothing that could fail."""
    window = await _seconds_since_change(store, flag_name, now)
    if window < LEAST_WINDOW:
        return Finding(CheckResult.UNKNOWN, f"too soon after the change to tell of {what}")
    readings = [await _read(metrics, flag_name, group, metric, now, window) for group in _EXPOSED]
    values = [reading.value for reading in readings if isinstance(reading, Value)]
    if not values:
        if isinstance(await _read(metrics, flag_name, Group.OFF, metric, now, window), Value):
            return Finding(CheckResult.OK, f"it ran for nobody in the last {window} s")
        return Finding(CheckResult.UNKNOWN, f"nothing tells of {what} in the last {window} s")
    if max(values) > 0:
        shown = f"{max(values):.2%}" if metric == ERROR_RATE else f"{max(values):g}"
        return Finding(CheckResult.NOT_OK, f"{what} in the last {window} s: {shown}")
    return Finding(CheckResult.OK, f"no {what} in the last {window} s")


async def _seconds_since_change(store: Store, flag_name: str, now: datetime) -> int:
    """The newest seconds that the present state of the flag alone accounts for: a bucket that began before its newest change
    may tell of what was before."""
    async with store.read() as reader:
        newest = await reader.changes(flag_name=flag_name, limit=1)
    if not newest:
        return WINDOW_SECONDS
    changed, end = newest[0].changed_at.timestamp(), now.timestamp()
    measured = await store.metrics.newest(flag_name)
    known = measured is not None and measured > changed
    width = await store.metrics.widest(flag_name, int(changed), int(end) + 1) if known else BUCKET_SECONDS
    return min(WINDOW_SECONDS, int(end - changed) - width)


async def _both(metrics: MetricSource | None, flag_name: str, metric: str, now: datetime) -> tuple[float, float] | None:
    canary = await _read(metrics, flag_name, Group.CANARY, metric, now)
    control = await _read(metrics, flag_name, Group.CONTROL, metric, now)
    if isinstance(canary, Value) and isinstance(control, Value):
        return canary.value, control.value
    return None


async def _errors_baseline(metrics: MetricSource | None, flag_name: str, now: datetime) -> Finding:
    both = await _both(metrics, flag_name, ERROR_RATE, now)
    if both is None:
        return Finding(CheckResult.UNKNOWN, "the error rates of canary and control are not both known")
    canary, control = both
    holds = canary <= max(control * _ERRORS_FACTOR, control + _ERRORS_MARGIN)
    return Finding(CheckResult.OK if holds else CheckResult.NOT_OK, f"canary {canary:.2%}, control {control:.2%}")


async def _csat(metrics: MetricSource | None, flag_name: str, now: datetime) -> Finding:
    both = await _both(metrics, flag_name, CSAT, now)
    if both is None:
        return Finding(CheckResult.UNKNOWN, "nobody has answered lately")
    canary, control = both
    holds = canary >= control - _CSAT_MARGIN
    return Finding(CheckResult.OK if holds else CheckResult.NOT_OK, f"canary {canary:.0%}, control {control:.0%}")


async def _latency(metrics: MetricSource | None, flag_name: str, now: datetime) -> Finding:
    reading = await _read(metrics, flag_name, Group.CANARY, P95_REGRESSION, now)
    if not isinstance(reading, Value):
        return Finding(CheckResult.UNKNOWN, "the latencies of canary and control are not both known")
    holds = reading.value <= _LATENCY_CHANGE
    return Finding(CheckResult.OK if holds else CheckResult.NOT_OK, f"p95 {reading.value:+.0%} against control")
