"""Admin's rights that were taken for a time, and the log's mark of what was done with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0011_break_glass(db: Database) -> None:
    """Entries of the log that are there bear no mark, and keep their hashes: a mark that is null is not hashed."""
    columns = ("grant_id", "key_id", "taken_by", "reason", "began_at", "ends_at", "ended_at")
    reviewed = ("reviewed_at", "reviewed_by", "review_note")
    db.table("break_glass").create(dict.fromkeys((*columns, *reviewed), str), pk="grant_id", not_null=set(columns[:-1]))
    db.table("break_glass").create_index(["key_id", "ends_at"])
    db.table("break_glass_deeds").create(
        {"grant_id": str, "number": int, "at": str, "operation": str, "call": str}, pk=("grant_id", "number")
    )
    db.execute("ALTER TABLE flag_change_log ADD COLUMN break_glass TEXT")
    db.execute(
        "CREATE INDEX flag_change_log_break_glass ON flag_change_log (break_glass) WHERE break_glass IS NOT NULL"
    )
