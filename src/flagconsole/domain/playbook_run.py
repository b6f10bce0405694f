"""Runs of playbooks: what has been started, done, skipped, and what nobody can know."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime

from flagconsole.domain.flag import Frozen
from flagconsole.domain.playbook import Playbook, Step, StepKind


class RunStatus(StrEnum):
    """``pending`` waits for a runner. ``stopped`` needs a person: a step failed, or may or may not have happened.
    ``superseded``: a graver playbook took over, or the incident was closed. ``expired``: no runner came in time."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"

    @property
    def active(self) -> bool:
        """Whether a runner still has something to do, or a person."""
        return self in {RunStatus.PENDING, RunStatus.RUNNING, RunStatus.STOPPED}


class StepStatus(StrEnum):
    """``uncertain``: it was started, and nobody knows whether it happened. ``skipped`` says why in its output;
    ``superseded`` was not reached, or not finished, when its run was ended by something else, which its output names."""

    PENDING = "pending"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"

    @property
    def finished(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self not in {StepStatus.PENDING, StepStatus.STARTED}


class CheckResult(StrEnum):
    """What a check found. Without data it is ``unknown``, which is never ``ok``."""

    OK = "ok"
    NOT_OK = "not_ok"
    UNKNOWN = "unknown"


class VerificationResult(Frozen):
    """One point of the list at the end. ``result`` is None while a person is waited for."""

    text: str
    result: CheckResult | None = None
    found: str = ""
    by: str | None = None
    at: AwareDatetime | None = None


class PlaybookRun(Frozen):
    """One run of a playbook for an incident. ``definition`` is the playbook as it was when the run was planned, so that a
    file that is replaced meanwhile changes nothing; None while the run waits for a runner. ``frozen`` refuses whatever
    would raise the flag's exposure. ``improved`` is what the newest ``watch`` saw."""

    run_id: str
    incident_id: str
    flag_name: str
    playbook: str
    reason: str
    started_by: str
    status: RunStatus = RunStatus.PENDING
    change_id: int | None = None
    definition: Playbook | None = None
    frozen: bool = False
    improved: bool | None = None
    created_at: AwareDatetime
    finished_at: AwareDatetime | None = None
    problem: str = ""
    verifications: tuple[VerificationResult, ...] = ()

    def moved(self, **fields: Any) -> PlaybookRun:
        """The run with these fields."""
        return self.model_copy(update=fields)

    def ended(self, status: RunStatus, now: AwareDatetime, problem: str = "") -> PlaybookRun:
        """The run at its end, which lifts its freeze."""
        return self.moved(status=status, finished_at=now, problem=problem, frozen=False)


class StepRecord(Frozen):
    """One step of a run as the log has it; ``(run_id, step)`` is unique. ``attempt`` counts from 1 once it was started."""

    run_id: str
    step: str
    ordinal: int
    kind: StepKind
    title: str
    estimate_minutes: float
    status: StepStatus = StepStatus.PENDING
    attempt: int = 0
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    output: str = ""
    by: str | None = None
    change_id: int | None = None

    @classmethod
    def planned(cls, run_id: str, ordinal: int, step: Step) -> StepRecord:
        """A step that is still to come."""
        return cls(
            run_id=run_id,
            step=step.name,
            ordinal=ordinal,
            kind=step.kind,
            title=step.title,
            estimate_minutes=step.estimate_minutes,
        )

    def begun(self, now: AwareDatetime) -> StepRecord:
        """The step with one more attempt under way."""
        return self.model_copy(
            update={
                "status": StepStatus.STARTED,
                "attempt": self.attempt + 1,
                "started_at": self.started_at or now,
                "output": "",
            }
        )

    def over(
        self,
        status: StepStatus,
        now: AwareDatetime,
        output: str,
        *,
        by: str | None = None,
        change_id: int | None = None,
    ) -> StepRecord:
        """The step at its end."""
        return self.model_copy(
            update={
                "status": status,
                # What was superseded before it began has never begun.
                "started_at": self.started_at or (None if status is StepStatus.SUPERSEDED else now),
                "finished_at": now,
                "output": output,
                "by": by,
                "change_id": change_id,
            }
        )


class DeliveryStatus(StrEnum):
    """``unrouted``: nobody has configured where the audience is reached, so nothing was sent."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    UNROUTED = "unrouted"
    GIVEN_UP = "given_up"


class Delivery(Frozen):
    """One notice to one destination, kept until it is delivered. Its id is the receiver's means against doubles.
    ``secret`` names the signature key; the key itself is never stored."""

    delivery_id: str
    incident_id: str
    topic: str
    audience: str
    destination: str | None
    payload: dict[str, Any]
    secret: str | None = None
    status: DeliveryStatus = DeliveryStatus.WAITING
    attempts: int = 0
    created_at: AwareDatetime
    next_try_at: AwareDatetime
    delivered_at: AwareDatetime | None = None
    problem: str = ""
