"""Flags, overrides, the audit log, events, answers to idempotency keys, API keys, tenants, instances and the head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagconsole.domain.audit import GENESIS
from flagconsole.store.epoch import new_epoch

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0001_flags(db: Database) -> None:
    """The first schema."""
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
