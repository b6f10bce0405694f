"""The part of the console's fake server that is about rollouts, measurements, playbooks and incidents."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flagconsole.client.stream import IncidentFrame, RolloutFrame, VerdictFrame
from flagconsole.domain.flag_metrics import Compared, FlagMetrics, GroupMetrics, MetricSeries, MetricTotals
from flagconsole.domain.group import Group
from flagconsole.domain.incident import AffectedTenant, Impact, TimelineEntry, TimelineKind
from flagconsole.domain.incident_views import IncidentDetail, IncidentList, IncidentView, RunView
from flagconsole.domain.metric import MetricKind
from flagconsole.domain.plan import Plan
from flagconsole.domain.playbook import StepKind
from flagconsole.domain.playbook_run import RunStatus, StepRecord, StepStatus, VerificationResult
from flagconsole.domain.playbook_views import PlaybookList, PlaybookView
from flagconsole.domain.rollout import Rollout, RolloutStep, StoredVerdict
from flagconsole.domain.rollout_views import (
    NumberedVerdict,
    RolloutDetail,
    RolloutList,
    VerdictPage,
)
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import Contribution, CriterionResult, GuardResult, Purpose, VerdictKind
from flagconsole.operations.checklist import CHECKLIST, checklist_of
from flagconsole.operations.plan_file import shipped_plan
from flagconsole.rollout.playbook_file import read_playbooks
from flagconsole.store.rollout_protocol import Tick

STEP = 15
#: The canary's error rate and p95 by seconds before now; None is a gap.
Moving = Callable[[float], tuple[float, float] | None]


def shipped() -> Plan:
    """The default plan."""
    return shipped_plan("default").plan


class FakeRollouts:
    """Keeps rollouts, looks and incidents; tests say what is in them."""

    send: Callable[[Any], None]

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.rollouts_by_flag: dict[str, Rollout] = {}
        self.steps: dict[str, list[RolloutStep]] = {}
        self.looks: dict[str, list[NumberedVerdict]] = {}
        self.ticked: dict[str, set[str]] = {}
        self.incidents_by_id: dict[str, IncidentView] = {}
        self.incident_details: dict[str, IncidentDetail] = {}
        self.moving: dict[str, Moving] = {}
        #: Whole answers instead, by flag.
        self.measured: dict[str, FlagMetrics] = {}
        #: How many seconds later than at first measurements are answered.
        self.later = 0.0
        self.measured_windows: list[tuple[str, int]] = []

    # building

    def rollout_of(self, name: str, phase: str = "canary 10", *, ago: float = 7200.0, **more: Any) -> Rollout:
        """A rollout under way, by the default plan."""
        at = self._now - timedelta(seconds=ago)
        fields = {
            "rollout_id": f"r-{name}",
            "flag_name": name,
            "plan": shipped(),
            "phase": phase,
            "seed": 7,
            "started_at": at - timedelta(days=1),
            "started_by": "rel",
            "phase_started_at": at,
            "fresh_seconds": ago,
            "looked_at": self._now - timedelta(seconds=4),
            "expected_version": 2,
        }
        rollout = Rollout(**(fields | more))
        self.rollouts_by_flag[name] = rollout
        self.steps[name] = [
            RolloutStep(
                rollout_id=rollout.rollout_id, step="enter shadow", at=rollout.started_at, by="rel", note="start"
            ),
            RolloutStep(rollout_id=rollout.rollout_id, step=f"enter {phase}", at=at, by="rel", note="shadow passes"),
        ]
        self.ticked[name] = set(CHECKLIST)
        return rollout

    def tell_rollout(self, name: str, **changes: Any) -> Rollout:
        """Change a rollout as the controller would, and tell the streams."""
        rollout = self.rollouts_by_flag[name].model_copy(update=changes)
        self.rollouts_by_flag[name] = rollout
        self.send(RolloutFrame(rollout.model_dump_json()))
        return rollout

    def look(self, name: str, verdict: StoredVerdict, *, silent: bool = False) -> None:
        """The judge has looked."""
        looks = self.looks.setdefault(name, [])
        looks.insert(0, NumberedVerdict(verdict_id=len(looks) + 1, verdict=verdict))
        if silent:
            self.rollouts_by_flag[name] = self.rollouts_by_flag[name].model_copy(
                update={"verdict": verdict, "looked_at": verdict.at}
            )
            return
        self.send(VerdictFrame(looks[0].model_dump_json()))
        self.tell_rollout(name, verdict=verdict, looked_at=verdict.at)

    def verdict(
        self, name: str, kind: VerdictKind = VerdictKind.PASS, *, ago: float = 4.0, **more: Any
    ) -> StoredVerdict:
        """A verdict on ``canary 10``; a failing one fails on the error rate."""
        failing = kind is VerdictKind.FAIL
        known = kind is not VerdictKind.NO_DATA
        findings = [
            self._criterion(Purpose.SUCCESS, "success_rate", ">=", 0.99, known, 0.9579 if failing else 0.9971, 0.9952),
            self._criterion(Purpose.SUCCESS, "error_rate", "<=", 0.005, known, 0.0421 if failing else 0.0029, 0.0048),
            self._criterion(Purpose.SUCCESS, "p95_regression", "<=", 0.03, known, 0.021, None),
            self._criterion(Purpose.SUCCESS, "csat", ">=", 0.95, False, None, None),
            self._criterion(Purpose.ROLLBACK, "error_rate", ">", 0.02, known, 0.0421 if failing else 0.0029, 0.0048),
            self._criterion(Purpose.ROLLBACK, "p95_regression", ">", 0.15, known, 0.021, None),
            self._criterion(Purpose.ROLLBACK, "critical_errors", ">=", 2, known, 0, None),
        ]
        because = {
            VerdictKind.PASS: "all criteria hold",
            VerdictKind.FAIL: "error_rate > 2 %: worse than nearly all cohorts that the same draw could have given",
            VerdictKind.INCONCLUSIVE: "41 of 500 operations so far",
            VerdictKind.NO_DATA: "the newest data is 312 s old",
        }[kind]
        fields: dict[str, Any] = {
            "rollout_id": f"r-{name}",
            "flag_name": name,
            "phase": "canary 10",
            "at": self._now - timedelta(seconds=ago),
            "kind": kind,
            "urgency": Urgency.HIGH if failing else None,
            "because": because,
            "data_age_seconds": 12.0 if known else 312.0,
            "findings": tuple(item.model_dump(mode="json") for item in findings),
            "guards": (
                GuardResult(
                    guard="rank", metric="error_rate", urgency=Urgency.HIGH, budget=0.02, spent=0.4,
                    evidence=1.0 if failing else 0.1, fired_at=3600.0 if failing else None,
                ).model_dump(mode="json"),
            ),
            "cohort": "drawn",
            "cohort_size": 50,
            "by_chance": 38,
            "operations": 18_204,
            "tenants": 47,
            "budget": 0.02,
            "budget_spent": 0.4,
        }  # fmt: skip
        return StoredVerdict(**(fields | more))

    @staticmethod
    def _criterion(
        purpose: Purpose,
        metric: str,
        comparison: str,
        limit: float,
        known: bool,
        value: float | None,
        control: float | None,
    ) -> CriterionResult:
        from flagconsole.domain.plan import Comparison, Evidence
        from flagconsole.domain.urgency import urgency_of

        holds = value is not None and Comparison(comparison).holds(value, limit)
        outcome = VerdictKind.NO_DATA
        if known and value is not None:
            outcome = VerdictKind.PASS if holds is (purpose is Purpose.SUCCESS) else VerdictKind.INCONCLUSIVE
            if holds and purpose is Purpose.ROLLBACK:
                outcome = VerdictKind.FAIL
        kinds = {"p95_regression": MetricKind.CHANGE, "critical_errors": MetricKind.COUNT}
        shown = known and value is not None
        top = ()
        if metric == "error_rate" and shown:
            top = (
                Contribution(tenant_id="tenant-0007", operations=900, events=402, expected=4.4),
                Contribution(tenant_id="tenant-0031", operations=400, events=118, expected=2.1),
            )
        return CriterionResult(
            purpose=purpose, metric=metric, kind=kinds.get(metric, MetricKind.RATIO), comparison=Comparison(comparison),
            limit=limit, evidence=Evidence.STATISTICAL, urgency=urgency_of(metric), outcome=outcome,
            value=value if shown else None, control_value=control if shown else None,
            lower=value * 0.9 if shown and value is not None else None,
            upper=value * 1.1 if shown and value is not None else None,
            confidence=0.98 if shown else None, operations=18_204 if shown else 0, tenants=47 if shown else 0,
            top_tenants=top,
        )  # fmt: skip

    def incident_of(self, name: str, number: int = 1, *, ago: float = 130.0, **more: Any) -> IncidentView:
        """An open incident with the playbook ``immediate`` at its second step."""
        at = self._now - timedelta(seconds=ago)
        incident_id = f"inc-{number}"
        fields: dict[str, Any] = {
            "incident_id": incident_id, "flag_name": name, "playbook": "immediate",
            "trigger": "error_rate > 2 %: worse than nearly all cohorts", "opened_by": "controller",
            "state_before": "canary 10 %", "tenant_id": None, "change_ids": (7,), "started_at": at, "completed_at": None,
            "closed_at": None, "closed_by": None, "restoration_minutes": None, "estimate_minutes": 9.0, "affected": 2,
            "tenants_known": 500, "impact": Impact.MINIMAL, "impact_overridden": False, "root_cause": "",
            "resolution_steps": (), "prevention": "", "post_mortem_due": True, "communication_due": False,
            "run": self._run(incident_id, at),
        }  # fmt: skip
        incident = IncidentView(**(fields | more))
        self.incidents_by_id[incident_id] = incident
        return incident

    def _run(self, incident_id: str, at: datetime) -> RunView:
        steps = []
        for ordinal, step in enumerate(read_playbooks()["immediate"].steps):
            record = StepRecord.planned(f"{incident_id}-1", ordinal, step)
            if ordinal == 0:
                record = record.begun(at).over(StepStatus.DONE, at, "revision 7", by="controller", change_id=7)
            if ordinal == 1:
                record = record.begun(at)
            steps.append(record)
        manual = StepRecord(
            run_id=f"{incident_id}-1", step="look", ordinal=len(steps), kind=StepKind.MANUAL,
            title="Look at the payment provider's page", estimate_minutes=1,
        )  # fmt: skip
        points = tuple(VerificationResult(text=point.text) for point in read_playbooks()["immediate"].verifications)
        return RunView(
            run_id=f"{incident_id}-1", playbook="immediate", status=RunStatus.RUNNING, reason="error rate", created_at=at,
            finished_at=None, estimate_minutes=9.0, frozen=False, problem="", steps=(*steps, manual), verifications=points,
        )  # fmt: skip

    def tell_incident(self, incident_id: str, **changes: Any) -> None:
        """Something was written about an incident."""
        incident = self.incidents_by_id[incident_id].model_copy(update=changes)
        self.incidents_by_id[incident_id] = incident
        self.send(IncidentFrame(incident.model_dump_json()))

    # the client's interface

    async def rollouts(self, *, active: bool = False, limit: int = 50) -> RolloutList:
        rows = [row for row in self.rollouts_by_flag.values() if row.status.active or not active]
        return RolloutList(rollouts=tuple(rows))

    async def rollout(self, name: str) -> RolloutDetail:
        rollout = self.rollouts_by_flag.get(name)
        ticks = [Tick(item, "rel", self._now, "") for item in self.ticked.get(name, ())]
        return RolloutDetail(
            rollout=rollout,
            steps=tuple(self.steps.get(name, ())),
            checklist=checklist_of(ticks, None if rollout is None else rollout.plan),
        )

    async def verdicts(self, name: str, *, before: int | None = None, limit: int = 100) -> VerdictPage:
        return VerdictPage(verdicts=tuple(self.looks.get(name, ())[:limit]))

    async def playbooks(self) -> PlaybookList:
        return PlaybookList(playbooks=tuple(PlaybookView.of(item) for item in read_playbooks().values()))

    async def incidents(
        self, *, flag_name: str | None = None, open_only: bool = False, limit: int = 50
    ) -> IncidentList:
        told = {name: item.incident for name, item in self.incident_details.items()} | self.incidents_by_id
        return IncidentList(now=self._now, incidents=tuple(told.values()))

    async def incident(self, incident_id: str) -> IncidentDetail:
        if incident_id in self.incident_details:
            return self.incident_details[incident_id]
        incident = self.incidents_by_id[incident_id]
        return IncidentDetail(
            now=self._now,
            incident=incident,
            affected_tenants=(
                AffectedTenant(tenant_id="tenant-0007", name="Tenant 7"),
                AffectedTenant(tenant_id="tenant-0031", name="Tenant 31"),
            ),
            timeline=(
                TimelineEntry(
                    at=incident.started_at,
                    kind=TimelineKind.VERDICT,
                    text="fail: error_rate > 2 %",
                    actor="controller",
                ),
                TimelineEntry(
                    at=incident.started_at, kind=TimelineKind.CHANGE, text="canary 10 % → off", actor="controller"
                ),
            ),
            notices=(),
        )

    async def export_incident(self, incident_id: str) -> str:
        incident = self.incidents_by_id[incident_id]
        return f"# Incident {incident_id}: {incident.flag_name}\n\nimpact: {incident.impact}\n"

    async def metrics(self, name: str, window: int = 3600, step: int | None = None) -> FlagMetrics:
        self.measured_windows.append((name, window))
        now = self._now + timedelta(seconds=self.later)
        if name in self.measured:
            return self.measured[name]
        measure = self.moving.get(name)
        since, until = now - timedelta(seconds=window), now
        count = window // STEP
        starts = tuple(since + timedelta(seconds=STEP * index) for index in range(count))
        if measure is None:
            return self._window(name, since, until, starts, {})
        canary = [measure((until - start).total_seconds()) for start in starts]
        control: list[tuple[float, float] | None] = [
            (0.0045 + 0.0012 * math.sin(index / 3), 188 + 9 * math.sin(index / 5)) for index in range(count)
        ]
        groups = {Group.CANARY: _group(canary, 50, 300), Group.CONTROL: _group(control, 450, 2700)}
        return self._window(name, since, until, starts, groups)

    def _window(
        self,
        name: str,
        since: datetime,
        until: datetime,
        starts: tuple[datetime, ...],
        groups: dict[Group, GroupMetrics],
    ) -> FlagMetrics:
        comparison = ()
        if groups:
            ours, theirs = groups[Group.CANARY].totals, groups[Group.CONTROL].totals
            comparison = (
                Compared(
                    metric="error_rate",
                    kind=MetricKind.RATIO,
                    canary=ours.error_rate,
                    control=theirs.error_rate,
                    change=None,
                ),
            )
        return FlagMetrics(
            flag_name=name, now=until, since=since, until=until, step_seconds=STEP,
            newest_at=until - timedelta(seconds=5) if groups else None, age_seconds=5.0 if groups else None,
            active_tenants=500 if groups else 0, operations=100_000 if groups else 0, latency_mean=90.0 if groups else None,
            starts=starts, groups=groups, comparison=comparison,
        )  # fmt: skip


def _group(measured: list[tuple[float, float] | None], tenants: int, operations: int) -> GroupMetrics:
    known = [item for item in measured if item is not None]
    rate = sum(item[0] for item in known) / len(known) if known else None
    p95 = sum(item[1] for item in known) / len(known) if known else None

    def series(read: Callable[[tuple[float, float]], float]) -> tuple[float | None, ...]:
        return tuple(None if item is None else read(item) for item in measured)

    nothing = tuple(None for _ in measured)
    return GroupMetrics(
        totals=MetricTotals(
            operations=operations * len(known), active_tenants=tenants, error_rate=rate,
            success_rate=None if rate is None else 1 - rate, latency_p95=p95, latency_p99=p95, custom={},
        ),
        series=MetricSeries(
            operations=series(lambda _: operations),
            success_rate=series(lambda item: 1 - item[0]),
            error_rate=series(lambda item: item[0]),
            critical_errors=series(lambda _: 0.0),
            latency_p95=series(lambda item: item[1]),
            latency_p99=series(lambda item: item[1] * 1.4),
            conversions=nothing, csat=nothing, tickets=series(lambda _: 0.0), custom={},
        ),
    )  # fmt: skip


def going_bad(seconds_ago: float) -> tuple[float, float] | None:
    """An error rate that climbs from four minutes ago, with a gap of a minute before."""
    if 420 < seconds_ago <= 480:
        return None
    wobble = math.sin(seconds_ago / 40)
    return 0.0048 + 0.0008 * wobble + max(0.0, 240 - seconds_ago) * 0.00017, 205 + 11 * wobble


def calm(seconds_ago: float) -> tuple[float, float] | None:
    """Nothing is wrong."""
    wobble = math.sin(seconds_ago / 40)
    return 0.0031 + 0.0008 * wobble, 190 + 8 * wobble
