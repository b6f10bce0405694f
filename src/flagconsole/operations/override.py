"""One tenant's own state for one flag: set, removed, expired."""

from __future__ import annotations

from datetime import datetime

from flagconsole.domain.change import Action, ChangeType
from flagconsole.domain.errors import InvalidInput, OverrideNotFound, TenantRequired
from flagconsole.domain.evaluation import in_cohort
from flagconsole.domain.exposure import raises_state
from flagconsole.domain.flag import Flag, Override
from flagconsole.domain.requests import OverrideRemove, OverrideSet
from flagconsole.domain.states import FlagState
from flagconsole.operations.context import Context, Outcome, existing, guard_raise
from flagconsole.operations.kill import stamped
from flagconsole.store.protocol import ChangeDraft, Transaction


async def set_override(
    tx: Transaction, context: Context, flag_name: str, request: OverrideSet, *, reason: str | None = None
) -> Outcome:
    """Give one tenant its own state. Never ``kill``: that is for everyone or no one. ``reason`` is the change's where that
    isn't the override's own."""
    flag = await existing(tx, flag_name)
    tenant = tenant_for(context, request.tenant_id)
    if request.expires_at is not None and request.expires_at <= context.now:
        raise InvalidInput(field="expires_at", problem="must be in the future", value=request.expires_at.isoformat())
    before = await tx.override(flag_name, tenant)
    if raises_state(own_state(flag, tenant, before, context.now), request.override_state):
        await guard_raise(tx, context, flag)
    after = Override(
        flag_name=flag_name,
        tenant_id=tenant,
        override_state=request.override_state,
        override_reason=request.override_reason,
        expires_at=request.expires_at,
        created_at=context.now,
        created_by=context.actor.name,
    )
    return await apply_override(
        tx, context, flag, tenant, before, after, action=Action.OVERRIDE_SET, reason=reason or request.override_reason
    )


async def remove_override(tx: Transaction, context: Context, flag_name: str, request: OverrideRemove) -> Outcome:
    """Take a tenant's override away, so that the flag's state decides again."""
    flag = await existing(tx, flag_name)
    tenant = tenant_for(context, request.tenant_id)
    before = await tx.override(flag_name, tenant)
    if before is None:
        raise OverrideNotFound(flag=flag_name, tenant=tenant)
    if raises_state(own_state(flag, tenant, before, context.now), own_state(flag, tenant, None, context.now)):
        await guard_raise(tx, context, flag)
    return await apply_override(
        tx, context, flag, tenant, before, None, action=Action.OVERRIDE_REMOVED, reason=request.override_reason
    )


async def expire(tx: Transaction, context: Context, override: Override) -> Outcome:
    """Record that an override's time is over. It has had no effect since that second."""
    flag = await existing(tx, override.flag_name)
    return await apply_override(
        tx,
        context,
        flag,
        override.tenant_id,
        override,
        None,
        action=Action.OVERRIDE_EXPIRED,
        reason="the override expired",
        change_type=ChangeType.AUTOMATED,
    )


async def apply_override(
    tx: Transaction,
    context: Context,
    flag: Flag,
    tenant: str,
    before: Override | None,
    after: Override | None,
    *,
    action: Action,
    reason: str,
    change_type: ChangeType = ChangeType.MANUAL,
    reverts: tuple[int, ...] = (),
) -> Outcome:
    """Write one tenant's override, or its absence."""
    draft = ChangeDraft(
        flag=flag,
        action=action,
        change_type=change_type,
        reason=reason,
        changed_by=context.actor.name,
        break_glass=context.actor.break_glass,
        approved_by=context.approved_by,
        changed_at=context.now,
        correlation_id=context.correlation_id,
        tenant_id=tenant,
        override=after,
        previous=None if before is None else before.model_dump(mode="json"),
        new=None if after is None else after.model_dump(mode="json"),
        reverts=reverts,
    )
    change = await tx.apply(draft)
    return Outcome(True, stamped(flag, change), change, after)


def tenant_for(context: Context, requested: str | None) -> str:
    """The tenant that is meant: the key's own, which no request can change, else the one asked for."""
    if context.actor.tenant_id is not None:
        if requested not in {None, context.actor.tenant_id}:
            raise InvalidInput(field="tenant_id", problem="is not the tenant of this key", value=requested)
        return context.actor.tenant_id
    if requested is None:
        raise TenantRequired("Give tenant_id, or use a tenant's key.")
    return requested


def own_state(flag: Flag, tenant: str, override: Override | None, now: datetime) -> FlagState:
    """The tenant's state before kill and dependencies, which an override doesn't touch (a revived flag starts off)."""
    if override is not None and (override.expires_at is None or now < override.expires_at):
        return override.override_state
    if flag.current_state is not FlagState.CANARY:
        return FlagState.OFF if flag.current_state is FlagState.KILL else flag.current_state
    return FlagState.CANARY if in_cohort(flag.rule(), tenant) else FlagState.OFF
