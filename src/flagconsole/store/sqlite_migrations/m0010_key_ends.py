"""Keys may end by themselves, and know who ended them and what follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0010_key_ends(db: Database) -> None:
    """All are null for the keys that exist."""
    for column in ("expires_at", "replaced_by", "revoked_by"):
        db.execute(f"ALTER TABLE api_keys ADD COLUMN {column} TEXT")
