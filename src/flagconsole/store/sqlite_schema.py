"""The tables of the embedded store, as numbered migrations.

``PRAGMA user_version`` holds the number of the newest one, so that an up-to-date file is recognised without reading
anything else. All pending migrations run inside one ``BEGIN IMMEDIATE``: of several processes that start at once, one
migrates and the others find it done.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from typing import TYPE_CHECKING

from flagconsole.domain.audit import GENESIS
from flagconsole.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

#: The number of the newest migration below.
SCHEMA_VERSION = 1


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to ``SCHEMA_VERSION``. Raises ``StoreUnavailable`` for one made by a newer version."""
    found = _version(connection)
    if found == SCHEMA_VERSION:
        return
    if found > SCHEMA_VERSION:
        raise StoreUnavailable(
            "Use that version, or restore a backup made before the upgrade.",
            problem=f"its schema is version {found}, made by a newer flagconsole (this one knows {SCHEMA_VERSION})",
        )
    from sqlite_utils import Database

    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) < SCHEMA_VERSION:
            _migrations().apply(Database(connection, execute_plugins=False))
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def new_epoch() -> str:
    """A name for a new lineage: later ones sort higher as text."""
    return f"{time.time_ns() // 1_000_000:012x}-{secrets.token_hex(4)}"


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _migrations() -> Migrations:
    from sqlite_utils import Migrations

    migrations = Migrations("flagconsole")

    @migrations()
    def m0001_flags(db: Database) -> None:
        db.table("feature_flags").create(
            {
                "flag_name": str,
                "flag_type": str,
                "description": str,
                "default_state": str,
                "current_state": str,
                "affects": str,
                "dependencies": str,
                "rollback_time_seconds": int,
                "is_kill_switch": int,
                "canary_percentage": int,
                "canary_tenant_ids": str,
                "version": int,
                "created_at": str,
                "created_by": str,
                "updated_at": str,
                "updated_by": str,
                "owner": str,
                "tags": str,
                "expires_on": str,
                "plan": str,
                "last_change_id": int,
                "archived_at": str,
            },
            pk="flag_name",
        )
        db.table("tenant_flag_overrides").create(
            {
                "flag_name": str,
                "tenant_id": str,
                "override_state": str,
                "override_reason": str,
                "expires_at": str,
                "created_at": str,
                "created_by": str,
            },
            pk=("flag_name", "tenant_id"),
        )
        db.table("tenant_flag_overrides").create_index(["tenant_id"])
        db.table("tenant_flag_overrides").create_index(["expires_at"])
        db.table("flag_change_log").create(
            {
                "change_id": int,
                "epoch": str,
                "flag_name": str,
                "tenant_id": str,
                "action": str,
                "change_type": str,
                "previous": str,
                "new": str,
                "change_reason": str,
                "changed_by": str,
                "changed_at": str,
                "reverts": str,
                "correlation_id": str,
                "version": int,
                "previous_hash": str,
                "hash": str,
            },
            pk="change_id",
            not_null={"epoch", "flag_name", "change_reason", "changed_by", "changed_at", "previous_hash", "hash"},
        )
        db.table("flag_change_log").create_index(["flag_name", "change_id"])
        db.table("flag_change_log").create_index(["tenant_id", "change_id"])
        for operation in ("UPDATE", "DELETE"):
            db.execute(
                f"CREATE TRIGGER flag_change_log_no_{operation.lower()} BEFORE {operation} ON flag_change_log "
                f"BEGIN SELECT RAISE(ABORT, 'flag_change_log is append-only'); END"
            )
        db.table("flag_events").create({"revision": int, "body": str}, pk="revision", not_null={"body"})
        db.table("idempotency_keys").create(
            {"idempotency_key": str, "fingerprint": str, "body": str, "created_at": str},
            pk="idempotency_key",
        )
        db.table("idempotency_keys").create_index(["created_at"])
        db.table("api_keys").create(
            {
                "key_id": str,
                "key_hash": str,
                "name": str,
                "role": str,
                "tenant_id": str,
                "created_at": str,
                "created_by": str,
                "revoked_at": str,
            },
            pk="key_id",
        )
        db.table("api_keys").create_index(["key_hash"], unique=True)
        db.table("tenants").create({"tenant_id": str, "name": str, "active": int}, pk="tenant_id")
        db.table("instances").create(
            {
                "instance_id": str,
                "service": str,
                "sdk_version": str,
                "epoch": str,
                "revision": int,
                "applied_at": str,
                "received_at": str,
                "last_seen": str,
                "status": str,
                "transport": str,
                "presence": str,
                "reported_to": str,
            },
            pk="instance_id",
        )
        db.table("store_head").create({"id": int, "epoch": str, "revision": int, "audit_hash": str}, pk="id")
        db.table("store_head").insert({"id": 1, "epoch": new_epoch(), "revision": 0, "audit_hash": GENESIS})

    return migrations
