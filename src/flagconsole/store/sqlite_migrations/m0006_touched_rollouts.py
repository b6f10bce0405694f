"""What is new about rollouts can be read by number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0006_touched_rollouts(db: Database) -> None:
    """``touched`` counts up with every write of a rollout, whichever process writes it."""
    db.execute("ALTER TABLE rollouts ADD COLUMN touched INTEGER NOT NULL DEFAULT 0")
    db.table("rollouts").create_index(["touched"])
