"""Changes: the entries of the audit log, and the events that carry them to clients."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from flagconsole.domain.flag import Flag, Frozen, Override


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
    they changed, other fields), for a tenant its override; null where there was, or is, none. ``reverts`` names the changes
    that a rollback took back. ``correlation_id`` is shared by the changes of one bulk operation.
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
    version: int
    previous_hash: str
    hash: str

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


def _state_of(value: dict[str, Any] | None) -> str | None:
    if value is None:
        return None
    state = value.get("current_state", value.get("override_state"))
    return state if isinstance(state, str) else None


class Event(Frozen):
    """What a client applies to go from one revision to the next.

    ``flag`` is the whole flag after the change, null once it is archived; for a tenant's change ``override`` is the
    override after it, null once it is gone.
    """

    epoch: str
    revision: int
    change: Change
    flag: Flag | None
    override: Override | None = None
