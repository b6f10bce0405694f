"""The calls of the second person; a part of ``Client``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from flagconsole.client.caller import Caller
from flagconsole.domain.errors import ApprovalNotFound

if TYPE_CHECKING:
    from flagconsole.domain.approval import Approval, ApprovalDecline, ApprovalList


class ApprovalCalls:
    """Each method is one call."""

    _caller: Caller

    async def approvals(self) -> ApprovalList:
        """What waits for a second person, or did."""
        from flagconsole.domain.approval import ApprovalList

        return await self._caller.get("/api/approvals", ApprovalList)

    async def approve(self, approval_id: str) -> Approval:
        """Allow what somebody else asked for."""
        from flagconsole.domain.approval import Approval

        return await self._caller.change("POST", _path(approval_id, "approve"), Approval)

    async def decline(self, approval_id: str, body: ApprovalDecline) -> Approval:
        """Refuse it, or take the consent back."""
        from flagconsole.domain.approval import Approval

        return await self._caller.change("POST", _path(approval_id, "decline"), Approval, body)


def _path(approval_id: str, what: str) -> str:
    # The dots of path arithmetic would mean another route.
    if approval_id in {"", ".", ".."}:
        raise ApprovalNotFound(approval_id=approval_id)
    return f"/api/approvals/{quote(approval_id.encode('utf-8', 'replace'), safe='')}/{what}"
