"""Requests that wait for a second person, and the log's word of who allowed what."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0012_approvals(db: Database) -> None:
    """Entries of the log that are there were approved by nobody, and keep their hashes."""
    needed = (
        "approval_id",
        "fingerprint",
        "operation",
        "flag_name",
        "request",
        "requested_by",
        "requested_at",
        "ends_at",
    )
    others = ("requested_key", "approved_by", "approved_at", "used_at")
    db.table("approvals").create(dict.fromkeys((*needed, *others), str), pk="approval_id", not_null=set(needed))
    db.table("approvals").create_index(["fingerprint"])
    db.table("approvals").create_index(["requested_at"])
    db.execute("ALTER TABLE flag_change_log ADD COLUMN approved_by TEXT")
