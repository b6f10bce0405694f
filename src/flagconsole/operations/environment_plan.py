"""What applying an environment would change in a store: the difference, in the order in which it would be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flagconsole.domain.environment import (
    Environment,
    FieldChange,
    FlagEntry,
    OverrideEntry,
    PlanAction,
    PlannedChange,
    PlanRequest,
    definition_of,
    wanted_setting,
)
from flagconsole.domain.errors import FlagNotFound, InvalidInput
from flagconsole.domain.exposure import raises, raises_state
from flagconsole.domain.flag import Flag, Override, Setting
from flagconsole.domain.states import FlagState
from flagconsole.domain.stored_plan import StoredPlan
from flagconsole.operations.override import own_state
from flagconsole.operations.setting import described_by

_OFF: Final = Setting(current_state=FlagState.OFF)
_KILLED: Final = "stays killed: no file lifts a kill; revive it first"
_STAYS_KILLED: Final = "is killed and stays: revive it before it is archived"


@dataclass(frozen=True, slots=True)
class Present:
    """What a store holds now. ``overrides`` are those in force, ``rollouts`` what rollouts under way are at, by flag, ``plans``
    the newest versions of plans."""

    flags: Mapping[str, Flag]
    overrides: Mapping[tuple[str, str], Override]
    rollouts: Mapping[str, str]
    now: datetime
    plans: Mapping[str, StoredPlan]


def difference(request: PlanRequest, present: Present) -> list[PlannedChange]:
    """Every flag and override that would change, or that stays although it was asked for otherwise.

    Kills come first, then what lowers exposure, then what raises it, then removals: no tenant gets a feature on the way that it
    wouldn't have in the end. Raises ``InvalidInput`` and ``FlagNotFound`` for what can't be meant.
    """
    environment = request.environment
    items = [_flag(entry, index, present) for index, entry in enumerate(environment.flags)]
    named = present.flags.keys() | {entry.flag_name for entry in environment.flags}
    for entry in environment.overrides:
        if entry.flag_name not in named:
            raise FlagNotFound("The file has an override of it.", flag=entry.flag_name)
        items.append(_override(entry, environment, present))
    if request.prune:
        items += _pruned(environment, present)
    return sorted((item for item in items if item is not None), key=_turn)


def _turn(item: PlannedChange) -> tuple[int, bool]:
    if item.action is PlanAction.REMOVE:
        # A flag that goes takes its overrides along.
        return (4 if item.tenant_id is None else 3), item.raises
    killed = any(change.field == "current_state" and change.new == FlagState.KILL for change in item.fields)
    if item.tenant_id is not None:
        return 2, item.raises
    return (0 if killed else 1), item.raises


def _flag(entry: FlagEntry, index: int, present: Present) -> PlannedChange | None:
    flag = present.flags.get(entry.flag_name)
    try:
        if flag is None:
            return _new(entry)
        return _changed(entry, flag, present.rollouts.get(flag.flag_name))
    except InvalidInput as error:
        where = f"environment.flags[{index}].{error.details['field']}"
        raise InvalidInput(error.hint, **error.details | {"field": where}) from None


def _new(entry: FlagEntry) -> PlannedChange:
    setting = setting_of_new(entry)
    definition = definition_of(entry, "planned").model_dump(mode="json", exclude_defaults=True)
    shown = {"current_state": setting.current_state.value} | _cohort(setting)
    fields = [FieldChange(field=name, new=value) for name, value in shown.items()]
    named = [name for name in FlagEntry.model_fields if name in definition and name != "flag_name"]
    fields += [FieldChange(field=name, new=definition[name]) for name in named]
    return PlannedChange(
        action=PlanAction.ADD,
        flag_name=entry.flag_name,
        fields=tuple(fields),
        raises=raises(_OFF, setting),
    )


def setting_of_new(entry: FlagEntry) -> Setting:
    """The setting that a new flag begins with."""
    return wanted_setting(Setting(current_state=entry.default_state or FlagState.OFF), entry)


def _cohort(setting: Setting) -> dict[str, Any]:
    told = setting.model_dump(mode="json", exclude={"current_state"})
    return {name: value for name, value in told.items() if value not in (None, 0, [])}


def _changed(entry: FlagEntry, flag: Flag, rollout: str | None) -> PlannedChange | None:
    after, notes = _reachable(flag, wanted_setting(flag.setting, entry))
    described = described_by(flag, entry)
    before, then = flag.setting.model_dump(mode="json"), after.model_dump(mode="json")
    fields = [FieldChange(field=name, old=before[name], new=then[name]) for name in then if before[name] != then[name]]
    moves = bool(fields)
    changed = flag.model_copy(update=described)
    told = (
        flag.model_dump(mode="json", include=set(described)),
        changed.model_dump(mode="json", include=set(described)),
    )
    fields += [FieldChange(field=name, old=told[0][name], new=told[1][name]) for name in described]
    if not fields and not notes:
        return None
    if rollout is not None and moves:
        notes.append(f"a rollout is under way, at {rollout}")
    uncapped = not set(flag.dependencies) <= set(changed.dependencies)
    return PlannedChange(
        action=PlanAction.CHANGE if fields else PlanAction.KEEP,
        flag_name=flag.flag_name,
        fields=tuple(fields),
        raises=uncapped or raises(flag.setting, after, flag.flag_name),
        notes=tuple(notes),
    )


def _reachable(flag: Flag, wanted: Setting) -> tuple[Setting, list[str]]:
    """What of the wanted setting a file may bring about: a killed flag keeps its own, and a kill changes nothing else."""
    if flag.current_state is FlagState.KILL:
        same = wanted.model_copy(update={"current_state": FlagState.KILL}) == flag.setting
        lifted = wanted.current_state is not FlagState.KILL
        notes = [_KILLED] if lifted else [] if same else ["keeps its cohort while it is killed"]
        return flag.setting, notes
    if wanted.current_state is FlagState.KILL:
        after = flag.setting.model_copy(update={"current_state": FlagState.KILL})
        return after, [] if after == wanted else ["keeps its cohort: a kill changes nothing but the state"]
    return wanted, []


def _override(entry: OverrideEntry, environment: Environment, present: Present) -> PlannedChange | None:
    key = (entry.flag_name, entry.tenant_id)
    known = present.overrides.get(key)
    if entry.expires_at is not None and entry.expires_at <= present.now:
        return PlannedChange(
            action=PlanAction.KEEP,
            flag_name=entry.flag_name,
            tenant_id=entry.tenant_id,
            notes=(f"the file's override was over at {entry.expires_at.isoformat()}: it isn't written",),
        )
    old = {} if known is None else _told(known)
    new = _told(entry) if entry.override_reason is not None else _told(entry) | {"override_reason": _kept(known)}
    fields = [FieldChange(field=name, old=old.get(name), new=new[name]) for name in new if old.get(name) != new[name]]
    if not fields:
        return None
    return PlannedChange(
        action=PlanAction.ADD if known is None else PlanAction.CHANGE,
        flag_name=entry.flag_name,
        tenant_id=entry.tenant_id,
        fields=tuple(fields),
        raises=raises_state(_state_before(entry, environment, present), entry.override_state),
    )


def _state_before(entry: OverrideEntry, environment: Environment, present: Present) -> FlagState:
    """What the tenant has when its override's turn comes: after the flags' own changes."""
    flag = present.flags.get(entry.flag_name)
    asked = next((item for item in environment.flags if item.flag_name == entry.flag_name), None)
    if flag is None:
        # A new flag: whether its cohort takes the tenant decides nothing that matters, it is new to all of them.
        return FlagState.OFF if asked is None or asked.current_state is not FlagState.ON else FlagState.ON
    if asked is not None:
        flag = flag.model_copy(update=_reachable(flag, wanted_setting(flag.setting, asked))[0].model_dump())
    known = present.overrides.get((entry.flag_name, entry.tenant_id))
    return own_state(flag, entry.tenant_id, known, present.now)


def _kept(known: Override | None) -> str | None:
    return None if known is None else known.override_reason


def _told(override: Override | OverrideEntry) -> dict[str, Any]:
    return override.model_dump(mode="json", include={"override_state", "override_reason", "expires_at"})


def _pruned(environment: Environment, present: Present) -> Iterable[PlannedChange]:
    """What the environment's lists don't name. A list that is left out prunes nothing."""
    gone: set[str] = set()
    if "flags" in environment.model_fields_set:
        gone = present.flags.keys() - {entry.flag_name for entry in environment.flags}
        for flag_name in _dependents_first(gone, present):
            flag = present.flags[flag_name]
            killed = flag.current_state is FlagState.KILL
            state = FieldChange(field="current_state", old=flag.current_state.value)
            yield PlannedChange(
                action=PlanAction.KEEP if killed else PlanAction.REMOVE,
                flag_name=flag_name,
                fields=() if killed else (state,),
                notes=(_STAYS_KILLED,) if killed else (),
            )
    if "overrides" in environment.model_fields_set:
        kept = {(entry.flag_name, entry.tenant_id) for entry in environment.overrides}
        for key in sorted(present.overrides.keys() - kept):
            flag, known = present.flags[key[0]], present.overrides[key]
            if flag.flag_name in gone and flag.current_state is not FlagState.KILL:
                continue
            before = own_state(flag, key[1], known, present.now)
            yield PlannedChange(
                action=PlanAction.REMOVE,
                flag_name=key[0],
                tenant_id=key[1],
                fields=(FieldChange(field="override_state", old=known.override_state.value),),
                raises=raises_state(before, own_state(flag, key[1], None, present.now)),
            )


def _dependents_first(names: set[str], present: Present) -> list[str]:
    """The flags in an order in which each goes before those that it depends on."""
    ordered: list[str] = []
    left = sorted(names)
    while left:
        needed = {dependency for name in left for dependency in present.flags[name].dependencies}
        free = [name for name in left if name not in needed] or left
        ordered += free
        left = [name for name in left if name not in free]
    return ordered
