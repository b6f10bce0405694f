"""Scheduled changes and notifications in a store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from flagconsole.domain.notification import Notification
from flagconsole.domain.schedule import Schedule, ScheduleStep
from flagconsole.store.rows import timestamp
from flagconsole.store.session import Row, Session, insert

_STEP: Final = tuple(ScheduleStep.model_fields)
_OPEN: Final = "('waiting', 'suspended', 'needs_decision')"
_NOTIFICATIONS: Final = "SELECT number, body FROM notifications"


class SqlScheduleReader:
    """Reading, in a session's transaction."""

    _session: Session

    async def schedule(self, schedule_id: str) -> Schedule | None:
        row = await self._session.one("SELECT body FROM schedules WHERE schedule_id = ?", schedule_id)
        return None if row is None else Schedule.model_validate_json(row["body"])

    async def schedules(self, *, flag_name: str | None = None, open_only: bool = False, limit: int) -> list[Schedule]:
        conditions, values = ["true"], []
        if flag_name is not None:
            conditions.append("flag_name = ?")
            values.append(flag_name)
        if open_only:
            conditions.append(f"status IN {_OPEN}")
        sql = (
            f"SELECT body FROM schedules WHERE {' AND '.join(conditions)} ORDER BY "
            f"CASE WHEN status IN {_OPEN} THEN 0 ELSE 1 END, created_at DESC, schedule_id LIMIT ?"
        )
        found = await self._session.all(sql, *values, limit)
        return [Schedule.model_validate_json(row["body"]) for row in found]

    async def schedules_to_tend(self) -> list[Schedule]:
        found = await self._session.all(
            "SELECT body FROM schedules WHERE status IN ('waiting', 'suspended') ORDER BY created_at, schedule_id"
        )
        return [Schedule.model_validate_json(row["body"]) for row in found]

    async def schedule_steps(self, schedule_id: str) -> list[ScheduleStep]:
        sql = f"SELECT {', '.join(_STEP)} FROM schedule_steps WHERE schedule_id = ? ORDER BY rowid"
        found = await self._session.all(sql, schedule_id)
        return [ScheduleStep.model_validate(dict(zip(_STEP, row, strict=True))) for row in found]

    async def notification(self, notification_id: str) -> Notification | None:
        row = await self._session.one(f"{_NOTIFICATIONS} WHERE notification_id = ?", notification_id)
        return None if row is None else _notification_of(row)

    async def notifications(self, limit: int) -> list[Notification]:
        found = await self._session.all(f"{_NOTIFICATIONS} ORDER BY number DESC LIMIT ?", limit)
        return [_notification_of(row) for row in found]

    async def notifications_by_status(self) -> dict[str, int]:
        found = await self._session.all("SELECT status, COUNT(*) AS many FROM notifications GROUP BY status")
        return {row["status"]: int(row["many"]) for row in found}

    async def due_notifications(self, now: datetime, limit: int) -> list[Notification]:
        # What waits before another one about the same flag holds it up, also while its own next try is still to come.
        sql = (
            "SELECT number, body FROM notifications AS waits WHERE status = 'waiting' AND next_try_at <= ? AND NOT EXISTS "
            "(SELECT 1 FROM notifications AS earlier WHERE earlier.status = 'waiting' "
            "AND earlier.subscription = waits.subscription AND earlier.flag_name = waits.flag_name "
            "AND earlier.number < waits.number) ORDER BY number LIMIT ?"
        )
        return [_notification_of(row) for row in await self._session.all(sql, timestamp(now), limit)]

    async def notification_cursors(self) -> dict[str, int]:
        found = await self._session.all("SELECT subscription, change_id FROM notification_cursors")
        return {row["subscription"]: int(row["change_id"]) for row in found}


class SqlScheduleTransaction(SqlScheduleReader):
    """Writing, while no other writer does."""

    async def save_schedule(self, schedule: Schedule) -> None:
        row = {
            "schedule_id": schedule.schedule_id,
            "flag_name": schedule.flag_name,
            "status": schedule.status.value,
            "created_at": timestamp(schedule.created_at),
            "body": schedule.model_dump_json(),
        }
        await self._session.run(insert("schedules", row, or_replace=("schedule_id",)), *row.values())

    async def take_schedule_step(self, step: ScheduleStep) -> bool:
        row = step.model_dump(mode="json") | {"at": timestamp(step.at)}
        return await self._session.run(insert("schedule_steps", row, or_ignore=True), *row.values()) == 1

    async def notify(self, notification: Notification) -> bool:
        sql = (
            "INSERT INTO notifications (notification_id, number, subscription, flag_name, status, next_try_at, body) "
            "SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ?, ?, ? FROM notifications WHERE true ON CONFLICT DO NOTHING"
        )
        values = (
            notification.notification_id,
            notification.subscription,
            notification.flag_name,
            notification.status.value,
            timestamp(notification.next_try_at),
            notification.model_dump_json(),
        )
        return await self._session.run(sql, *values) == 1

    async def save_notification(self, notification: Notification) -> None:
        await self._session.run(
            "UPDATE notifications SET status = ?, next_try_at = ?, body = ? WHERE notification_id = ?",
            notification.status.value,
            timestamp(notification.next_try_at),
            notification.model_dump_json(),
            notification.notification_id,
        )

    async def save_notification_cursor(self, subscription: str, change_id: int) -> None:
        row = {"subscription": subscription, "change_id": change_id}
        await self._session.run(insert("notification_cursors", row, or_replace=("subscription",)), *row.values())

    async def keep_notification_cursors(self, subscriptions: Collection[str]) -> None:
        marks = ", ".join("?" * len(subscriptions))
        others = f" WHERE subscription NOT IN ({marks})" if subscriptions else ""
        await self._session.run(f"DELETE FROM notification_cursors{others}", *sorted(subscriptions))

    async def forget_notifications(self, before: datetime) -> None:
        await self._session.run(
            "DELETE FROM notifications WHERE status = 'delivered' AND next_try_at < ?", timestamp(before)
        )


def _notification_of(row: Row) -> Notification:
    return Notification.model_validate_json(row["body"]).model_copy(update={"number": int(row["number"])})
