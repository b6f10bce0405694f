"""Rolling a flag back: undo its newest decision, or return to the state right after a named one.

A rollback is itself a change, and names what it reverts. Which decisions still stand is read off the log from its newest
entry backwards: an entry is dead when a rollback that stands reverts it. So a rollback can be rolled back by naming the
change to return to, and the changes it had reverted stand again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flagconsole.domain.change import Action, Change, ChangeType, recorded
from flagconsole.domain.dependencies import refuse_cycle
from flagconsole.domain.errors import ChangedAgain, ChangeNotFound, FlagKilled, NothingToRollBack, RaiseRefused
from flagconsole.domain.exposure import raises, raises_state
from flagconsole.domain.flag import Flag, Override, Setting
from flagconsole.domain.payload import COHORT_FIELDS
from flagconsole.domain.requests import Rollback
from flagconsole.domain.states import ENABLING, FlagState
from flagconsole.operations.context import Context, Outcome, existing, guard_raise
from flagconsole.operations.incident_opening import opened_by_rollback, opened_by_tenants_rollback
from flagconsole.operations.kill import stamped
from flagconsole.operations.override import apply_override, own_state
from flagconsole.operations.rollout_end import end_by_kill
from flagconsole.operations.setting import DESCRIPTIVE
from flagconsole.store.protocol import ChangeDraft, Reader, Transaction

#: What time does to overrides is no decision, and creation and archiving have nothing before and after them.
_NEVER_UNDONE = frozenset({Action.CREATED, Action.ARCHIVED, Action.OVERRIDE_EXPIRED})
_NO_DECISION = _NEVER_UNDONE | {Action.ROLLED_BACK}


async def rollback(tx: Transaction, context: Context, flag_name: str, request: Rollback) -> Outcome:
    """Undo the newest change that stands, or return to the state right after ``target_change_id``."""
    flag = await existing(tx, flag_name)
    if flag.current_state is FlagState.KILL:
        raise FlagKilled("A rollback never lifts a kill.", flag=flag_name)
    reverts: tuple[int, ...]
    if request.target_change_id is None:
        undone = await _newest_standing(tx, flag_name)
        restored, tenant, reverts = undone.previous, undone.tenant_id, (undone.change_id,)
        returned_to = undone.change_id - 1
    else:
        target = await tx.change(request.target_change_id)
        if target is None or target.flag_name != flag_name or target.action is Action.ARCHIVED:
            raise ChangeNotFound(flag=flag_name, change_id=request.target_change_id)
        restored, tenant = target.new, target.tenant_id
        returned_to = target.change_id
        standing = await _standing(tx, flag_name, target.tenant_id, target.change_id)
        reverts = tuple(sorted(change.change_id for change in standing))
        if not reverts:
            raise NothingToRollBack(f"Nothing has changed since change {target.change_id}.", flag=flag_name)
    if tenant is None:
        cohort = await _cohort_right_after(tx, flag, returned_to)
        return await _restore_flag(tx, context, flag, cohort | (restored or {}), request, reverts)
    return await _restore_override(tx, context, flag, tenant, restored, request, reverts)


async def revert(
    tx: Transaction,
    context: Context,
    flag_name: str,
    tenant_id: str | None,
    change_ids: Collection[int],
    request: Rollback,
) -> Outcome:
    """Undo exactly these changes of the flag, or of one tenant's override of it, as one change.

    Raises ``NothingToRollBack`` where one of them doesn't stand any more or is no decision, and ``ChangedAgain`` where a
    later one stands that isn't named.
    """
    flag = await existing(tx, flag_name)
    if flag.current_state is FlagState.KILL:
        raise FlagKilled("A rollback never lifts a kill.", flag=flag_name)
    standing = await _standing(tx, flag_name, tenant_id, min(change_ids) - 1)
    undone = [change for change in standing if change.change_id in change_ids and change.action not in _NEVER_UNDONE]
    gone = sorted(set(change_ids) - {change.change_id for change in undone})
    if gone:
        raise NothingToRollBack(f"Change {gone[0]} doesn't stand, or is none that can be undone.", flag=flag_name)
    later = [change for change in standing if change.change_id not in change_ids]
    if later:
        raise ChangedAgain(flag=flag_name, change_id=later[-1].change_id, changed_by=later[-1].changed_by)
    oldest, reverts = undone[-1], tuple(sorted(change_ids))
    if tenant_id is None:
        cohort = await _cohort_right_after(tx, flag, oldest.change_id - 1)
        return await _restore_flag(tx, context, flag, cohort | (oldest.previous or {}), request, reverts)
    return await _restore_override(tx, context, flag, tenant_id, oldest.previous, request, reverts)


async def _restore_flag(
    tx: Transaction, context: Context, flag: Flag, restored: dict[str, Any], request: Rollback, reverts: tuple[int, ...]
) -> Outcome:
    fields = {name: restored[name] for name in Setting.model_fields if name in restored}
    after = Setting.model_validate({**flag.setting.model_dump(), **fields})
    described = {name: value for name, value in restored.items() if name in DESCRIPTIVE}
    kept = described.get("dependencies", flag.dependencies)
    refuse_cycle(flag.flag_name, kept, await tx.dependency_graph())
    if raises(flag.setting, after, flag.flag_name) or not set(flag.dependencies) <= set(kept):
        await _refuse_raise(tx, context, flag, request, flag.setting.describe(), after.describe())
    moved = Flag.model_validate({**flag.model_dump(), **after.model_dump(), **described})
    previous, new = recorded(flag, moved, described)
    draft = ChangeDraft(
        flag=moved,
        action=Action.ROLLED_BACK,
        change_type=ChangeType.ROLLBACK,
        reason=request.rollback_reason,
        changed_by=context.actor.name,
        break_glass=context.actor.break_glass,
        approved_by=context.approved_by,
        changed_at=context.now,
        correlation_id=context.correlation_id,
        previous=previous,
        new=new,
        reverts=reverts,
    )
    change = await tx.apply(draft)
    if after.current_state is FlagState.KILL:
        await end_by_kill(tx, context, flag.flag_name, request.rollback_reason)
    if raises(after, flag.setting, flag.flag_name):
        await opened_by_rollback(tx, context, flag, change)
    return Outcome(True, stamped(moved, change), change)


async def _restore_override(
    tx: Transaction,
    context: Context,
    flag: Flag,
    tenant: str,
    restored: dict[str, Any] | None,
    request: Rollback,
    reverts: tuple[int, ...],
) -> Outcome:
    before = await tx.override(flag.flag_name, tenant)
    after = None if restored is None else Override.model_validate(restored)
    if after is not None and after.expires_at is not None and after.expires_at <= context.now:
        after = None
    old, new = own_state(flag, tenant, before, context.now), own_state(flag, tenant, after, context.now)
    if raises_state(old, new):
        await _refuse_raise(tx, context, flag, request, f"{old.value} for {tenant}", f"{new.value} for {tenant}")
    outcome = await apply_override(
        tx,
        context,
        flag,
        tenant,
        before,
        after,
        action=Action.ROLLED_BACK,
        reason=request.rollback_reason,
        change_type=ChangeType.ROLLBACK,
        reverts=reverts,
    )
    if raises_state(new, old) and outcome.change is not None:
        was_enabled = old in ENABLING
        await opened_by_tenants_rollback(tx, context, flag, tenant, outcome.change, was_enabled=was_enabled)
    return outcome


async def _refuse_raise(
    tx: Transaction, context: Context, flag: Flag, request: Rollback, before: str, after: str
) -> None:
    if not request.allow_raise:
        raise RaiseRefused("Ask for it with allow_raise.", flag=flag.flag_name, before=before, after=after)
    await guard_raise(tx, context, flag)


async def _newest_standing(reader: Reader, flag_name: str) -> Change:
    dead: set[int] = set()
    before: int | None = None
    while page := await reader.changes(flag_name=flag_name, before=before, limit=200):
        for change in page:
            if change.change_id not in dead:
                dead.update(change.reverts)
                if change.action not in _NO_DECISION:
                    return change
        before = page[-1].change_id
    raise NothingToRollBack(flag=flag_name)


async def _cohort_right_after(reader: Reader, flag: Flag, change_id: int) -> dict[str, Any]:
    """The cohort that the flag had right after ``change_id``: the one that the next change of the cohort replaced, or the
    present one where there was none. A change that left the cohort alone doesn't tell it."""
    cohort: dict[str, Any] = {name: getattr(flag, name) for name in COHORT_FIELDS}
    before: int | None = None
    while page := await reader.changes(flag_name=flag.flag_name, before=before, limit=200):
        for change in page:
            if change.change_id <= change_id:
                return cohort
            told = {name: value for name, value in (change.previous or {}).items() if name in COHORT_FIELDS}
            cohort |= told
        before = page[-1].change_id
    return cohort


async def _standing(reader: Reader, flag_name: str, tenant_id: str | None, after: int) -> list[Change]:
    """The changes of the flag, or of one tenant's override, that came after ``after`` and stand, newest first; rollbacks
    included."""
    dead: set[int] = set()
    found: list[Change] = []
    before: int | None = None
    while page := await reader.changes(flag_name=flag_name, before=before, limit=200):
        for change in page:
            if change.change_id <= after:
                return found
            if change.change_id in dead:
                continue
            dead.update(change.reverts)
            if change.tenant_id == tenant_id:
                found.append(change)
        before = page[-1].change_id
    return found
