"""What carries a tenant is seen by whoever acts for that tenant, and by the fleet's own work. Also the tables' owner is held to it.

A transaction says for whom it acts by ``flagconsole.tenant``: ``*`` for the whole fleet, ``=ID`` for a tenant. Without it there
are no such rows.
"""

from __future__ import annotations

from typing import Final

# Asked once for a statement, not for each row.
_SAID: Final = "current_setting('flagconsole.tenant', true)"
#: Whoever acts for the whole fleet.
FLEET: Final = f"(SELECT {_SAID}) = '*'"
#: Whoever acts for a tenant.
TENANT_SAID: Final = f"{_SAID} LIKE '=%'"
#: The fleet, and the tenant that a row belongs to.
FLEET_OR_OWN: Final = f"{FLEET} OR tenant_id = (SELECT substr({_SAID}, 2) WHERE {TENANT_SAID})"

#: Tables whose rows belong to a tenant each; those of nobody are the fleet's.
OF_TENANTS: Final = (
    "tenant_flag_overrides",
    "flag_change_log",
    "tenants",
    "api_keys",
    "feature_usage_log",
    "metric_criticals",
    "metric_feedback",
    "metric_phase_values",
    "shadow_executions",
)
#: Tables whose rows tell of many tenants.
OF_THE_FLEET: Final = (
    "cohorts",
    "incidents",
    "outbox",
    "notifications",
    "shadow_findings",
    "shadow_samples",
)


def secured(table: str, condition: str) -> tuple[str, ...]:
    """The statements that let a table be seen and written by whom the condition lets."""
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {table}_of_whom ON {table} USING ({condition}) WITH CHECK ({condition})",
    )


ROW_SECURITY: Final = (
    *(statement for table in OF_TENANTS for statement in secured(table, FLEET_OR_OWN)),
    *(statement for table in OF_THE_FLEET for statement in secured(table, FLEET)),
    # What a tenant's key changes is told to everybody, and read by the fleet's own work only.
    "ALTER TABLE flag_events ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE flag_events FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY flag_events_of_whom ON flag_events USING ({FLEET})",
    f"CREATE POLICY flag_events_told ON flag_events FOR INSERT WITH CHECK ({TENANT_SAID})",
)
