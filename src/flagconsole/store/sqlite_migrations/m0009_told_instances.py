"""Clients that can't confirm are kept with what they were told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0009_told_instances(db: Database) -> None:
    """``told_revision`` is null for instances that confirm."""
    db.execute("ALTER TABLE instances ADD COLUMN told_revision INTEGER")
