"""Writing down the steps of a run before they are done, so that everyone sees what is still to come."""

from __future__ import annotations

from collections.abc import Mapping

from flagconsole.domain.playbook import Playbook
from flagconsole.domain.playbook_run import PlaybookRun, StepRecord, StepStatus
from flagconsole.operations.context import Context
from flagconsole.store.protocol import Transaction


async def planned(
    tx: Transaction, context: Context, run: PlaybookRun, playbook: Playbook, done: Mapping[str, int | None]
) -> PlaybookRun:
    """The run with its playbook and its steps; ``done`` are the flag steps that were done already, each with the change it
    made, None where it had nothing to change."""
    for ordinal, step in enumerate(playbook.steps):
        record = StepRecord.planned(run.run_id, ordinal, step)
        if step.name in done:
            change_id = done[step.name]
            output = "nothing to change" if change_id is None else f"revision {change_id}"
            over = record.begun(run.created_at).over(
                StepStatus.DONE, run.created_at, output, by=run.started_by, change_id=change_id
            )
            record = over
        await tx.save_step(record)
    run = run.moved(definition=playbook)
    await tx.save_run(run)
    incident = await tx.incident(run.incident_id)
    if incident is not None:
        # Of the whole incident: what took over from a gentler playbook begins with the time that one took.
        before = (run.created_at - incident.started_at).total_seconds() / 60
        estimate = round(before + playbook.estimate_for(incident.flag_name), 2)
        await tx.save_incident(incident.model_copy(update={"estimate_minutes": estimate}))
    return run
