"""The log of acts, with its chain's head; who asked for an approval on behalf of which tenant; and a count of changes of keys and
tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagconsole.domain.audit import GENESIS

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0017_acts(db: Database) -> None:
    """What was done before isn't in it: the log begins here."""
    db.table("audit_log").create(
        {
            "act_id": int,
            "epoch": str,
            "revision": int,
            "kind": str,
            "subject": str,
            "details": str,
            "reason": str,
            "done_by": str,
            "key_id": str,
            "done_at": str,
            "break_glass": str,
            "previous_hash": str,
            "hash": str,
        },
        pk="act_id",
        not_null={"epoch", "revision", "kind", "subject", "details", "done_by", "done_at", "previous_hash", "hash"},
    )
    for operation in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER audit_log_no_{operation.lower()} BEFORE {operation} ON audit_log "
            f"BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END"
        )
    db.execute("ALTER TABLE store_head ADD COLUMN act_id INTEGER NOT NULL DEFAULT 0")
    db.execute(f"ALTER TABLE store_head ADD COLUMN act_hash TEXT NOT NULL DEFAULT '{GENESIS}'")
    db.execute("ALTER TABLE store_head ADD COLUMN people INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE approvals ADD COLUMN tenant_id TEXT")
