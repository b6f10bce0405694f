"""Changes of many flags that are made wholly or not at all, and that the log shows as one set."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from flagconsole.domain.change import Change
from flagconsole.domain.flag import Frozen, Setting
from flagconsole.domain.names import ChangeId, FlagName, Label, ReasonText
from flagconsole.domain.requests import FlagUpdate

MOST: int = 500


class BulkItem(FlagUpdate):
    """One flag of a bulk change: what ``PUT /api/flags/{name}`` takes, for this flag. ``version`` is the one it was decided
    on; without a ``change_reason`` of its own it has the set's."""

    flag_name: FlagName
    change_reason: ReasonText = ""
    version: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None


class BulkSet(Frozen):
    """``POST /api/bulk/set``."""

    change_reason: ReasonText
    changes: Annotated[tuple[BulkItem, ...], Field(min_length=1, max_length=MOST)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        seen: set[str] = set()
        for item in self.changes:
            if item.flag_name in seen:
                raise ValueError(f"changes: {item.flag_name} is there twice; say all of it in one place")
            seen.add(item.flag_name)
        return self


class BulkRollback(Frozen):
    """``POST /api/bulk/rollback``: the newest standing change of each flag of a ``domain``, or exactly the changes named.

    ``allow_raise`` asks explicitly for rollbacks that raise exposure; with ``leave_raising`` the flags whose rollback would
    raise it are left out instead.
    """

    rollback_reason: ReasonText
    domain: Label | None = None
    change_ids: Annotated[tuple[ChangeId, ...], Field(max_length=MOST)] = ()
    allow_raise: bool = False
    leave_raising: bool = False

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.domain is None) == (not self.change_ids):
            raise ValueError("name either a domain or change_ids")
        if self.allow_raise and self.leave_raising:
            raise ValueError("allow_raise and leave_raising contradict each other")
        return self


class BulkOutcome(Frozen):
    """What became of one flag, or of one tenant's override of it. ``left_out`` says why nothing was done, null otherwise."""

    flag_name: str
    tenant_id: str | None = None
    changed: bool
    setting: Setting
    change: Change | None = None
    left_out: str | None = None


class BulkResult(Frozen):
    """What a bulk change answers. The changes it made share ``correlation_id``; null where it made none. ``plans`` are the rollout
    plans that were written or removed, which count as changed too."""

    changed: int
    dry_run: bool = False
    replayed: bool = False
    epoch: str
    revision: int
    correlation_id: str | None = None
    outcomes: tuple[BulkOutcome, ...]
    plans: tuple[str, ...] = ()
