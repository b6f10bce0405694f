"""What every store can do with approvals."""

from __future__ import annotations

from typing import Protocol

from flagconsole.domain.approval import Approval


class ApprovalReader(Protocol):
    """Reading approvals."""

    async def approval(self, approval_id: str) -> Approval | None:
        """One approval."""

    async def newest_approval(self, fingerprint: str) -> Approval | None:
        """The newest approval of this request, open or not."""

    async def approvals(self, limit: int) -> list[Approval]:
        """The newest approvals, newest first."""


class ApprovalTransaction(ApprovalReader, Protocol):
    """Writing approvals."""

    async def save_approval(self, approval: Approval) -> None:
        """Add an approval, or keep what became of it."""
