"""The calls about the audit log; a part of ``Client``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagconsole.client.caller import Caller

if TYPE_CHECKING:
    from flagconsole.domain.act import ActPage
    from flagconsole.domain.audit_report import AuditReport


class AuditCalls:
    """Each method is one call."""

    _caller: Caller

    async def verify_audit(self) -> AuditReport:
        """Whether the log's hash chains hold."""
        from flagconsole.domain.audit_report import AuditReport

        return await self._caller.get("/api/audit/verify", AuditReport)

    async def audit_log(self, *, before: int | None = None, limit: int = 50) -> ActPage:
        """A page of the log of acts, newest first."""
        from flagconsole.domain.act import ActPage

        return await self._caller.get("/api/audit/log", ActPage, before=before, limit=limit)
