"""Requests that the second person declined."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0018_declined_approvals(db: Database) -> None:
    """All are null for the requests that are there."""
    for column in ("declined_by", "declined_at", "decline_reason"):
        db.execute(f"ALTER TABLE approvals ADD COLUMN {column} TEXT")
