"""Flags, and the part of a flag that changes while it rolls out."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    field_validator,
)
from pydantic_core import CoreSchema

from flagconsole.domain.evaluation import Rule
from flagconsole.domain.names import ActorName, FlagName, Label, TenantId
from flagconsole.domain.states import FlagState, FlagType
from flagconsole.domain.written_time import WrittenDay


def _no_boolean(value: object) -> object:
    """``true`` is no number: taken for 1 it would give the feature to one tenant in a hundred."""
    if isinstance(value, bool):
        raise ValueError("must be a whole number from 0 to 100")
    return value


Percentage = Annotated[int, Field(ge=0, le=100), BeforeValidator(_no_boolean)]


_NUMBERS = frozenset({"int", "float", "bool"})
#: Parts of a schema that describe no values.
_BESIDE = frozenset({"metadata", "serialization", "default"})


def _make_strict(schema: Any, model: type[BaseModel]) -> None:
    """Mark every number and truth in a schema as strict, but for those of other models of ours, which has been done."""
    if isinstance(schema, dict):
        kind = schema.get("type")  # a dictionary where a model has a field of that name
        if isinstance(kind, str):
            if kind in _NUMBERS:
                schema["strict"] = True
            elif kind == "model" and schema["cls"] is not model and issubclass(schema["cls"], Frozen):
                return
        for name, value in schema.items():
            if name not in _BESIDE:
                _make_strict(value, model)
    elif isinstance(schema, list | tuple):
        for value in schema:
            _make_strict(value, model)


class Frozen(BaseModel):
    """Base of every model here: immutable, and strict about fields it doesn't know."""

    # A command uses two or three of the hundred models: each is built when it is first needed (pydantic locks that).
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False, defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take no text for a number or a truth, and no truth for a number."""
        schema = handler(source)
        _make_strict(schema, source)
        return schema


class Setting(Frozen):
    """The part of a flag that decides its exposure: what changes record and rollbacks restore.

    ``canary_tenant_ids`` chooses the cohort; where it is empty, the hash and the percentage do. A cohort that was drawn has
    ``canary_holdout_ids`` too: the tenants outside it that the hash would take. Whoever is in neither list joined after the
    draw, and is bucketed by hash.
    """

    current_state: FlagState
    canary_percentage: Percentage = 0
    canary_tenant_ids: tuple[TenantId, ...] = ()
    canary_holdout_ids: tuple[TenantId, ...] | None = None

    @field_validator("canary_tenant_ids", "canary_holdout_ids")
    @classmethod
    def _as_sorted_set(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(sorted(set(value)))

    @property
    def takes_newcomers(self) -> bool:
        """Whether the hash decides about tenants that are in neither list: always, but for a cohort chosen by hand."""
        return not self.canary_tenant_ids or self.canary_holdout_ids is not None

    def describe(self) -> str:
        """The setting in a few words: ``on``, ``canary 10 %`` of a hashed or drawn cohort, ``canary of 50 tenants`` that
        somebody picked by hand."""
        if self.current_state is not FlagState.CANARY:
            return self.current_state.value
        if not self.takes_newcomers:
            count = len(self.canary_tenant_ids)
            return f"canary of {count} tenant{'s' if count != 1 else ''}"
        return f"canary {self.canary_percentage} %"

    @property
    def standing(self) -> str:
        """The same as the end of "it is …": ``killed``, not the state's name."""
        return "killed" if self.current_state is FlagState.KILL else self.describe()


def _first_state(value: FlagState) -> FlagState:
    if value in {FlagState.KILL, FlagState.CANARY}:
        raise ValueError("a flag starts as off, shadow or on")
    return value


Description = Annotated[str, Field(max_length=2000)]
DefaultState = Annotated[FlagState, AfterValidator(_first_state)]
Affected = Annotated[tuple[Label, ...], Field(max_length=100)]
Dependencies = Annotated[tuple[FlagName, ...], Field(max_length=100)]
RollbackSeconds = Annotated[int, Field(ge=0, le=86_400)]
Owner = Annotated[str, Field(max_length=200)]
Tags = Annotated[tuple[Label, ...], Field(max_length=50)]
PlanName = Annotated[str, Field(max_length=200)]


class FlagDefinition(Frozen):
    """What a person says about a flag when creating it. Durations are seconds."""

    flag_name: FlagName
    flag_type: FlagType = FlagType.FEATURE
    description: Description = ""
    default_state: DefaultState = FlagState.OFF
    affects: Affected = ()
    dependencies: Dependencies = ()
    rollback_time_seconds: RollbackSeconds = 60
    is_kill_switch: bool = False
    owner: Owner = ""
    tags: Tags = ()
    expires_on: WrittenDay | None = None
    plan: PlanName = ""


class Flag(FlagDefinition):
    """A flag as the store keeps it. ``version`` counts this flag's changes, those of its overrides included."""

    current_state: FlagState
    canary_percentage: Percentage = 0
    canary_tenant_ids: tuple[TenantId, ...] = ()
    canary_holdout_ids: tuple[TenantId, ...] | None = None
    version: Annotated[int, Field(ge=1)]
    created_at: AwareDatetime
    created_by: ActorName
    updated_at: AwareDatetime
    updated_by: ActorName

    @property
    def setting(self) -> Setting:
        """The part that decides exposure. What a flag holds was checked before: nothing is checked again."""
        return Setting.model_construct(
            current_state=self.current_state,
            canary_percentage=self.canary_percentage,
            canary_tenant_ids=self.canary_tenant_ids,
            canary_holdout_ids=self.canary_holdout_ids,
        )

    def same_cohort(self, other: Flag) -> bool:
        """Whether both name the same tenants (by hash they name none)."""
        return self.canary_tenant_ids == other.canary_tenant_ids and self.canary_holdout_ids == other.canary_holdout_ids

    def rule(self) -> Rule:
        """What the evaluator needs of this flag."""
        return Rule(
            self.flag_name,
            self.current_state,
            self.canary_percentage,
            frozenset(self.canary_tenant_ids),
            self.dependencies,
            self.version,
            None if self.canary_holdout_ids is None else frozenset(self.canary_holdout_ids),
        )


class Override(Frozen):
    """One tenant's own state for one flag. Past ``expires_at`` it has no effect."""

    flag_name: FlagName
    tenant_id: TenantId
    override_state: FlagState
    override_reason: str
    expires_at: AwareDatetime | None = None
    created_at: AwareDatetime
    created_by: ActorName
