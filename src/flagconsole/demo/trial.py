"""One scenario without a terminal: the fault, what the controller makes of it, and what came of that, read from the store."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any, Final

from flagconsole.client.http import Client
from flagconsole.demo.fault import Fault, FaultKind
from flagconsole.demo.fleet import Fleet
from flagconsole.demo.receipts import all_confirmed, arrivals
from flagconsole.demo.scenario import BUCKET_SECONDS, JUDGED_FLAG, STORIES, Scenario, fault_of
from flagconsole.demo.services import INSTANCES
from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.group import Group
from flagconsole.domain.incident_views import IncidentView
from flagconsole.domain.rollout import Rollout, StoredVerdict
from flagconsole.domain.verdict import VerdictKind
from flagconsole.domain.views import InstanceList

_READY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.5
_CONFIRM_SECONDS: Final = 10.0


class Trial:
    """One scenario on a running fleet. ``started`` is when the demo was, in seconds since the epoch."""

    def __init__(self, fleet: Fleet, client: Client, scenario: Scenario, started: float) -> None:
        self._fleet, self._client = fleet, client
        self._scenario, self._story = scenario, STORIES[scenario]
        self._started = started
        self._fault: Fault | None = None
        self._incident: IncidentView | None = None
        #: The newest change that the rollback made, when, and who has confirmed it.
        self._change: tuple[int, float] | None = None
        self._receipts: InstanceList | None = None

    async def run(self, seconds: float | None) -> None:
        """Let it happen, and wait for its outcome, for at most ``seconds`` after the fault (None: the scenario's own)."""
        before = await self._judged()
        self._fault = fault_of(self._scenario, time.time())
        begins = time.time() if self._fault is None else self._fault.since
        if self._fault is not None:
            await self._fleet.strike(self._fault)
        deadline = begins + (self._story.seconds if seconds is None else seconds)
        while not await self._over(before):
            if time.time() >= deadline:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _judged(self) -> Rollout:
        """The rollout, once the judge has looked at what the running services measured."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            rollout = await self._rollout()
            verdict = rollout.verdict
            if verdict is not None and verdict.kind is not VerdictKind.NO_DATA and _seconds(verdict.at) > self._started:
                newest = (await self._client.metrics(JUDGED_FLAG, 60)).newest_at
                if newest is not None and _seconds(newest) > self._started + BUCKET_SECONDS:
                    return rollout
            await asyncio.sleep(_POLL_SECONDS)
        raise StoreUnavailable(problem=f"the demo's canary was not judged within {_READY_SECONDS:g} s")

    async def _over(self, before: Rollout) -> bool:
        """Look once. True when the outcome is there: service is restored and the rollout has ended."""
        found = (await self._client.incidents(flag_name=JUDGED_FLAG, limit=1)).incidents
        if not found or _seconds(found[0].started_at) < self._started:
            return False
        self._incident = found[0]
        await self._follow(self._incident)
        if self._incident.completed_at is None or self._incident.affected is None:
            return False
        rollout = await self._rollout()
        return rollout.rollout_id != before.rollout_id or not rollout.status.active

    async def _follow(self, incident: IncidentView) -> None:
        """Keep who has confirmed the rollback's newest change, before other changes take its place."""
        newest = max(incident.change_ids, default=None)
        if newest is None or (self._change is not None and self._change[0] == newest):
            return
        history = await self._client.history(JUDGED_FLAG)
        changed = next(change.changed_at for change in history.changes if change.change_id == newest)
        self._change = newest, _seconds(changed)
        self._receipts = await all_confirmed(self._client, newest, _CONFIRM_SECONDS)

    async def summary(self) -> dict[str, Any]:
        """What came of it; null where nothing happened."""
        rollout = await self._rollout()
        failed = await self._first_failure(rollout)
        receipts_ms, last_receipt = self._receipts_ms()
        reports = await self._fleet.report(JUDGED_FLAG)
        incident, fault = self._incident, self._fault
        after = None
        if last_receipt is not None and not rollout.status.active:
            detail = await self._client.flag(JUDGED_FLAG)
            if detail.flag.current_state.value not in {"canary", "on"}:
                starts = (began for report in reports for each in report["started"].values() for began in each)
                after = sum(began > last_receipt for began in starts)
        return {
            "flags": (await self._client.status()).flags,
            "tenants": len((await self._client.tenants()).tenants),
            "instances": len((await self._client.instances(None)).instances),
            "operations": sum(report["operations"] for report in reports),
            "killed_flag": None,
            "kill_revision": None,
            "receipts_ms": receipts_ms,
            "operations_after_last_receipt": after,
            "audit_verified": (await self._client.verify_audit()).verified,
            "scenario": self._scenario.value,
            "fault_at_s": None if fault is None else self._since_start(fault.since),
            "verdict": None if rollout.verdict is None else rollout.verdict.kind.value,
            "verdict_failed_at_s": None if failed is None else self._since_start(_seconds(failed.at)),
            "rolled_back": incident is not None,
            "playbook": None if incident is None else incident.playbook,
            "restoration_s": _restoration_seconds(incident),
            "operations_affected": await self._operations_affected(),
            "incident_id": None if incident is None else incident.incident_id,
            "phase": rollout.phase,
            "rollout": rollout.status.value,
            "because": "" if failed is None else failed.because,
        }

    async def _rollout(self) -> Rollout:
        rollout = (await self._client.rollout(JUDGED_FLAG)).rollout
        assert rollout is not None, "the demo's world has one"
        return rollout

    async def _first_failure(self, rollout: Rollout) -> StoredVerdict | None:
        found = (await self._client.verdicts(JUDGED_FLAG, limit=500)).verdicts
        failed = [
            item.verdict
            for item in found
            if item.verdict.kind is VerdictKind.FAIL
            and item.verdict.rollout_id == rollout.rollout_id
            and _seconds(item.verdict.at) > self._started
        ]
        return min(failed, key=lambda verdict: verdict.at, default=None)

    def _receipts_ms(self) -> tuple[dict[str, float], float | None]:
        """Milliseconds from the rollback's newest change to each instance's receipt, and when the last came if all did."""
        if self._receipts is None or self._change is None:
            return {}, None
        revision, changed = self._change
        arrived = arrivals(self._receipts, self._receipts.epoch, revision)
        last = max(arrived.values()) if len(arrived) == INSTANCES else None
        return {name: round((at - changed) * 1000, 2) for name, at in sorted(arrived.items())}, last

    async def _operations_affected(self) -> int | None:
        """Operations that the store counted from the fault's moment on: of the canary where the fault is its own, of
        everybody while an incident lasted. Null where no operation met a fault."""
        fault = self._fault
        if fault is None or fault.kind is FaultKind.SILENCE:
            return None
        window = max(10, int(time.time() - fault.since) + BUCKET_SECONDS)
        found = await self._client.metrics(JUDGED_FLAG, window, BUCKET_SECONDS)
        groups = set(Group) if fault.kind is FaultKind.INCIDENT else {Group.CANARY}
        until = float("inf") if fault.until is None else fault.until
        return int(
            sum(
                count or 0
                for group, metrics in found.groups.items()
                if group in groups
                for start, count in zip(found.starts, metrics.series.operations, strict=True)
                if fault.since <= _seconds(start) < until
            )
        )

    def _since_start(self, at: float) -> float:
        return round(at - self._started, 2)


def misbehaved(summary: dict[str, Any]) -> list[str]:
    """What a scenario did that it should not have done, or didn't do; empty when it went as it should."""
    expected = STORIES[Scenario(summary["scenario"])].playbook
    wrong = []
    if not summary["audit_verified"]:
        wrong.append("the log's hash chain is broken")
    if expected is None:
        if summary["rolled_back"] or summary["verdict_failed_at_s"] is not None:
            wrong.append(f"the canary was rolled back: {summary['because']}")
        if summary["scenario"] == Scenario.NO_DATA and summary["verdict"] != VerdictKind.NO_DATA:
            wrong.append(f"the verdict is {summary['verdict']} without data")
        if summary["scenario"] == Scenario.NO_DATA and summary["phase"] != "canary 10":
            wrong.append(f"it was promoted to {summary['phase']} without data")
        return wrong
    if summary["verdict_failed_at_s"] is None:
        return [*wrong, "the judge did not see it"]
    if summary["playbook"] != expected:
        wrong.append(f"the playbook was {summary['playbook']}, not {expected}")
    if summary["restoration_s"] is None:
        wrong.append("service was not restored in time")
    if len(summary["receipts_ms"]) != INSTANCES:
        wrong.append("not every instance confirmed the rollback")
    if summary["operations_after_last_receipt"] != 0:
        wrong.append("the feature was used after all instances had confirmed its end")
    return wrong


def _restoration_seconds(incident: IncidentView | None) -> float | None:
    if incident is None or incident.restoration_minutes is None:
        return None
    return round(incident.restoration_minutes * 60, 2)


def _seconds(moment: datetime) -> float:
    return moment.timestamp()
