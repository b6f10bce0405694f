"""Flags, overrides, the audit log, events, answers to idempotency keys, API keys, tenants, instances and the head.

Text is compared byte by byte (``COLLATE "C"``), so that both backends order alike.
"""

from __future__ import annotations

from typing import Final

FLAGS: Final = (
    """
    CREATE TABLE feature_flags (
        flag_name text COLLATE "C" PRIMARY KEY,
        flag_type text NOT NULL,
        description text NOT NULL,
        default_state text NOT NULL,
        current_state text NOT NULL,
        affects text NOT NULL,
        dependencies text NOT NULL,
        rollback_time_seconds bigint NOT NULL,
        is_kill_switch bigint NOT NULL,
        canary_percentage bigint NOT NULL,
        canary_tenant_ids text NOT NULL,
        version bigint NOT NULL,
        created_at text NOT NULL,
        created_by text NOT NULL,
        updated_at text NOT NULL,
        updated_by text NOT NULL,
        owner text NOT NULL,
        tags text NOT NULL,
        expires_on text,
        plan text NOT NULL,
        last_change_id bigint,
        archived_at text
    )
    """,
    """
    CREATE TABLE tenant_flag_overrides (
        flag_name text COLLATE "C" NOT NULL,
        tenant_id text COLLATE "C" NOT NULL,
        override_state text NOT NULL,
        override_reason text NOT NULL,
        expires_at text COLLATE "C",
        created_at text NOT NULL,
        created_by text NOT NULL,
        PRIMARY KEY (flag_name, tenant_id)
    )
    """,
    "CREATE INDEX ON tenant_flag_overrides (tenant_id)",
    "CREATE INDEX ON tenant_flag_overrides (expires_at)",
    """
    CREATE TABLE flag_change_log (
        change_id bigint PRIMARY KEY,
        epoch text NOT NULL,
        flag_name text COLLATE "C" NOT NULL,
        tenant_id text COLLATE "C",
        action text NOT NULL,
        change_type text NOT NULL,
        previous text,
        new text,
        change_reason text NOT NULL,
        changed_by text NOT NULL,
        changed_at text NOT NULL,
        reverts text NOT NULL,
        correlation_id text,
        version bigint NOT NULL,
        previous_hash text NOT NULL,
        hash text NOT NULL
    )
    """,
    "CREATE INDEX ON flag_change_log (flag_name, change_id)",
    "CREATE INDEX ON flag_change_log (tenant_id, change_id)",
    """
    CREATE FUNCTION flag_change_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'flag_change_log is append-only'; END $$
    """,
    """
    CREATE TRIGGER flag_change_log_no_update BEFORE UPDATE OR DELETE ON flag_change_log
    FOR EACH ROW EXECUTE FUNCTION flag_change_log_is_append_only()
    """,
    """
    CREATE TRIGGER flag_change_log_no_truncate BEFORE TRUNCATE ON flag_change_log
    FOR EACH STATEMENT EXECUTE FUNCTION flag_change_log_is_append_only()
    """,
    "CREATE TABLE flag_events (revision bigint PRIMARY KEY, body text NOT NULL)",
    """
    CREATE TABLE idempotency_keys (
        idempotency_key text COLLATE "C" PRIMARY KEY,
        fingerprint text NOT NULL,
        body text NOT NULL,
        created_at text COLLATE "C" NOT NULL
    )
    """,
    "CREATE INDEX ON idempotency_keys (created_at)",
    """
    CREATE TABLE api_keys (
        key_id text COLLATE "C" PRIMARY KEY,
        key_hash text COLLATE "C" NOT NULL UNIQUE,
        name text NOT NULL,
        role text NOT NULL,
        tenant_id text,
        created_at text COLLATE "C" NOT NULL,
        created_by text NOT NULL,
        revoked_at text
    )
    """,
    'CREATE TABLE tenants (tenant_id text COLLATE "C" PRIMARY KEY, name text NOT NULL, active bigint NOT NULL)',
    """
    CREATE TABLE instances (
        instance_id text COLLATE "C" PRIMARY KEY,
        service text NOT NULL,
        sdk_version text NOT NULL,
        epoch text NOT NULL,
        revision bigint NOT NULL,
        applied_at text,
        received_at text,
        last_seen text NOT NULL,
        status text NOT NULL,
        transport text NOT NULL,
        presence text NOT NULL,
        reported_to text COLLATE "C" NOT NULL
    )
    """,
    "CREATE TABLE store_head (id bigint PRIMARY KEY, epoch text NOT NULL, revision bigint NOT NULL, audit_hash text NOT NULL)",
)
