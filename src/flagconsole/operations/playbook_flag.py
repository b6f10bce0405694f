"""What the ``flag`` steps of playbooks do to a flag, and the beginning of a playbook, which is such steps."""

from __future__ import annotations

from itertools import takewhile

from flagconsole.domain.change import Action, Change, ChangeType, recorded
from flagconsole.domain.exposure import raises
from flagconsole.domain.flag import Flag, Setting
from flagconsole.domain.halving import halved
from flagconsole.domain.incident import Incident
from flagconsole.domain.playbook import Condition, FlagEffect, Playbook, StepKind
from flagconsole.domain.requests import Kill
from flagconsole.domain.states import FlagState
from flagconsole.operations.context import Context, existing
from flagconsole.operations.incident_opening import opened_by_playbook
from flagconsole.operations.kill import kill
from flagconsole.operations.playbook_plan import planned
from flagconsole.store.protocol import ChangeDraft, Transaction


async def begin(tx: Transaction, context: Context, flag_name: str, playbook: Playbook, reason: str) -> Incident:
    """Do the flag steps that a playbook begins with, open the incident and put down the run, all in this transaction.

    A flag that is killed already stays so: then its newest incident is returned.
    """
    before = await existing(tx, flag_name)
    if playbook.steps[0].effect is FlagEffect.KILL:
        return await _kill(tx, context, before, playbook, reason)
    leading = takewhile(lambda step: step.kind is StepKind.FLAG and step.when is Condition.ALWAYS, playbook.steps)
    done: dict[str, int | None] = {}
    newest: Change | None = None
    frozen = False
    for step in leading:
        assert step.effect is not None, "a flag step has an effect"
        change = await apply_effect(tx, context, flag_name, step.effect, reason)
        done[step.name] = None if change is None else change.change_id
        newest = change or newest
        frozen = frozen or step.effect is FlagEffect.FREEZE
    incident = await opened_by_playbook(tx, context, before, playbook, reason, newest)
    run = await tx.active_run(flag_name)
    assert run is not None, "the run was put down a moment ago"
    await planned(tx, context, run.moved(frozen=frozen), playbook, done)
    return await tx.incident(incident.incident_id) or incident


async def _kill(tx: Transaction, context: Context, before: Flag, playbook: Playbook, reason: str) -> Incident:
    """A kill opens its incident itself, wherever it comes from; the playbook's data is added to the run."""
    outcome = await kill(tx, context, before.flag_name, Kill(kill_reason=reason))
    known = await tx.incidents(flag_name=before.flag_name, limit=1)
    if not known:
        return await opened_by_playbook(tx, context, before, playbook, reason, None)
    run = await tx.active_run(before.flag_name)
    if outcome.changed and run is not None:
        await planned(tx, context, run, playbook, {playbook.steps[0].name: run.change_id})
    return await tx.incident(known[0].incident_id) or known[0]


async def apply_effect(
    tx: Transaction, context: Context, flag_name: str, effect: FlagEffect, reason: str
) -> Change | None:
    """Lower the flag's exposure as the step says. None where that changes nothing; nothing is ever raised."""
    flag = await existing(tx, flag_name)
    if effect is FlagEffect.FREEZE:
        return None
    if effect is FlagEffect.KILL:
        outcome = await kill(tx, context, flag_name, Kill(kill_reason=reason))
        return outcome.change if outcome.changed else None
    after = _after(flag, effect)
    if after == flag.setting or raises(flag.setting, after, flag.flag_name):
        return None
    moved = flag.model_copy(update=after.model_dump())
    previous, new = recorded(flag, moved)
    draft = ChangeDraft(
        flag=moved,
        action=Action.ROLLED_BACK,
        change_type=ChangeType.ROLLBACK,
        reason=reason,
        changed_by=context.actor.name,
        break_glass=context.actor.break_glass,
        approved_by=context.approved_by,
        changed_at=context.now,
        previous=previous,
        new=new,
    )
    return await tx.apply(draft)


def _after(flag: Flag, effect: FlagEffect) -> Setting:
    if effect is FlagEffect.HALVE:
        return halved(flag.flag_name, flag.setting)
    state = FlagState.SHADOW if effect is FlagEffect.SHADOW else FlagState.OFF
    return flag.setting.model_copy(update={"current_state": state})
