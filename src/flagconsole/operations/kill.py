"""The kill, a latch, and the revive that alone clears it."""

from __future__ import annotations

from flagconsole.domain.change import Action, Change, ChangeType, recorded
from flagconsole.domain.errors import FlagNotKilled, InvalidInput
from flagconsole.domain.exposure import raises
from flagconsole.domain.flag import Flag, Setting
from flagconsole.domain.requests import Kill, Revive
from flagconsole.domain.states import FlagState
from flagconsole.operations.context import Context, Outcome, existing, guard_raise
from flagconsole.operations.incident_opening import opened_by_kill
from flagconsole.operations.rollout_end import end_by_kill
from flagconsole.store.protocol import ChangeDraft, Reader, Transaction


async def kill(tx: Transaction, context: Context, flag_name: str, request: Kill) -> Outcome:
    """Kill the flag. Killing it again changes nothing. Refused only for a flag that doesn't exist."""
    flag = await existing(tx, flag_name)
    if flag.current_state is FlagState.KILL:
        return Outcome(False, flag, await killing_change(tx, flag_name))
    after = flag.setting.model_copy(update={"current_state": FlagState.KILL})
    outcome = await _move(tx, context, flag, after, Action.KILLED, request.kill_reason)
    await end_by_kill(tx, context, flag_name, request.kill_reason)
    assert outcome.change is not None, "the flag was not killed before"
    await opened_by_kill(tx, context, flag, outcome.change)
    return outcome


async def revive(tx: Transaction, context: Context, flag_name: str, request: Revive) -> Outcome:
    """Clear the kill, to ``off`` or to a named state below the one the flag was killed in."""
    flag = await existing(tx, flag_name)
    if flag.current_state is not FlagState.KILL:
        raise FlagNotKilled(flag=flag_name, state=flag.current_state.value)
    await guard_raise(tx, context, flag, version_required=True)
    after = _revived(flag, request)
    if after.current_state is not FlagState.OFF:
        before = await _setting_when_killed(tx, flag)
        if not raises(after, before, flag.flag_name) or raises(before, after, flag.flag_name):
            raise InvalidInput(
                f"It was {before.describe()} when it was killed: revive to off, or to less than that.",
                field="state",
                problem="is not below the state the flag was killed in",
                value=after.describe(),
            )
    return await _move(tx, context, flag, after, Action.REVIVED, request.revive_reason)


def _revived(flag: Flag, request: Revive) -> Setting:
    if request.state is FlagState.KILL:
        raise InvalidInput(field="state", problem="must be off, shadow or canary", value="kill")
    after = flag.setting.model_copy(update={"current_state": request.state})
    if request.canary_percentage is not None:
        by_hash = {"canary_percentage": request.canary_percentage, "canary_tenant_ids": (), "canary_holdout_ids": None}
        after = after.model_copy(update=by_hash)
    return after


async def _setting_when_killed(reader: Reader, flag: Flag) -> Setting:
    change = await killing_change(reader, flag.flag_name)
    previous = {} if change is None else change.previous or {}
    # Nothing but a revive changes a killed flag, so what the kill left alone is still there.
    fields = {name: previous[name] for name in Setting.model_fields if name in previous}
    return Setting.model_validate({**flag.setting.model_dump(), **fields})


async def killing_change(reader: Reader, flag_name: str) -> Change | None:
    """The newest change that put the flag into ``kill``: a kill, or the rollback of a revive."""
    before: int | None = None
    while page := await reader.changes(flag_name=flag_name, before=before, limit=100):
        for change in page:
            if change.tenant_id is None and change.new_state == FlagState.KILL:
                return change
        before = page[-1].change_id
    return None


async def _move(tx: Transaction, context: Context, flag: Flag, after: Setting, action: Action, reason: str) -> Outcome:
    moved = flag.model_copy(update=after.model_dump())
    previous, new = recorded(flag, moved)
    draft = ChangeDraft(
        flag=moved,
        action=action,
        change_type=ChangeType.KILL_SWITCH,
        reason=reason,
        changed_by=context.actor.name,
        break_glass=context.actor.break_glass,
        approved_by=context.approved_by,
        changed_at=context.now,
        correlation_id=context.correlation_id,
        previous=previous,
        new=new,
    )
    change = await tx.apply(draft)
    return Outcome(True, stamped(moved, change), change)


def stamped(flag: Flag, change: Change) -> Flag:
    """The flag as the store has it after ``change``."""
    return flag.model_copy(
        update={"version": change.version, "updated_at": change.changed_at, "updated_by": change.changed_by}
    )
