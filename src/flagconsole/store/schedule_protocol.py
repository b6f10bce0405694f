"""What every store can do with scheduled changes and notifications."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from flagconsole.domain.notification import Notification
from flagconsole.domain.schedule import Schedule, ScheduleStep


class ScheduleReader(Protocol):
    """Reading scheduled changes and notifications."""

    async def schedule(self, schedule_id: str) -> Schedule | None:
        """One scheduled change."""

    async def schedules(self, *, flag_name: str | None = None, open_only: bool = False, limit: int) -> list[Schedule]:
        """Scheduled changes, open ones first, then newest first."""

    async def schedules_to_tend(self) -> list[Schedule]:
        """Those that wait or are suspended, oldest first."""

    async def schedule_steps(self, schedule_id: str) -> list[ScheduleStep]:
        """What happened to one, oldest first."""

    async def notification(self, notification_id: str) -> Notification | None:
        """One notification."""

    async def notifications(self, limit: int) -> list[Notification]:
        """The newest notifications, newest first."""

    async def notifications_by_status(self) -> dict[str, int]:
        """How many notifications there are in each status."""

    async def due_notifications(self, now: datetime, limit: int) -> list[Notification]:
        """What waits and is to be tried now, the oldest first: of each subscription and flag only the first that waits."""

    async def notification_cursors(self) -> dict[str, int]:
        """Up to which change each subscription was told."""


class ScheduleTransaction(ScheduleReader, Protocol):
    """Writing scheduled changes and notifications."""

    async def save_schedule(self, schedule: Schedule) -> None:
        """Add or replace a scheduled change."""

    async def take_schedule_step(self, step: ScheduleStep) -> bool:
        """Record a step. False where it is recorded already: then nothing of it may be done again."""

    async def notify(self, notification: Notification) -> bool:
        """Add a notification, at the end. False where its id is known."""

    async def save_notification(self, notification: Notification) -> None:
        """Replace a notification."""

    async def save_notification_cursor(self, subscription: str, change_id: int) -> None:
        """Note up to which change a subscription was told."""

    async def keep_notification_cursors(self, subscriptions: Collection[str]) -> None:
        """Forget the cursors of all other subscriptions."""

    async def forget_notifications(self, before: datetime) -> None:
        """Delete what was delivered before then."""
