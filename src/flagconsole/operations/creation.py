"""Creating and archiving flags."""

from __future__ import annotations

from flagconsole.domain.change import Action, ChangeType
from flagconsole.domain.dependencies import refuse_cycle
from flagconsole.domain.errors import FlagExists, FlagKilled, FlagNameRetired, HasDependents
from flagconsole.domain.exposure import raises
from flagconsole.domain.flag import Flag, Setting
from flagconsole.domain.requests import Archive, FlagCreate
from flagconsole.domain.states import FlagState
from flagconsole.operations.context import Context, Outcome, existing, guard_approval
from flagconsole.store.protocol import ChangeDraft, Transaction


async def create(tx: Transaction, context: Context, request: FlagCreate, setting: Setting | None = None) -> Outcome:
    """Add a flag with this ``setting``, or in its default state. A name is never used twice, not even after archiving."""
    name = request.flag_name
    if await tx.flag(name) is not None:
        raise FlagExists(flag=name)
    if await tx.is_retired(name):
        raise FlagNameRetired("Choose another name.", flag=name)
    refuse_cycle(name, request.dependencies, await tx.dependency_graph())
    setting = setting or Setting(current_state=request.default_state)
    if raises(Setting(current_state=FlagState.OFF), setting, name):
        guard_approval(context, name)
    flag = Flag(
        **request.model_dump(exclude={"change_reason"}),
        **setting.model_dump(),
        version=1,
        created_at=context.now,
        created_by=context.actor.name,
        updated_at=context.now,
        updated_by=context.actor.name,
    )
    draft = ChangeDraft(
        flag=flag,
        action=Action.CREATED,
        change_type=ChangeType.MANUAL,
        reason=request.change_reason,
        changed_by=context.actor.name,
        break_glass=context.actor.break_glass,
        approved_by=context.approved_by,
        changed_at=context.now,
        new=request.model_dump(mode="json", exclude={"change_reason"}) | flag.setting.model_dump(mode="json"),
        correlation_id=context.correlation_id,
    )
    change = await tx.apply(draft)
    return Outcome(True, flag.model_copy(update={"version": change.version}), change)


async def archive(tx: Transaction, context: Context, flag_name: str, request: Archive) -> Outcome:
    """Retire a flag. Refused while others depend on it (their cap would fall away) and while it is killed."""
    flag = await existing(tx, flag_name)
    if flag.current_state is FlagState.KILL:
        raise FlagKilled("Revive it before you archive it.", flag=flag_name)
    graph = await tx.dependency_graph()
    dependents = sorted(name for name, dependencies in graph.items() if flag_name in dependencies)
    if dependents:
        raise HasDependents("Archive those first.", flag=flag_name, dependents=", ".join(dependents))
    draft = ChangeDraft(
        flag=flag,
        action=Action.ARCHIVED,
        change_type=ChangeType.MANUAL,
        reason=request.change_reason,
        changed_by=context.actor.name,
        break_glass=context.actor.break_glass,
        approved_by=context.approved_by,
        changed_at=context.now,
        previous=flag.setting.model_dump(mode="json"),
        correlation_id=context.correlation_id,
        archive=True,
    )
    change = await tx.apply(draft)
    return Outcome(True, flag.model_copy(update={"version": change.version}), change)
