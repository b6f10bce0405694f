"""The part of the console's fake server that asks for a second person, and that knows of rights taken for a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flagconsole.domain.approval import Approval, ApprovalDecline, ApprovalList
from flagconsole.domain.break_glass import Deed, Grant, GrantList, GrantReview, GrantView
from flagconsole.domain.change import Change
from flagconsole.domain.environment import Environment, EnvironmentExport
from flagconsole.domain.schedule import ScheduleList
from flagconsole.domain.stored_plan import PlanEntry
from flagconsole.operations.plan_file import shipped_plan


class FakeOversight:
    """Keeps requests and grants; tests say which there are."""

    _now: datetime
    changes: list[Change]
    _failing: Callable[[], None]

    def __init__(self) -> None:
        self.approvals_by_id: dict[str, Approval] = {}
        self.grants_by_id: dict[str, GrantView] = {}
        self.oversight_asked = 0
        self.allowed: list[str] = []
        self.declines: list[tuple[str, str]] = []
        #: The names of the plans that the environment keeps.
        self.kept_plans: tuple[str, ...] = ()
        self.reviews: list[tuple[str, str]] = []

    def ask_for(self, flag_name: str, operation: str = "update", *, who: str = "ada", ago: float = 240.0, **fields: Any) -> Approval:  # fmt: skip
        number = len(self.approvals_by_id) + 1
        at = self._now - timedelta(seconds=ago)
        approval = Approval.model_construct(
            approval_id=f"appr-{number:012x}", fingerprint=str(number), operation=operation, flag_name=flag_name,
            request=json.dumps(fields), requested_by=who, requested_key="k9", tenant_id=None, requested_at=at,
            ends_at=at + timedelta(hours=1), approved_by=None, approved_at=None, used_at=None,
        )  # fmt: skip
        self.approvals_by_id[approval.approval_id] = approval
        return approval

    def take_rights(self, who: str, reason: str, *, ago: float = 7200.0, minutes: int = 30, changes: tuple[Change, ...] = (), calls: tuple[str, ...] = (), **fields: Any) -> GrantView:  # fmt: skip
        number = len(self.grants_by_id) + 1
        began = self._now - timedelta(seconds=ago)
        grant = Grant.model_construct(
            grant_id=f"glass-{number:012x}", key_id="k7", taken_by=who, reason=reason, began_at=began,
            ends_at=began + timedelta(minutes=minutes), ended_at=None, reviewed_at=None, reviewed_by=None, review_note=None,
        )  # fmt: skip
        deeds = tuple(
            Deed.model_construct(at=began + timedelta(minutes=2), operation="update", call=call) for call in calls
        )
        view = GrantView.model_construct(
            grant=grant.model_copy(update=fields),
            in_force=grant.is_in_force_at(self._now),
            changes=changes,
            deeds=deeds,
        )
        self.grants_by_id[grant.grant_id] = view
        return view

    async def approvals(self) -> ApprovalList:
        self.oversight_asked += 1
        return ApprovalList.model_construct(approvals=tuple(self.approvals_by_id.values()))

    async def break_glass(self) -> GrantList:
        return GrantList.model_construct(grants=tuple(self.grants_by_id.values()), unreviewed=0)

    async def schedules(
        self, flag_name: str | None = None, *, open_only: bool = False, limit: int = 100
    ) -> ScheduleList:
        return ScheduleList(schedules=(), now=self._now)

    async def export(self) -> EnvironmentExport:
        plans = tuple(
            PlanEntry.model_construct(plan=shipped_plan("demo").plan.model_copy(update={"name": name}))
            for name in self.kept_plans
        )
        environment = Environment.model_construct(flags=(), overrides=(), plans=plans)
        return EnvironmentExport.model_construct(epoch="e1", revision=0, environment=environment)

    async def approve(self, approval_id: str) -> Approval:
        self._failing()
        self.allowed.append(approval_id)
        found = self.approvals_by_id[approval_id]
        update = {"approved_by": "ops1", "approved_at": self._now, "ends_at": self._now + timedelta(hours=1)}
        self.approvals_by_id[approval_id] = found.model_copy(update=update)
        return self.approvals_by_id[approval_id]

    async def decline(self, approval_id: str, body: ApprovalDecline) -> Approval:
        self._failing()
        self.declines.append((approval_id, body.decline_reason))
        if self.approvals_by_id[approval_id].declined_at is None:
            self.say_no(approval_id, "ops1", body.decline_reason)
        return self.approvals_by_id[approval_id]

    def say_no(self, approval_id: str, who: str, reason: str) -> None:
        """Somebody declined it, here or elsewhere."""
        update = {"declined_by": who, "declined_at": self._now, "decline_reason": reason, "ends_at": self._now}
        self.approvals_by_id[approval_id] = self.approvals_by_id[approval_id].model_copy(update=update)

    async def review_break_glass(self, grant_id: str, body: GrantReview) -> GrantView:
        self._failing()
        self.reviews.append((grant_id, body.note))
        view = self.grants_by_id[grant_id]
        seen = {"reviewed_at": self._now, "reviewed_by": "ops1", "review_note": body.note}
        self.grants_by_id[grant_id] = view.model_copy(update={"grant": view.grant.model_copy(update=seen)})
        return self.grants_by_id[grant_id]
