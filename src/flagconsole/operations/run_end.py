"""The end of a playbook's run that is not its own: something graver took over, the incident was closed, nobody came."""

from __future__ import annotations

from flagconsole.domain.playbook_run import PlaybookRun, RunStatus, StepStatus
from flagconsole.operations.context import Context
from flagconsole.store.protocol import Transaction


async def end_run(tx: Transaction, context: Context, run: PlaybookRun, status: RunStatus, problem: str) -> PlaybookRun:
    """End the run, and say of each step that is left that it isn't done any more, and why.

    A step that acts outside and has begun stays as it is: what came of it is still written down by whoever began it.
    """
    ended = run.ended(status, context.now, problem)
    await tx.save_run(ended)
    for record in await tx.steps_of(run.run_id):
        if record.status.finished or (record.status is StepStatus.STARTED and record.kind.acts_outside):
            continue
        await tx.save_step(record.over(StepStatus.SUPERSEDED, context.now, problem, change_id=record.change_id))
    return ended
