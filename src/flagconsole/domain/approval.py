"""Approvals: what raises exposure, asked for by one person and allowed by another."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime

from flagconsole.domain.flag import Frozen
from flagconsole.domain.names import ReasonText

#: How long a request waits for the second person, and how long what they allowed may be done.
VALID_FOR: Final = timedelta(hours=1)


class Approval(Frozen):
    """One request. ``fingerprint`` tells whether another is the same: by the same key, for the same thing. ``request`` is what
    was asked for, as JSON, for the second person to judge; ``tenant_id`` the tenant that the key which asked is bound to. One that was declined ends there and then."""

    approval_id: str
    fingerprint: str
    operation: str
    flag_name: str
    request: str
    requested_by: str
    requested_key: str | None
    tenant_id: str | None = None
    requested_at: AwareDatetime
    ends_at: AwareDatetime
    approved_by: str | None = None
    approved_at: AwareDatetime | None = None
    used_at: AwareDatetime | None = None
    declined_by: str | None = None
    declined_at: AwareDatetime | None = None
    decline_reason: str | None = None

    def is_open_at(self, now: datetime) -> bool:
        """Whether it can still be approved or used."""
        return self.used_at is None and now < self.ends_at


class ApprovalDecline(Frozen):
    """``POST /api/approvals/{id}/decline``."""

    decline_reason: ReasonText


class ApprovalList(Frozen):
    """``GET /api/approvals``: newest first."""

    approvals: tuple[Approval, ...]
