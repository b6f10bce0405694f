"""The calls about scheduled changes and messages; a part of ``Client``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from flagconsole.client.caller import Caller
from flagconsole.domain.notification import Notification, NotificationList, TrialAnswer

if TYPE_CHECKING:
    from flagconsole.domain.schedule import ScheduleCancel, ScheduleCreate, ScheduleList, ScheduleView


class ScheduleCalls:
    """Each method is one call."""

    _caller: Caller

    async def schedules(
        self, flag_name: str | None = None, *, open_only: bool = False, limit: int = 100
    ) -> ScheduleList:
        """Scheduled changes, open ones first."""
        from flagconsole.domain.schedule import ScheduleList

        only = "true" if open_only else None
        return await self._caller.get("/api/schedules", ScheduleList, flag_name=flag_name, open=only, limit=limit)

    async def schedule(
        self,
        name: str,
        body: ScheduleCreate,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ScheduleView:
        """Put a change down for later, decided on ``version``."""
        from flagconsole.domain.schedule import ScheduleView

        return await self._caller.change(
            "POST",
            f"/api/flags/{quote(name.encode('utf-8', 'replace'), safe='')}/schedules",
            ScheduleView,
            body,
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )

    async def cancel_schedule(
        self, schedule_id: str, body: ScheduleCancel, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> ScheduleView:
        """Let a scheduled change not happen."""
        from flagconsole.domain.schedule import ScheduleView

        path = f"/api/schedules/{quote(schedule_id.encode('utf-8', 'replace'), safe='')}/cancel"
        return await self._caller.change(
            "POST", path, ScheduleView, body, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def notifications(self) -> NotificationList:
        """The server's subscriptions, and the newest messages."""
        return await self._caller.get("/api/notifications", NotificationList)

    async def retry_notification(self, notification_id: str) -> Notification:
        """Try a message again."""
        path = f"/api/notifications/{quote(notification_id.encode('utf-8', 'replace'), safe='')}/retry"
        return await self._caller.change("POST", path, Notification)

    async def send_trial(self, subscription: str) -> TrialAnswer:
        """Have the server send a test message, once."""
        path = f"/api/subscriptions/{quote(subscription.encode('utf-8', 'replace'), safe='')}/test"
        return await self._caller.change("POST", path, TrialAnswer, repeatable=False)
