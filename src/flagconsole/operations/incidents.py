"""What people do with incidents: write down what was found, confirm what only they can know, close."""

from __future__ import annotations

from typing import Any

from flagconsole.domain.errors import StepNotFound, StepNotWaiting
from flagconsole.domain.incident import Incident
from flagconsole.domain.incident_standing import step_waits
from flagconsole.domain.incident_views import IncidentUpdate, StepConfirm
from flagconsole.domain.playbook_run import CheckResult, PlaybookRun, RunStatus, StepStatus
from flagconsole.operations.context import Context
from flagconsole.operations.incident_reading import existing_incident
from flagconsole.operations.rollout_end import end_rolling_back
from flagconsole.operations.run_end import end_run
from flagconsole.store.protocol import Transaction

#: How the points of the verification list are named where steps are: ``verification_1`` is the first.
VERIFICATION = "verification_"


async def update(tx: Transaction, context: Context, counted: Incident, request: IncidentUpdate) -> Incident:
    """Write down what the request names, and what was ``counted``. A closed incident can still be written up."""
    incident = (await existing_incident(tx, counted.incident_id)).counted_as(counted)
    given = request.model_fields_set
    fields: dict[str, Any] = {
        name: getattr(request, name)
        for name in ("root_cause", "resolution_steps", "prevention")
        if name in given and getattr(request, name) is not None
    }
    if "impact" in given:
        fields["overridden_impact"] = request.impact
    written = incident.model_copy(update=fields)
    await tx.save_incident(written)
    return written


async def close(tx: Transaction, context: Context, counted: Incident, request: IncidentUpdate) -> Incident:
    """Close the incident, once; what is left of its playbook is not done any more, which lifts a freeze.

    Service that nobody has seen restored counts as restored by now.
    """
    incident = await update(tx, context, counted, request)
    if not incident.open:
        return incident
    for run in await tx.runs_of(incident.incident_id):
        if run.status.active:
            await end_run(tx, context, run, RunStatus.SUPERSEDED, "the incident was closed")
            await end_rolling_back(tx, context, run.flag_name, "its incident was closed")
    closed = incident.model_copy(
        update={
            "closed_at": context.now,
            "closed_by": context.actor.name,
            "completed_at": incident.completed_at or context.now,
        }
    )
    await tx.save_incident(closed)
    return closed


async def confirm_step(
    tx: Transaction, context: Context, incident_id: str, step: str, request: StepConfirm
) -> Incident:
    """Say what a person found: of a manual step, of one that may or may not have happened or that failed, or of a point
    of the verification list. Then the run goes on. Saying the same again changes nothing."""
    incident = await existing_incident(tx, incident_id)
    runs = await tx.runs_of(incident_id)
    if not runs:
        raise StepNotFound("No playbook runs for it.", incident_id=incident_id, step=step)
    run = runs[-1]
    if step.startswith(VERIFICATION):
        await _verify(tx, context, run, step, request)
        return incident
    record = next((item for item in await tx.steps_of(run.run_id) if item.step == step), None)
    if record is None:
        raise StepNotFound(incident_id=incident_id, step=step)
    if record.by == context.actor.name and record.output == request.note:
        return incident
    if not run.status.active or not step_waits(record.kind, record.status):
        raise StepNotWaiting(step=step, state=record.status.value)
    status = StepStatus.DONE if request.done else StepStatus.SKIPPED
    over = record.over(status, context.now, request.note, by=context.actor.name, change_id=record.change_id)
    await tx.save_step(over)
    if run.status is RunStatus.STOPPED:
        await tx.save_run(run.moved(status=RunStatus.RUNNING, problem=""))
    return incident


async def _verify(tx: Transaction, context: Context, run: PlaybookRun, step: str, request: StepConfirm) -> None:
    number = step.removeprefix(VERIFICATION)
    points = list(run.verifications)
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= len(points)):
        raise StepNotFound(
            f"Its points of verification are numbered 1 to {len(points)}.", incident_id=run.incident_id, step=step
        )
    result = CheckResult.OK if request.done else CheckResult.NOT_OK
    points[int(number) - 1] = points[int(number) - 1].model_copy(
        update={"result": result, "found": request.note, "by": context.actor.name, "at": context.now}
    )
    await tx.save_run(run.moved(verifications=tuple(points)))
