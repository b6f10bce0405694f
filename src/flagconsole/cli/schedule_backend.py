"""What commands need of a server or a store about scheduled changes and messages, and the store's side of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flagconsole.domain.notification import Notification, NotificationList, TrialAnswer
    from flagconsole.domain.role import Actor
    from flagconsole.domain.schedule import ScheduleCancel, ScheduleCreate, ScheduleList, ScheduleView
    from flagconsole.operations.service import Operations


class ScheduleBackend(Protocol):
    """The methods mean what ``docs/api.md`` says of the calls."""

    async def schedules(
        self, flag_name: str | None = None, *, open_only: bool = False, limit: int = 100
    ) -> ScheduleList: ...
    async def schedule(
        self,
        name: str,
        body: ScheduleCreate,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ScheduleView: ...
    async def cancel_schedule(
        self, schedule_id: str, body: ScheduleCancel, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> ScheduleView: ...
    async def notifications(self) -> NotificationList: ...
    async def retry_notification(self, notification_id: str) -> Notification: ...
    async def send_trial(self, subscription: str) -> TrialAnswer: ...


class EmbeddedSchedules:
    """``ScheduleBackend`` on ``Operations``, for one actor."""

    _operations: Operations
    _actor: Actor

    async def schedules(
        self, flag_name: str | None = None, *, open_only: bool = False, limit: int = 100
    ) -> ScheduleList:
        return await self._operations.schedules(self._actor, flag_name, open_only=open_only, limit=limit)

    async def schedule(
        self,
        name: str,
        body: ScheduleCreate,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ScheduleView:
        return await self._operations.schedule(
            self._actor, name, body, version=version, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def cancel_schedule(
        self, schedule_id: str, body: ScheduleCancel, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> ScheduleView:
        return await self._operations.cancel_schedule(
            self._actor, schedule_id, body, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def notifications(self) -> NotificationList:
        return await self._operations.notifications(self._actor)

    async def retry_notification(self, notification_id: str) -> Notification:
        return await self._operations.retry_notification(self._actor, notification_id)

    async def send_trial(self, subscription: str) -> TrialAnswer:
        from flagconsole.domain.errors import SubscriptionNotFound

        hint = "Subscriptions belong to a server: name it with --url, or give its file with --response."
        raise SubscriptionNotFound(hint, subscription=subscription)
