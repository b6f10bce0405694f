"""An environment as a whole: its flags and overrides as a file names them, what applying such a file would change, and the
hash that a plan is known by."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.flag import Flag, FlagDefinition, Frozen, Setting
from flagconsole.domain.names import FlagName, ReasonText, TenantId
from flagconsole.domain.requests import FlagCreate, FlagFields
from flagconsole.domain.states import OVERRIDE_STATES, FlagState
from flagconsole.domain.stored_plan import PlanEntry
from flagconsole.domain.written_time import WrittenMoment

#: The most flags, and the most overrides, that one file has.
MOST: Final = 20_000


def _of_one_tenant(value: FlagState) -> FlagState:
    if value not in OVERRIDE_STATES:
        raise ValueError("an override is off, shadow, canary or on; a kill is for all tenants")
    return value


class FlagEntry(FlagFields):
    """A flag as a file names it. A field that is left out keeps its value; a new flag gets the usual one."""

    flag_name: FlagName


class OverrideEntry(Frozen):
    """One tenant's own state as a file names it. Without ``expires_at`` it doesn't end; ``override_reason`` may be left out."""

    flag_name: FlagName
    tenant_id: TenantId
    override_state: Annotated[FlagState, AfterValidator(_of_one_tenant)]
    override_reason: ReasonText | None = None
    expires_at: WrittenMoment | None = None


class Environment(Frozen):
    """Flags, overrides and rollout plans. Lists that are left out are not spoken of: nothing in them changes, nothing is
    pruned."""

    flags: Annotated[tuple[FlagEntry, ...], Field(max_length=MOST)] = ()
    overrides: Annotated[tuple[OverrideEntry, ...], Field(max_length=MOST)] = ()
    plans: Annotated[tuple[PlanEntry, ...], Field(max_length=200)] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _refuse_twice("flags", [entry.flag_name for entry in self.flags])
        _refuse_twice("overrides", [f"{entry.flag_name} for {entry.tenant_id}" for entry in self.overrides])
        _refuse_twice("plans", [entry.name for entry in self.plans])
        return self


def _refuse_twice(where: str, subjects: list[str]) -> None:
    seen: set[str] = set()
    for subject in subjects:
        if subject in seen:
            raise ValueError(f"{where}: {subject} is there twice; say all of it in one place")
        seen.add(subject)


class EnvironmentExport(Frozen):
    """``GET /api/export``: every flag with all its properties, every override in force and every plan, at this revision."""

    epoch: str
    revision: int
    environment: Environment


class PlanRequest(Frozen):
    """``POST /api/plan``. With ``prune`` what the environment's lists don't name goes: flags are archived, overrides removed."""

    environment: Environment
    prune: bool = False


class Apply(PlanRequest):
    """``POST /api/apply``: carries out the plan of that hash, as it was shown."""

    change_reason: ReasonText
    plan_hash: Annotated[str, Field(max_length=200)]


class PlanAction(StrEnum):
    """What a plan does with a flag or an override. ``keep``: nothing, and the notes say why."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    KEEP = "keep"


class FieldChange(Frozen):
    """One field's value in the store (null where it has none yet) and the one that it would get."""

    field: str
    old: Any = None
    new: Any = None


class PlannedChange(Frozen):
    """What becomes of one flag, or of one tenant's override of it. ``raises``: it can give the feature to more tenants."""

    action: PlanAction
    flag_name: str
    tenant_id: str | None = None
    fields: tuple[FieldChange, ...] = ()
    raises: bool = False
    notes: tuple[str, ...] = ()


class PlannedPlan(Frozen):
    """What becomes of one rollout plan. Rollouts that are under way keep the one that they began with."""

    action: PlanAction
    plan_name: str
    fields: tuple[FieldChange, ...] = ()


class EnvironmentPlan(Frozen):
    """What applying an environment would change, in the order in which it would be done: ``plans`` first, then ``items``."""

    plan_hash: str
    epoch: str
    revision: int
    changed: int
    items: tuple[PlannedChange, ...]
    plans: tuple[PlannedPlan, ...] = ()


class PlanHash(NamedTuple):
    """Names a plan: the revision that it was made at, and digests of what was asked for and of the store's part in it."""

    revision: int
    asked: str
    store: str

    def __str__(self) -> str:
        return f"{self.revision}-{self.asked}-{self.store}"

    @classmethod
    def parse(cls, text: str) -> PlanHash:
        """The hash as it was printed. Raises ``InvalidInput``."""
        match = re.fullmatch(r"([0-9]{1,18})-([0-9a-f]{16})-([0-9a-f]{16})", text.strip())
        if match is None:
            problem = "must be the hash that the plan showed, like 812-0123456789abcdef-0123456789abcdef"
            raise InvalidInput(field="plan_hash", problem=problem, value=text)
        return cls(int(match[1]), match[2], match[3])


def plan_hash(request: PlanRequest, epoch: str, revision: int, versions: dict[str, int]) -> PlanHash:
    """The hash of the plan that ``request`` gets at ``revision``, where the flags in question have these ``versions`` (0: the
    store has no such flag). A flag's version counts its overrides' changes too."""
    asked = f"{request.prune}\0{request.environment.model_dump_json(exclude_unset=True)}"
    store = "\0".join((epoch, *(f"{name} {version}" for name, version in sorted(versions.items()))))
    return PlanHash(revision, _digest(asked), _digest(store))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def definition_of(entry: FlagEntry, reason: str) -> FlagCreate:
    """The new flag that the entry defines."""
    named = entry.model_fields_set & set(FlagDefinition.model_fields)
    given = {name: getattr(entry, name) for name in named if getattr(entry, name) is not None}
    return FlagCreate.model_validate({**given, "change_reason": reason})


def wanted_setting(present: Setting, entry: FlagFields) -> Setting:
    """The setting that the entry asks for, where a flag has this ``present`` one.

    A cohort that isn't named stays, unless the percentage changes: then the hash draws it. Raises ``InvalidInput``.
    """
    state = entry.current_state or present.current_state
    percentage, chosen, holdout = present.canary_percentage, present.canary_tenant_ids, present.canary_holdout_ids
    if entry.canary_percentage is not None and entry.canary_percentage != percentage:
        percentage, chosen, holdout = entry.canary_percentage, (), None
    if entry.canary_tenant_ids is not None:
        chosen, holdout = entry.canary_tenant_ids, entry.canary_holdout_ids
    if entry.canary_holdout_ids is not None and not entry.canary_tenant_ids:
        problem = "needs the drawn canary_tenant_ids that it belongs to"
        raise InvalidInput(field="canary_holdout_ids", problem=problem, value=len(entry.canary_holdout_ids))
    told = entry.canary_percentage is not None or present.current_state is FlagState.CANARY
    if state is FlagState.CANARY and not chosen and percentage == 0 and not told:
        problem = "a canary needs a percentage from 0 to 100 or tenant ids"
        raise InvalidInput(field="canary_percentage", problem=problem, value=None)
    return Setting(
        current_state=state, canary_percentage=percentage, canary_tenant_ids=chosen, canary_holdout_ids=holdout
    )


def entry_of(flag: Flag) -> FlagEntry:
    """A flag with all the properties that a file can name."""
    told = {name: getattr(flag, name) for name in FlagEntry.model_fields}
    if told["canary_holdout_ids"] is None:
        del told["canary_holdout_ids"]
    return FlagEntry.model_validate(told)
