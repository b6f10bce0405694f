"""The schema in PostgreSQL, by the same numbers as the embedded store's: one list of statements for each step."""

from __future__ import annotations

from typing import Final

from flagconsole.store.postgres_migrations.p0001_flags import FLAGS
from flagconsole.store.postgres_migrations.p0002_tenant_profiles import TENANT_PROFILES
from flagconsole.store.postgres_migrations.p0003_metrics import METRICS
from flagconsole.store.postgres_migrations.p0004_rollouts import ROLLOUTS
from flagconsole.store.postgres_migrations.p0005_incidents import INCIDENTS
from flagconsole.store.postgres_migrations.p0006_touched_rollouts import TOUCHED_ROLLOUTS
from flagconsole.store.postgres_migrations.p0007_shadow import SHADOW
from flagconsole.store.postgres_migrations.p0008_phase_values import PHASE_VALUES
from flagconsole.store.postgres_migrations.p0009_told_instances import TOLD_INSTANCES
from flagconsole.store.postgres_migrations.p0010_key_ends import KEY_ENDS
from flagconsole.store.postgres_migrations.p0011_break_glass import BREAK_GLASS
from flagconsole.store.postgres_migrations.p0012_approvals import APPROVALS
from flagconsole.store.postgres_migrations.p0013_schedules import SCHEDULES
from flagconsole.store.postgres_migrations.p0014_environments import ENVIRONMENTS
from flagconsole.store.postgres_migrations.p0015_row_security import ROW_SECURITY
from flagconsole.store.postgres_migrations.p0016_plans import PLANS
from flagconsole.store.postgres_migrations.p0017_acts import ACTS
from flagconsole.store.postgres_migrations.p0018_declined_approvals import DECLINED_APPROVALS

ALL: Final[tuple[tuple[str, ...], ...]] = (
    FLAGS,
    TENANT_PROFILES,
    METRICS,
    ROLLOUTS,
    INCIDENTS,
    TOUCHED_ROLLOUTS,
    SHADOW,
    PHASE_VALUES,
    TOLD_INSTANCES,
    KEY_ENDS,
    BREAK_GLASS,
    APPROVALS,
    SCHEDULES,
    ENVIRONMENTS,
    ROW_SECURITY,
    PLANS,
    ACTS,
    DECLINED_APPROVALS,
)
