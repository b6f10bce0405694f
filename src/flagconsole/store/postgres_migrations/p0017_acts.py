"""The log of acts, with its chain's head; row-level security for it and for what tells of keys, approvals, schedules and plans; and a
count of changes of keys and tenants."""

from __future__ import annotations

from typing import Final

from flagconsole.domain.audit import GENESIS
from flagconsole.store.postgres_migrations.p0015_row_security import FLEET, FLEET_OR_OWN, TENANT_SAID, secured

#: Tables whose rows belong to a tenant each; those of nobody are the fleet's.
OF_TENANTS: Final = ("approvals",)
#: Tables that concern the whole fleet.
OF_THE_FLEET: Final = ("schedules", "schedule_steps", "rollout_plans", "break_glass", "break_glass_deeds")

ACTS: Final = (
    """
    CREATE TABLE audit_log (
        act_id bigint PRIMARY KEY,
        epoch text NOT NULL,
        revision bigint NOT NULL,
        kind text NOT NULL,
        subject text NOT NULL,
        details text NOT NULL,
        reason text,
        done_by text NOT NULL,
        key_id text,
        done_at text NOT NULL,
        break_glass text,
        previous_hash text NOT NULL,
        hash text NOT NULL
    )
    """,
    """
    CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'audit_log is append-only'; END $$
    """,
    """
    CREATE TRIGGER audit_log_no_update BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only()
    """,
    """
    CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()
    """,
    "ALTER TABLE store_head ADD COLUMN act_id bigint NOT NULL DEFAULT 0",
    f"ALTER TABLE store_head ADD COLUMN act_hash text NOT NULL DEFAULT '{GENESIS}'",
    "ALTER TABLE store_head ADD COLUMN people bigint NOT NULL DEFAULT 0",
    'ALTER TABLE approvals ADD COLUMN tenant_id text COLLATE "C"',
    *(statement for table in OF_TENANTS for statement in secured(table, FLEET_OR_OWN)),
    *(statement for table in OF_THE_FLEET for statement in secured(table, FLEET)),
    # What a tenant's key asks the second person for is an act too, and read by the fleet only.
    *secured("audit_log", FLEET),
    f"CREATE POLICY audit_log_told ON audit_log FOR INSERT WITH CHECK ({TENANT_SAID})",
)
