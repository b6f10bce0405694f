"""Changes: the entries of the audit log, and the events that carry them to clients."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field

from flagconsole.domain.flag import Flag, Frozen, Override, Setting
from flagconsole.domain.payload import COHORT_FIELDS


class ChangeType(StrEnum):
    """Who or what a change comes from."""

    MANUAL = "manual"
    AUTOMATED = "automated"
    ROLLBACK = "rollback"
    KILL_SWITCH = "kill_switch"


class Action(StrEnum):
    """What a change did."""

    CREATED = "created"
    SET = "set"
    KILLED = "killed"
    REVIVED = "revived"
    ROLLED_BACK = "rolled_back"
    OVERRIDE_SET = "override_set"
    OVERRIDE_REMOVED = "override_removed"
    OVERRIDE_EXPIRED = "override_expired"
    ARCHIVED = "archived"


class Change(Frozen):
    """One entry of the audit log. Its id is the revision it made, so ids are gap-free and in commit order.

    ``previous`` and ``new`` hold what the change replaced: for a flag its setting (state, percentage, cohort and, where
    they changed, other fields), for a tenant its override; null where there was, or is, none. A cohort that the change left
    alone is told by its size only (``canary_tenants``, and ``canary_drawn`` where it is a draw), since it may be of thousands. ``reverts`` names the changes that a
    rollback took back. ``correlation_id`` is shared by the changes of one bulk operation.
    ``break_glass`` names the grant of admin's rights under which the change was made,
    ``approved_by`` the second person.
    """

    change_id: Annotated[int, Field(ge=1)]
    epoch: str
    flag_name: str
    tenant_id: str | None = None
    action: Action
    change_type: ChangeType
    previous: dict[str, Any] | None = None
    new: dict[str, Any] | None = None
    change_reason: str
    changed_by: str
    changed_at: AwareDatetime
    reverts: tuple[int, ...] = ()
    correlation_id: str | None = None
    break_glass: str | None = None
    approved_by: str | None = None
    version: int
    previous_hash: str
    hash: str

    @property
    def number(self) -> int:
        """Its place in the chain."""
        return self.change_id

    @property
    def revision(self) -> int:
        """The store's revision after this change."""
        return self.change_id

    @property
    def previous_state(self) -> str | None:
        """The state before, of the flag or of the tenant's override."""
        return _state_of(self.previous)

    @property
    def new_state(self) -> str | None:
        """The state after, of the flag or of the tenant's override."""
        return _state_of(self.new)

    @property
    def previous_setting(self) -> str | None:
        """What was before, in words: ``canary 10 %``; of a tenant's override its state."""
        return told_setting(self.previous) or self.previous_state

    @property
    def new_setting(self) -> str | None:
        """What is after it, in words."""
        return told_setting(self.new) or self.new_state


#: How many tenants the cohort names, in a change that left it alone.
COHORT_SIZE: Final = "canary_tenants"
#: Whether that cohort is a draw of the percentage, not picked by hand; left out where it isn't.
COHORT_DRAWN: Final = "canary_drawn"
#: What a change tells of a cohort without being part of the setting.
TOLD_OF_COHORT: Final = frozenset({COHORT_SIZE, COHORT_DRAWN})


def recorded(before: Flag, after: Flag, described: Collection[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """``previous`` and ``new`` of a change from ``before`` to ``after``: settings, and the fields named in ``described``."""
    kept = before.same_cohort(after)
    return _recorded(before, described, kept), _recorded(after, described, kept)


def _recorded(flag: Flag, described: Collection[str], same_cohort: bool) -> dict[str, Any]:
    if same_cohort:
        told: dict[str, Any] = {
            "current_state": flag.current_state.value,
            "canary_percentage": flag.canary_percentage,
            COHORT_SIZE: len(flag.canary_tenant_ids),
        }
        if flag.canary_tenant_ids and flag.setting.takes_newcomers:
            told[COHORT_DRAWN] = True
    else:
        told = flag.setting.model_dump(mode="json")
    return told | flag.model_dump(mode="json", include=set(described)) if described else told


def told_setting(value: Mapping[str, Any] | None) -> str | None:
    """The setting that a change's ``previous`` or ``new`` tells of, in a few words; None where it tells of none."""
    if value is None or not isinstance(value.get("current_state"), str):
        return None
    known = {name: item for name, item in value.items() if name in Setting.model_fields}
    size = value.get(COHORT_SIZE)
    picked = isinstance(size, int) and size and value.get(COHORT_DRAWN) is not True
    if COHORT_FIELDS.isdisjoint(known) and picked and known["current_state"] == "canary":
        return f"canary of {size} tenant{'s' if size != 1 else ''}"
    return Setting.model_validate(known).describe()


def _state_of(value: dict[str, Any] | None) -> str | None:
    if value is None:
        return None
    state = value.get("current_state", value.get("override_state"))
    return state if isinstance(state, str) else None


class Event(Frozen):
    """What a client applies to go from one revision to the next.

    ``flag`` is the whole flag after the change, null once it is archived; for a tenant's change ``override`` is the
    override after it, null once it is gone. As it travels, a flag whose cohort the change left alone comes without its
    cohort: whoever applies the event has it.
    """

    epoch: str
    revision: int
    change: Change
    flag: Flag | None
    override: Override | None = None

    def to_json(self, *, same_cohort: bool) -> str:
        """The event as it is kept and sent. ``same_cohort``: the flag names the same tenants as before the change."""
        return self.model_dump_json(exclude={"flag": set(COHORT_FIELDS)} if same_cohort and self.flag else None)

    @classmethod
    def from_json(cls, body: str, flags: Mapping[str, Flag]) -> Event:
        """An event of the store's own, whose cohorts were checked when they were written. ``flags``: as they were before.

        Raises ``KeyError`` where the event leaves out a cohort that ``flags`` doesn't know.
        """
        data = json.loads(body)
        told = data["flag"]
        if told is None:
            return cls.model_validate(data)
        if COHORT_FIELDS.isdisjoint(told):
            before = flags[told["flag_name"]]
            cohort: dict[str, Any] = {name: getattr(before, name) for name in COHORT_FIELDS}
        else:
            lists = {name: told.pop(name) for name in COHORT_FIELDS}
            cohort = {name: None if names is None else tuple(names) for name, names in lists.items()}
        event = cls.model_validate(data)
        assert event.flag is not None
        return event.model_copy(update={"flag": event.flag.model_copy(update=cohort)})
