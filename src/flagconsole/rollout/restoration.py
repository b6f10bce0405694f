"""When service is restored: at the end of a playbook, or when every expected instance has confirmed a rollback by hand."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

from flagconsole.domain.incident import Incident
from flagconsole.domain.playbook import Check, Verification
from flagconsole.domain.playbook_run import (
    CheckResult,
    PlaybookRun,
    RunStatus,
    StepStatus,
    VerificationResult,
)
from flagconsole.domain.role import Actor, Role
from flagconsole.operations.affected import Reach
from flagconsole.operations.context import Context
from flagconsole.operations.fence import Fence
from flagconsole.operations.rollout_end import end_rolling_back
from flagconsole.rollout.checks import Fleet, verify
from flagconsole.rollout.sources import MetricSource
from flagconsole.store.protocol import Store

_ACTOR: Final = Actor(name="playbook", role=Role.ADMIN)
#: Incidents that are looked at in one tick.
_LOOKED_AT: Final = 100


async def finish(
    store: Store, fence: Fence, metrics: MetricSource | None, run: PlaybookRun, now: datetime, fleet: Fleet
) -> None:
    """Go through the verification list and end the run, its incident's restoration and its rollout, all at once.

    A run with a failed step has ended too, but restored nothing: that is left to the receipts, or to whoever closes the
    incident.
    """
    assert run.definition is not None, "a run is planned before it ends"
    points = [await _verified(item, store, metrics, run.flag_name, now, fleet) for item in run.definition.verifications]
    async with store.write() as tx:
        await fence.check(tx)
        present = await tx.run(run.run_id)
        if present is None or present.status is not RunStatus.RUNNING:
            tx.discard()
            return
        context = Context(_ACTOR, await tx.now())
        failed = [record.title for record in await tx.steps_of(run.run_id) if record.status is StepStatus.FAILED]
        problem = f"failed: {'; '.join(failed)}" if failed else ""
        done = present.ended(RunStatus.DONE, context.now, problem).moved(verifications=tuple(points))
        await tx.save_run(done)
        incident = await tx.incident(run.incident_id)
        if incident is not None and not failed and incident.completed_at is None:
            await tx.save_incident(incident.model_copy(update={"completed_at": context.now}))
        how = "stopped half way, since it improved" if done.improved else f"rolled back by {done.playbook}"
        await end_rolling_back(tx, context, done.flag_name, f"{how}: {done.reason}")


async def _verified(
    item: Verification, store: Store, metrics: MetricSource | None, flag_name: str, now: datetime, fleet: Fleet
) -> VerificationResult:
    if item.check is None:
        return VerificationResult(text=item.text)
    finding = await verify(item.check, store, metrics, flag_name, now, fleet)
    return VerificationResult(text=item.text, result=finding.result, found=finding.found, at=now)


async def restore_by_receipts(store: Store, fence: Fence, fleet: Fleet | None = None) -> None:
    """Count whom open incidents reached, and end the restoration of those that no playbook tends."""
    async with store.read() as reader:
        now = await reader.now()
        # Counted here, in a view that nobody waits for, and only written down in the transaction.
        reach = Reach(reader, now)
        waiting = []
        for incident in await reader.waiting_incidents(_LOOKED_AT):
            waiting.append((incident, await reach.assessed(incident)))
            await asyncio.sleep(0)  # an outage may have hundreds, and a kill must not wait for them
        tended = {run.incident_id for run in await reader.active_runs()}
    for incident, counted in waiting:
        restored = False
        await asyncio.sleep(0)
        if incident.completed_at is None and incident.incident_id not in tended:
            found = await verify(Check.RECEIPTS, store, None, incident.flag_name, now, fleet)
            restored = found.result is CheckResult.OK
        if restored or counted != incident:
            await _write(store, fence, counted, restored=restored)


async def _write(store: Store, fence: Fence, counted: Incident, *, restored: bool) -> None:
    async with store.write() as tx:
        await fence.check(tx)
        present = await tx.incident(counted.incident_id)
        if present is None:
            tx.discard()
            return
        present = present.counted_as(counted)
        if restored and present.completed_at is None:
            present = present.model_copy(update={"completed_at": await tx.now()})
        await tx.save_incident(present)
