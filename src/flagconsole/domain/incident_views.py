"""Incidents as callers ask for them and as they are answered."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from flagconsole.domain.flag import Frozen
from flagconsole.domain.incident import AffectedTenant, Impact, Incident, Note, TimelineEntry
from flagconsole.domain.incident_standing import Standing, standing_of, step_waits
from flagconsole.domain.names import ReasonText
from flagconsole.domain.playbook_run import (
    Delivery,
    DeliveryStatus,
    PlaybookRun,
    RunStatus,
    StepRecord,
    VerificationResult,
)


class IncidentUpdate(Frozen):
    """``PATCH /api/incidents/{id}``. What is left out stays; ``impact`` null goes back to the computed one."""

    root_cause: Note | None = None
    resolution_steps: Annotated[tuple[Note, ...], Field(max_length=100)] | None = None
    prevention: Note | None = None
    impact: Impact | None = None


class IncidentClose(IncidentUpdate):
    """``POST /api/incidents/{id}/close``, with the last words on it."""


class StepConfirm(Frozen):
    """``POST /api/incidents/{id}/steps/{step}/confirm``: what a person found. ``done`` false means that it was not."""

    done: bool = True
    note: ReasonText


class RunView(Frozen):
    """A playbook's run with its steps, in order."""

    run_id: str
    playbook: str
    status: RunStatus
    reason: str
    created_at: AwareDatetime
    finished_at: AwareDatetime | None
    estimate_minutes: float | None
    frozen: bool
    problem: str
    steps: tuple[StepRecord, ...]
    verifications: tuple[VerificationResult, ...]

    @classmethod
    def of(cls, run: PlaybookRun, steps: tuple[StepRecord, ...]) -> RunView:
        """The view of a run."""
        estimate = None if run.definition is None else run.definition.estimate_for(run.flag_name)
        return cls(
            run_id=run.run_id,
            playbook=run.playbook,
            status=run.status,
            reason=run.reason,
            created_at=run.created_at,
            finished_at=run.finished_at,
            estimate_minutes=estimate,
            frozen=run.frozen,
            problem=run.problem,
            steps=steps,
            verifications=run.verifications,
        )


class IncidentView(Frozen):
    """An incident in a list or a frame. ``impact`` and ``affected`` are null until they are counted; minutes are null
    while service isn't restored."""

    incident_id: str
    flag_name: str
    playbook: str | None
    trigger: str
    opened_by: str
    state_before: str
    tenant_id: str | None
    change_ids: tuple[int, ...]
    started_at: AwareDatetime
    completed_at: AwareDatetime | None
    closed_at: AwareDatetime | None
    closed_by: str | None
    restoration_minutes: float | None
    estimate_minutes: float | None
    affected: int | None
    tenants_known: int
    impact: Impact | None
    impact_overridden: bool
    root_cause: str
    resolution_steps: tuple[str, ...]
    prevention: str
    post_mortem_due: bool
    communication_due: bool
    run: RunView | None = None

    @property
    def standing(self) -> Standing:
        """Whether it needs somebody, and whether service is restored."""
        run = self.run
        waits = run is not None and run.status.active and any(step_waits(one.kind, one.status) for one in run.steps)
        return standing_of(
            closed=self.closed_at is not None,
            restored=self.completed_at is not None,
            waits=waits,
            run=None if run is None else run.status.value,
        )

    @classmethod
    def of(cls, incident: Incident, run: RunView | None) -> IncidentView:
        """The view of an incident. What is due isn't said before the impact is known."""
        impact = incident.impact
        return cls(
            incident_id=incident.incident_id,
            flag_name=incident.flag_name,
            playbook=incident.playbook,
            trigger=incident.trigger,
            opened_by=incident.opened_by,
            state_before=incident.before.describe(),
            tenant_id=incident.tenant_id,
            change_ids=incident.change_ids,
            started_at=incident.started_at,
            completed_at=incident.completed_at,
            closed_at=incident.closed_at,
            closed_by=incident.closed_by,
            restoration_minutes=incident.restoration_minutes,
            estimate_minutes=incident.estimate_minutes,
            affected=None if incident.affected_tenants is None else len(incident.affected_tenants),
            tenants_known=incident.tenants_known,
            impact=impact,
            impact_overridden=incident.overridden_impact is not None,
            root_cause=incident.root_cause,
            resolution_steps=incident.resolution_steps,
            prevention=incident.prevention,
            post_mortem_due=impact is not None and impact.post_mortem_due,
            communication_due=impact is not None and impact.communication_due,
            run=run,
        )


class NoticeView(Frozen):
    """Who was to be told, where, and whether it was delivered."""

    delivery_id: str
    topic: str
    audience: str
    destination: str | None
    status: DeliveryStatus
    attempts: int
    next_try_at: AwareDatetime
    delivered_at: AwareDatetime | None
    problem: str

    @classmethod
    def of(cls, delivery: Delivery) -> NoticeView:
        """The view of a delivery; what it says and its secret stay inside."""
        return cls(**{name: getattr(delivery, name) for name in cls.model_fields})


class IncidentList(Frozen):
    """``GET /api/incidents``: newest first."""

    now: AwareDatetime
    incidents: tuple[IncidentView, ...]


class IncidentDetail(Frozen):
    """``GET /api/incidents/{id}``."""

    now: AwareDatetime
    incident: IncidentView
    affected_tenants: tuple[AffectedTenant, ...]
    timeline: tuple[TimelineEntry, ...]
    notices: tuple[NoticeView, ...]
