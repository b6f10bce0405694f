"""Setting a flag's state, percentage, cohort and description."""

from __future__ import annotations

from typing import Any

from flagconsole.domain.change import Action, recorded
from flagconsole.domain.dependencies import refuse_cycle
from flagconsole.domain.errors import FlagKilled, InvalidInput
from flagconsole.domain.exposure import raises
from flagconsole.domain.flag import Flag, Setting
from flagconsole.domain.requests import FlagFields, FlagUpdate, Kill
from flagconsole.domain.states import FlagState
from flagconsole.operations.context import Context, Outcome, existing, guard_raise
from flagconsole.operations.kill import kill, stamped
from flagconsole.store.protocol import ChangeDraft, Transaction

#: The fields of a flag that a change may carry besides its setting.
DESCRIPTIVE = (
    *("description", "owner", "tags", "expires_on", "dependencies", "affects", "plan"),
    *("flag_type", "default_state", "rollback_time_seconds", "is_kill_switch"),
)


async def update(tx: Transaction, context: Context, flag_name: str, request: FlagUpdate) -> Outcome:
    """Change what the request names. Setting ``kill`` is a kill, with all that it means."""
    if request.current_state is FlagState.KILL:
        _refuse_besides_kill(request)
        return await kill(tx, context, flag_name, Kill(kill_reason=request.change_reason))
    flag = await existing(tx, flag_name)
    before, after, described = flag.setting, requested(flag, request), described_by(flag, request)
    if flag.current_state is FlagState.KILL and after != before:
        raise FlagKilled("Revive it first.", flag=flag_name)
    if after == before and not described:
        newest = await tx.changes(flag_name=flag_name, limit=1)
        return Outcome(False, flag, newest[0] if newest else None)
    if "dependencies" in described:
        refuse_cycle(flag_name, described["dependencies"], await tx.dependency_graph())
    # A dependency can only lower a flag's exposure, so taking one away may raise it.
    uncapped = not set(flag.dependencies) <= set(described.get("dependencies", flag.dependencies))
    if uncapped or raises(before, after, flag_name):
        await guard_raise(tx, context, flag)
    return await _apply(tx, context, flag, after, described, request.change_reason)


async def _apply(
    tx: Transaction, context: Context, flag: Flag, after: Setting, described: dict[str, Any], reason: str
) -> Outcome:
    moved = flag.model_copy(update={**after.model_dump(), **described})
    previous, new = recorded(flag, moved, described)
    draft = ChangeDraft(
        flag=moved,
        action=Action.SET,
        change_type=context.change_type,
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


def requested(flag: Flag, request: FlagUpdate) -> Setting:
    """The setting the request asks for. A percentage draws the cohort by hash; tenant ids choose it, with a holdout if drawn."""
    state = request.current_state or flag.current_state
    percentage, chosen, holdout = flag.canary_percentage, flag.canary_tenant_ids, flag.canary_holdout_ids
    if request.canary_percentage is not None:
        percentage = request.canary_percentage
        chosen, holdout = request.canary_tenant_ids or (), request.canary_holdout_ids
    elif request.canary_tenant_ids is not None:
        chosen, holdout = request.canary_tenant_ids, request.canary_holdout_ids
    if request.canary_holdout_ids is not None and not request.canary_tenant_ids:
        raise InvalidInput(
            field="canary_holdout_ids",
            problem="needs the drawn canary_tenant_ids that it belongs to",
            value=f"{len(request.canary_holdout_ids)} tenants",
        )
    after = Setting(
        current_state=state,
        canary_percentage=percentage,
        canary_tenant_ids=chosen,
        canary_holdout_ids=holdout,
    )
    nobody = not after.canary_tenant_ids and after.canary_percentage == 0 and request.canary_percentage is None
    if request.current_state is FlagState.CANARY and nobody:
        raise InvalidInput(
            field="canary_percentage",
            problem="a canary needs a percentage from 0 to 100 or canary_tenant_ids",
            value=None,
        )
    return after


def described_by(flag: Flag, request: FlagFields) -> dict[str, Any]:
    """The descriptive fields that the request would change, with their new values. Raises ``InvalidInput`` for a null."""
    told = {name: getattr(request, name) for name in DESCRIPTIVE if name in request.model_fields_set}
    _refuse_nulls(told)
    return {name: value for name, value in told.items() if getattr(flag, name) != value}


def _refuse_besides_kill(request: FlagUpdate) -> None:
    """A kill changes the state alone. Saying something besides would be lost without a word."""
    besides = sorted(request.model_fields_set - {"change_reason", "current_state"})
    if besides:
        raise InvalidInput(
            "Kill it with change_reason alone.", field=besides[0], problem="can't be set by a kill", value=None
        )


def _refuse_nulls(described: dict[str, Any]) -> None:
    for name, value in described.items():
        if value is None and name != "expires_on":
            raise InvalidInput(field=name, problem="must not be null; leave it out to keep it", value=None)
