"""Opening incidents, in the same transaction as the kill or the rollback that they tell of.

Nothing here reads files, counts tenants or waits: a kill is as quick with an incident as without. The run is only put down
as ``pending``; whoever tends runs plans its steps from the playbook's data.
"""

from __future__ import annotations

from flagconsole.domain.change import Change
from flagconsole.domain.flag import Flag, Setting
from flagconsole.domain.incident import Incident
from flagconsole.domain.playbook import KILL_SWITCH, Playbook
from flagconsole.domain.playbook_run import PlaybookRun, RunStatus
from flagconsole.operations.context import Context
from flagconsole.operations.run_end import end_run
from flagconsole.store.protocol import Transaction


async def opened_by_kill(tx: Transaction, context: Context, before: Flag, change: Change) -> Incident:
    """The incident of a kill, and its run of ``kill_switch``."""
    incident = await _opened(
        tx,
        context,
        before.flag_name,
        before.setting,
        trigger=f"killed: {change.change_reason}",
        change=change,
        playbook=KILL_SWITCH,
    )
    await begin_run(tx, context, incident, KILL_SWITCH, change.change_reason, change_id=change.change_id)
    return incident


async def opened_by_rollback(tx: Transaction, context: Context, before: Flag, change: Change) -> Incident:
    """The incident of a flag's rollback by hand. No playbook runs: whoever rolled it back decides what else is done."""
    trigger = f"rolled back: {change.change_reason}"
    return await _opened(tx, context, before.flag_name, before.setting, trigger=trigger, change=change)


async def opened_by_tenants_rollback(
    tx: Transaction, context: Context, before: Flag, tenant_id: str, change: Change, *, was_enabled: bool
) -> Incident:
    """The incident of one tenant's rollback."""
    trigger = f"rolled back for {tenant_id}: {change.change_reason}"
    incident = await _new(tx, context, before.flag_name, before.setting, trigger, None)
    tenants = len(await tx.active_tenant_ids())
    reached = incident.model_copy(update={"tenant_id": tenant_id, "change_ids": (change.change_id,)}).assessed(
        (tenant_id,) if was_enabled else (), tenants
    )
    await tx.save_incident(reached)
    return reached


async def opened_by_playbook(
    tx: Transaction, context: Context, before: Flag, playbook: Playbook, reason: str, change: Change | None
) -> Incident:
    """The incident of a playbook that begins, and its run. Its first step has been done; ``change`` is what came of it."""
    incident = await _opened(
        tx, context, before.flag_name, before.setting, trigger=reason, change=change, playbook=playbook.name
    )
    change_id = None if change is None else change.change_id
    await begin_run(tx, context, incident, playbook.name, reason, change_id=change_id, definition=playbook)
    return incident


async def begin_run(
    tx: Transaction,
    context: Context,
    incident: Incident,
    playbook: str,
    reason: str,
    *,
    change_id: int | None,
    definition: Playbook | None = None,
) -> PlaybookRun:
    """Put down a run for whoever tends runs. One that is under way for the flag is superseded."""
    under_way = await tx.active_run(incident.flag_name)
    if under_way is not None:
        await end_run(tx, context, under_way, RunStatus.SUPERSEDED, f"{playbook} took over")
    number = len(await tx.runs_of(incident.incident_id)) + 1
    run = PlaybookRun(
        run_id=f"{incident.incident_id}-{number}",
        incident_id=incident.incident_id,
        flag_name=incident.flag_name,
        playbook=playbook,
        reason=reason,
        started_by=context.actor.name,
        change_id=change_id,
        definition=definition,
        created_at=context.now,
    )
    await tx.save_run(run)
    return run


async def _opened(
    tx: Transaction,
    context: Context,
    flag_name: str,
    before: Setting,
    *,
    trigger: str,
    change: Change | None,
    playbook: str | None = None,
) -> Incident:
    """The flag's incident: the one under way, where service isn't restored yet, else a new one."""
    incident = await tx.incident_under_way(flag_name)
    if incident is None:
        incident = await _new(tx, context, flag_name, before, trigger, playbook)
    else:
        incident = incident.grown(trigger, before)
    added = () if change is None else (change.change_id,)
    incident = incident.model_copy(
        update={"change_ids": (*incident.change_ids, *added), "playbook": playbook or incident.playbook}
    )
    await tx.save_incident(incident)
    return incident


async def _new(
    tx: Transaction, context: Context, flag_name: str, before: Setting, trigger: str, playbook: str | None
) -> Incident:
    return Incident(
        incident_id=f"inc-{await tx.incident_count() + 1}",
        flag_name=flag_name,
        playbook=playbook,
        trigger=trigger,
        opened_by=context.actor.name,
        before=before,
        started_at=context.now,
    )
