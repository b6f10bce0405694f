"""Scheduled changes with their steps; notifications, and how far each subscription was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0013_schedules(db: Database) -> None:
    """``number`` is the order in which notifications came to be; a delivered one may be deleted, so it may have gaps."""
    db.table("schedules").create(
        {"schedule_id": str, "flag_name": str, "status": str, "created_at": str, "body": str},
        pk="schedule_id",
        not_null={"flag_name", "status", "created_at", "body"},
    )
    db.table("schedules").create_index(["status"])
    db.table("schedules").create_index(["flag_name"])
    db.table("schedule_steps").create(
        {"schedule_id": str, "step": str, "at": str, "by": str, "note": str}, pk=("schedule_id", "step")
    )
    db.table("notifications").create(
        {
            "notification_id": str,
            "number": int,
            "subscription": str,
            "flag_name": str,
            "status": str,
            "next_try_at": str,
            "body": str,
        },
        pk="notification_id",
        not_null={"number", "subscription", "flag_name", "status", "next_try_at", "body"},
    )
    db.table("notifications").create_index(["number"], unique=True)
    db.table("notifications").create_index(["status", "subscription", "flag_name", "number"])
    db.table("notification_cursors").create({"subscription": str, "change_id": int}, pk="subscription")
