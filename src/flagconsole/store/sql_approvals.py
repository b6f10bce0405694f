"""Approvals in a store."""

from __future__ import annotations

from typing import Final

from flagconsole.domain.approval import Approval
from flagconsole.store.rows import timestamp
from flagconsole.store.session import Row, Session, insert

_COLUMNS: Final = tuple(Approval.model_fields)
_APPROVALS: Final = f"SELECT {', '.join(_COLUMNS)} FROM approvals"
_NEWEST: Final = "ORDER BY requested_at DESC, approval_id LIMIT"
_TIMES: Final = ("requested_at", "ends_at", "approved_at", "used_at", "declined_at")


class SqlApprovalReader:
    """Reading, in a session's transaction."""

    _session: Session

    async def approval(self, approval_id: str) -> Approval | None:
        row = await self._session.one(f"{_APPROVALS} WHERE approval_id = ?", approval_id)
        return None if row is None else _approval_of(row)

    async def newest_approval(self, fingerprint: str) -> Approval | None:
        row = await self._session.one(f"{_APPROVALS} WHERE fingerprint = ? {_NEWEST} 1", fingerprint)
        return None if row is None else _approval_of(row)

    async def approvals(self, limit: int) -> list[Approval]:
        return [_approval_of(row) for row in await self._session.all(f"{_APPROVALS} {_NEWEST} ?", limit)]


class SqlApprovalTransaction(SqlApprovalReader):
    """Writing, while no other writer does."""

    async def save_approval(self, approval: Approval) -> None:
        row = approval.model_dump(mode="json")
        for name in _TIMES:
            at = getattr(approval, name)
            row[name] = None if at is None else timestamp(at)
        await self._session.run(insert("approvals", row, or_replace=("approval_id",)), *row.values())


def _approval_of(row: Row) -> Approval:
    return Approval.model_validate({name: row[name] for name in _COLUMNS})
