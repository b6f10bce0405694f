"""Row-level security, which only PostgreSQL has: numbers are the same on both."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0015_row_security(db: Database) -> None:
    """An embedded store is its user's own file: whoever opens it sees all of it."""
