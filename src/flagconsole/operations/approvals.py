"""The second person: where an environment asks for one, what raises exposure is done once somebody else has allowed it.

The request is refused with the id of its approval. When that was given, the same request by the same key is carried out,
once. What lowers exposure never comes here.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from flagconsole.domain.act import ActKind
from flagconsole.domain.approval import VALID_FOR, Approval, ApprovalDecline, ApprovalList
from flagconsole.domain.errors import ApprovalNotFound, ApprovalOver, ApprovalRequired, NotAllowed
from flagconsole.domain.role import Actor
from flagconsole.operations.acts import digest, record
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.store.protocol import Store, Transaction

_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What would be asked of the second person: who asks for which operation on which flag, and the request as JSON."""

    actor: Actor
    fingerprint: str
    operation: Operation
    flag_name: str
    request: str


@asynccontextmanager
async def put_to_somebody(store: Store, asked: Asked, *, dry_run: bool) -> AsyncIterator[None]:
    """Where the block raises ``ApprovalRequired``, keep the request for the second person and name its id in the error. A dry
    run keeps nothing."""
    try:
        yield
    except ApprovalRequired as refused:
        if dry_run:
            raise
        approval = await _kept(store, asked)
        hint = f"Once somebody else has allowed it, ask again: flagconsole approvals approve {approval.approval_id}"
        raise ApprovalRequired(hint, **refused.details | {"approval_id": approval.approval_id}) from None


async def given(tx: Transaction, fingerprint: str) -> Approval | None:
    """The approval by which the request may be carried out now."""
    approval = await tx.newest_approval(fingerprint)
    if approval is None or approval.approved_by is None or not approval.is_open_at(await tx.now()):
        return None
    return approval


async def use(tx: Transaction, approval: Approval | None) -> None:
    """The request was carried out: its approval is good for no other."""
    if approval is not None:
        await tx.save_approval(approval.model_copy(update={"used_at": await tx.now()}))


async def _kept(store: Store, asked: Asked) -> Approval:
    async with store.write() as tx:
        now = await tx.now()
        known = await tx.newest_approval(asked.fingerprint)
        if known is not None and known.approved_by is None and known.is_open_at(now):
            return known
        approval = Approval(
            approval_id=f"appr-{secrets.token_hex(6)}",
            fingerprint=asked.fingerprint,
            operation=asked.operation.value,
            flag_name=asked.flag_name,
            request=asked.request,
            requested_by=asked.actor.name,
            requested_key=asked.actor.key_id,
            tenant_id=asked.actor.tenant_id,
            requested_at=now,
            ends_at=now + VALID_FOR,
        )
        await tx.save_approval(approval)
        kind = ActKind.APPROVAL_ASKED
        await record(tx, asked.actor, now, kind, approval.approval_id, details=_told(approval))
        return approval


def _told(approval: Approval) -> dict[str, str]:
    """What is, or was, asked for, as the log of acts keeps it."""
    return {
        "operation": approval.operation,
        "flag_name": approval.flag_name,
        "requested_by": approval.requested_by,
        "request_sha256": digest(approval.request),
    }


class ApprovalOperations:
    """What the second person asks."""

    store: Store

    async def approvals(self, actor: Actor) -> ApprovalList:
        """The newest requests."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            return ApprovalList(approvals=tuple(await reader.approvals(_LISTED)))

    async def approve(self, actor: Actor, approval_id: str) -> Approval:
        """Allow what somebody else asked for. Nobody approves their own, nor with rights that they took for a time."""
        authorize(actor, Operation.APPROVE)
        async with self.store.write() as tx:
            approval, now = await tx.approval(approval_id), await tx.now()
            if approval is None:
                raise ApprovalNotFound(approval_id=approval_id)
            own = actor.key_id == approval.requested_key or actor.name == approval.requested_by
            if own or actor.break_glass is not None:
                raise NotAllowed(required="admin", role=(actor.own_role or actor.role).value, operation="approve")
            if not approval.is_open_at(now):
                raise ApprovalOver("Ask for it anew.", approval_id=approval_id)
            if approval.approved_by is not None:
                return approval
            update = {"approved_by": actor.name, "approved_at": now, "ends_at": now + VALID_FOR}
            approved = approval.model_copy(update=update)
            await tx.save_approval(approved)
            await record(tx, actor, now, ActKind.APPROVAL_GIVEN, approval_id, details=_told(approval))
            return approved

    async def decline(self, actor: Actor, approval_id: str, request: ApprovalDecline) -> Approval:
        """Refuse what somebody asked for, or take back the consent to what wasn't done yet. It lowers what may be done, so that whoever
        may approve anything may decline everything. Declining it again changes nothing."""
        authorize(actor, Operation.APPROVE)
        async with self.store.write() as tx:
            approval, now = await tx.approval(approval_id), await tx.now()
            if approval is None:
                raise ApprovalNotFound(approval_id=approval_id)
            if approval.declined_at is not None:
                return approval
            if not approval.is_open_at(now):
                raise ApprovalOver("There is nothing left to decline.", approval_id=approval_id)
            reason = request.decline_reason
            update = {"declined_by": actor.name, "declined_at": now, "decline_reason": reason, "ends_at": now}
            declined = approval.model_copy(update=update)
            await tx.save_approval(declined)
            kind, details = ActKind.APPROVAL_DECLINED, _told(approval)
            await record(tx, actor, now, kind, approval_id, reason=reason, details=details)
            return declined
