"""The migrations of the embedded store, oldest first. A released one is never edited; a new one is appended to ``ALL``.

Each is a module ``mNNNN_noun`` with one function of that name, and lies here alone so that two can be written at once.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from flagconsole.store.sqlite_migrations.m0001_flags import m0001_flags
from flagconsole.store.sqlite_migrations.m0002_tenant_profiles import m0002_tenant_profiles
from flagconsole.store.sqlite_migrations.m0003_metrics import m0003_metrics
from flagconsole.store.sqlite_migrations.m0004_rollouts import m0004_rollouts
from flagconsole.store.sqlite_migrations.m0005_incidents import m0005_incidents
from flagconsole.store.sqlite_migrations.m0006_touched_rollouts import m0006_touched_rollouts
from flagconsole.store.sqlite_migrations.m0007_shadow import m0007_shadow
from flagconsole.store.sqlite_migrations.m0008_phase_values import m0008_phase_values
from flagconsole.store.sqlite_migrations.m0009_told_instances import m0009_told_instances
from flagconsole.store.sqlite_migrations.m0010_key_ends import m0010_key_ends
from flagconsole.store.sqlite_migrations.m0011_break_glass import m0011_break_glass
from flagconsole.store.sqlite_migrations.m0012_approvals import m0012_approvals
from flagconsole.store.sqlite_migrations.m0013_schedules import m0013_schedules
from flagconsole.store.sqlite_migrations.m0014_environments import m0014_environments
from flagconsole.store.sqlite_migrations.m0015_row_security import m0015_row_security
from flagconsole.store.sqlite_migrations.m0016_plans import m0016_plans
from flagconsole.store.sqlite_migrations.m0017_acts import m0017_acts
from flagconsole.store.sqlite_migrations.m0018_declined_approvals import m0018_declined_approvals

if TYPE_CHECKING:
    from sqlite_utils import Database

ALL: "tuple[Callable[[Database], None], ...]" = (
    m0001_flags,
    m0002_tenant_profiles,
    m0003_metrics,
    m0004_rollouts,
    m0005_incidents,
    m0006_touched_rollouts,
    m0007_shadow,
    m0008_phase_values,
    m0009_told_instances,
    m0010_key_ends,
    m0011_break_glass,
    m0012_approvals,
    m0013_schedules,
    m0014_environments,
    m0015_row_security,
    m0016_plans,
    m0017_acts,
    m0018_declined_approvals,
)

__all__ = ["ALL"]
