"""Taking admin's rights for a time, giving them back, and looking at what was done with them."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from flagconsole.domain.act import ActKind
from flagconsole.domain.break_glass import Deed, Grant, GrantBegin, GrantList, GrantReview, GrantView
from flagconsole.domain.errors import BreakGlassUnderWay, GrantNotFound, InvalidInput, NotAllowed
from flagconsole.domain.role import Actor, Role
from flagconsole.operations.acts import record
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.store.protocol import Reader, Store, Transaction

#: Grants that a listing shows.
_LISTED: Final = 100
#: What is asked under a grant and need not be noted apart: reading, reporting, and what the log marks without delay.
_NOT_NOTED: Final = frozenset(
    {Operation.READ_RULES, Operation.READ, Operation.READ_FLEET, Operation.REPORT, Operation.KILL, Operation.ROLLBACK}
)


class BreakGlassOperations:
    """The use cases of break-glass on one store."""

    store: Store

    async def begin_break_glass(self, actor: Actor, request: GrantBegin) -> GrantView:
        """Give the actor's key admin's rights from now on. Raises ``BreakGlassUnderWay`` where it has them so already."""
        authorize(actor, Operation.BREAK_GLASS)
        if actor.break_glass is not None:
            raise BreakGlassUnderWay("End it first.", grant_id=actor.break_glass)
        if actor.role is not Role.OPERATOR or actor.key_id is None:
            raise InvalidInput(
                field="role", problem="is an admin's already, so there is nothing to take", value=actor.role.value
            )
        async with self.store.write() as tx:
            now = await tx.now()
            under_way = await tx.grant_in_force(actor.key_id, now)
            if under_way is not None:
                raise BreakGlassUnderWay("End it first.", grant_id=under_way.grant_id)
            grant = Grant(
                grant_id=f"glass-{secrets.token_hex(6)}",
                key_id=actor.key_id,
                taken_by=actor.name,
                reason=request.reason,
                began_at=now,
                ends_at=now + timedelta(minutes=request.minutes),
            )
            await tx.save_grant(grant)
            details = {"ends_at": grant.ends_at.isoformat()}
            kind = ActKind.BREAK_GLASS_BEGUN
            await record(tx, actor, now, kind, grant.grant_id, reason=request.reason, details=details)
        return GrantView(grant=grant, in_force=True, changes=(), deeds=())

    async def end_break_glass(self, actor: Actor, grant_id: str) -> GrantView:
        """Give the rights back before their time is over. Ending it again changes nothing."""
        authorize(actor, Operation.BREAK_GLASS)
        async with self.store.write() as tx:
            grant, now = await _existing(tx, grant_id), await tx.now()
            if grant.key_id != actor.key_id and (actor.own_role or actor.role) is not Role.ADMIN:
                raise NotAllowed(required="admin", role=actor.role.value, operation=Operation.BREAK_GLASS.value)
            if grant.is_in_force_at(now):
                await tx.save_grant(grant.model_copy(update={"ended_at": now}))
                details = {"taken_by": grant.taken_by}
                await record(tx, actor, now, ActKind.BREAK_GLASS_ENDED, grant_id, details=details)
            return await _view(tx, await _existing(tx, grant_id))

    async def review_break_glass(self, actor: Actor, grant_id: str, request: GrantReview) -> GrantView:
        """Say that somebody looked at what was done: an admin, who isn't the one that did it, once it is over."""
        authorize(actor, Operation.REVIEW)
        async with self.store.write() as tx:
            grant, now = await _existing(tx, grant_id), await tx.now()
            if actor.break_glass is not None or actor.key_id == grant.key_id or actor.name == grant.taken_by:
                raise NotAllowed(required="admin", role=(actor.own_role or actor.role).value, operation="review")
            if grant.is_in_force_at(now):
                raise BreakGlassUnderWay("End it first.", grant_id=grant_id)
            if grant.reviewed_at is None:
                seen = {"reviewed_at": now, "reviewed_by": actor.name, "review_note": request.note}
                await tx.save_grant(grant.model_copy(update=seen))
                details = {"taken_by": grant.taken_by}
                kind = ActKind.BREAK_GLASS_REVIEWED
                await record(tx, actor, now, kind, grant_id, reason=request.note, details=details)
            return await _view(tx, await _existing(tx, grant_id))

    async def break_glass(self, actor: Actor) -> GrantList:
        """The newest grants, with everything that was done under them."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            views = [await _view(reader, grant) for grant in await reader.grants(_LISTED)]
        unreviewed = sum(not view.in_force and view.grant.reviewed_at is None for view in views)
        return GrantList(grants=tuple(views), unreviewed=unreviewed)

    async def note_deed(self, actor: Actor, operation: Operation, call: str) -> None:
        """Note what the actor is about to do, if they do it under a grant. A kill doesn't wait for that: the log marks it."""
        if actor.break_glass is None or operation in _NOT_NOTED:
            return
        async with self.store.write() as tx:
            now = await tx.now()
            await tx.add_deed(actor.break_glass, Deed(at=now, operation=operation.value, call=call))
            details = {"operation": operation.value, "call": call}
            await record(tx, actor, now, ActKind.BREAK_GLASS_USED, actor.break_glass, details=details)


async def _existing(reader: Reader, grant_id: str) -> Grant:
    grant = await reader.grant(grant_id)
    if grant is None:
        raise GrantNotFound(grant_id=grant_id)
    return grant


async def _view(reader: Reader | Transaction, grant: Grant) -> GrantView:
    return GrantView(
        grant=grant,
        in_force=grant.is_in_force_at(await reader.now()),
        changes=tuple(await reader.changes_under(grant.grant_id)),
        deeds=tuple(await reader.deeds(grant.grant_id)),
    )
