"""What callers ask for: the bodies of the HTTP calls, which the command line and the console build as well."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, field_validator

from flagconsole.domain.cohort import Seed
from flagconsole.domain.flag import (
    Affected,
    DefaultState,
    Dependencies,
    Description,
    FlagDefinition,
    Frozen,
    Owner,
    Percentage,
    PlanName,
    RollbackSeconds,
    Tags,
)
from flagconsole.domain.names import ChangeId, Label, ReasonText, TenantId
from flagconsole.domain.role import Role
from flagconsole.domain.states import OVERRIDE_STATES, FlagState, FlagType
from flagconsole.domain.tenant import TenantProfile
from flagconsole.domain.written_time import WrittenDay, WrittenMoment

CohortIds = Annotated[tuple[TenantId, ...], Field(max_length=50_000)]


class FlagCreate(FlagDefinition):
    """``POST /api/flags``."""

    change_reason: ReasonText = "created"


class FlagFields(Frozen):
    """What of a flag can be changed once it is there. A field that is left out keeps its value."""

    current_state: FlagState | None = None
    canary_percentage: Percentage | None = None
    canary_tenant_ids: CohortIds | None = None
    canary_holdout_ids: CohortIds | None = None
    flag_type: FlagType | None = None
    description: Description | None = None
    default_state: DefaultState | None = None
    affects: Affected | None = None
    dependencies: Dependencies | None = None
    rollback_time_seconds: RollbackSeconds | None = None
    is_kill_switch: bool | None = None
    owner: Owner | None = None
    tags: Tags | None = None
    expires_on: WrittenDay | None = None
    plan: PlanName | None = None


class FlagUpdate(FlagFields):
    """``PUT /api/flags/{name}``."""

    change_reason: ReasonText


class Kill(Frozen):
    """``POST /api/flags/{name}/kill``."""

    kill_reason: ReasonText


class Revive(Frozen):
    """``POST /api/flags/{name}/revive``: to ``off``, or to a named state below the one the flag was killed in."""

    revive_reason: ReasonText
    state: FlagState = FlagState.OFF
    canary_percentage: Percentage | None = None


class Rollback(Frozen):
    """``POST /api/flags/{name}/rollback``. ``allow_raise`` asks explicitly for a rollback that raises exposure."""

    rollback_reason: ReasonText
    target_change_id: ChangeId | None = None
    allow_raise: bool = False


class OverrideSet(Frozen):
    """``PUT /api/flags/{name}/override`` for the key's tenant or ``tenant_id``."""

    override_state: FlagState
    override_reason: ReasonText
    expires_at: WrittenMoment | None = None
    tenant_id: TenantId | None = None

    @field_validator("override_state")
    @classmethod
    def _for_one_tenant(cls, value: FlagState) -> FlagState:
        if value not in OVERRIDE_STATES:
            raise ValueError("an override is off, shadow, canary or on; a kill is for all tenants")
        return value


class OverrideRemove(Frozen):
    """``DELETE /api/flags/{name}/override`` for the key's tenant or ``tenant_id``."""

    override_reason: ReasonText = "override removed"
    tenant_id: TenantId | None = None


class Archive(Frozen):
    """``DELETE /api/flags/{name}``."""

    change_reason: ReasonText


class KeyCreate(Frozen):
    """``POST /api/keys``."""

    name: Label
    role: Role
    tenant_id: TenantId | None = None
    expires_at: WrittenMoment | None = None


#: How long a key may live on beside the one that replaces it, seconds.
LONGEST_OVERLAP: Final = 30 * 86_400


class KeyRotate(Frozen):
    """``POST /api/keys/{id}/rotate``. The old key is valid for ``overlap_seconds`` more, an hour unless told."""

    overlap_seconds: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP)] = 3600


#: A tenant on its way to the store: a field that is left out keeps its value, or is unknown.
TenantRecord = TenantProfile


class TenantsPut(Frozen):
    """``PUT /api/tenants``: adds these tenants, or updates those that exist. A field that is left out keeps its value."""

    tenants: Annotated[tuple[TenantProfile, ...], Field(max_length=100_000)]


class CohortDraw(Frozen):
    """``POST /api/flags/{name}/cohort``: draws a cohort and gives it to the flag.

    Without a ``seed`` chance chooses one; it is recorded in any case. ``lasts_hours`` is how long the cohort is for: tenants
    with a blackout in that time are not drawn. ``start`` also makes the flag a canary.
    """

    change_reason: ReasonText
    percentage: Annotated[int, Field(ge=1, le=99)]
    seed: Seed | None = None
    lasts_hours: Annotated[float, Field(ge=0, le=24 * 366, allow_inf_nan=False)] | None = None
    start: bool = False
