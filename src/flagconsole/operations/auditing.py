"""Reading the log of acts, and checking both chains of a store; a part of ``Operations``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from flagconsole.domain.act import ActPage
from flagconsole.domain.audit import Chained, ChainReport, ChainVerifier
from flagconsole.domain.audit_report import AuditReport, report_of
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.role import Actor
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.store.protocol import Reader, Store

ACTS_LIMIT: Final = 500
_PAGE: Final = 1000


class AuditOperations:
    """The audit of one store."""

    store: Store

    async def verify_audit(self, actor: Actor) -> AuditReport:
        """Whether the hash chains hold, of the changes and of the acts."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            return await verify(reader)

    async def audit_log(self, actor: Actor, *, before: int | None = None, limit: int = 50) -> ActPage:
        """A page of the log of acts, newest first."""
        authorize(actor, Operation.READ_FLEET)
        if not 1 <= limit <= ACTS_LIMIT:
            raise InvalidInput(field="limit", problem=f"must be from 1 to {ACTS_LIMIT}", value=limit)
        async with self.store.read() as reader:
            head, newest = await reader.head(), await reader.act_head()
            found = await reader.acts(before=before, limit=limit + 1)
        page = tuple(found[:limit])
        return ActPage(
            epoch=head.epoch,
            act_id=newest.act_id,
            act_hash=newest.act_hash,
            acts=page,
            next_before=page[-1].act_id if len(found) > limit else None,
        )


async def verify(reader: Reader) -> AuditReport:
    """Read both logs wholly and check their chains."""
    head, acts = await reader.head(), await reader.act_head()
    return report_of(
        head.epoch,
        head.revision,
        await _verified(reader.changes_after, head.revision, head.audit_hash),
        await _verified(reader.acts_after, acts.act_id, acts.act_hash),
    )


async def _verified(
    entries_after: Callable[[int, int], Awaitable[Sequence[Chained]]], head_number: int, head_hash: str
) -> ChainReport:
    verifier = ChainVerifier()
    last, holds = 0, True
    while holds and (page := await entries_after(last, _PAGE)):
        holds = all(verifier.add(entry) for entry in page)
        last = page[-1].number
    return verifier.report(head_number, head_hash)
