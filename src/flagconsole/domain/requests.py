"""What callers ask for: the bodies of the HTTP calls, which the command line and the console build as well."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, Field, field_validator

from flagconsole.domain.flag import FlagDefinition, Frozen, Percentage
from flagconsole.domain.names import FlagName, Label, ReasonText, TenantId
from flagconsole.domain.role import Role
from flagconsole.domain.states import OVERRIDE_STATES, FlagState

CohortIds = Annotated[tuple[TenantId, ...], Field(max_length=50_000)]


class FlagCreate(FlagDefinition):
    """``POST /api/flags``."""

    change_reason: ReasonText = "created"


class FlagUpdate(Frozen):
    """``PUT /api/flags/{name}``. A field that is left out keeps its value."""

    change_reason: ReasonText
    current_state: FlagState | None = None
    canary_percentage: Percentage | None = None
    canary_tenant_ids: CohortIds | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None
    owner: Annotated[str, Field(max_length=200)] | None = None
    tags: Annotated[tuple[Label, ...], Field(max_length=50)] | None = None
    expires_on: date | None = None
    dependencies: Annotated[tuple[FlagName, ...], Field(max_length=100)] | None = None


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
    target_change_id: Annotated[int, Field(ge=1)] | None = None
    allow_raise: bool = False


class OverrideSet(Frozen):
    """``PUT /api/flags/{name}/override`` for the key's tenant or ``tenant_id``."""

    override_state: FlagState
    override_reason: ReasonText
    expires_at: AwareDatetime | None = None
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


class TenantRecord(Frozen):
    """One customer business, as far as flags are concerned."""

    tenant_id: TenantId
    name: Annotated[str, Field(max_length=200)] = ""
    active: bool = True


class TenantsPut(Frozen):
    """``PUT /api/tenants``: adds these tenants, or updates those that exist."""

    tenants: Annotated[tuple[TenantRecord, ...], Field(max_length=100_000)]
