"""Scheduled changes: what is to become of a flag at a time, or once a phase of a rollout has ended."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, model_validator

from flagconsole.domain.flag import Frozen, Percentage
from flagconsole.domain.names import FlagName, Label, ReasonText
from flagconsole.domain.states import FlagState
from flagconsole.domain.written_time import WrittenMoment


class ScheduleStatus(StrEnum):
    """``suspended``: the flag is killed. ``needs_decision``: its time came and it could not be carried out without guessing, so
    somebody was paged; nothing more happens by itself."""

    WAITING = "waiting"
    SUSPENDED = "suspended"
    NEEDS_DECISION = "needs_decision"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def open(self) -> bool:
        """Whether it may still be carried out, or waits for a person."""
        return self not in {ScheduleStatus.DONE, ScheduleStatus.CANCELLED}


#: Those that the controller looks at.
TENDED: frozenset[ScheduleStatus] = frozenset({ScheduleStatus.WAITING, ScheduleStatus.SUSPENDED})


class AfterPhase(Frozen):
    """The end of a phase of one rollout, of the same flag or of another."""

    flag_name: FlagName
    rollout_id: str
    phase: str


class ScheduleCreate(Frozen):
    """``POST /api/flags/{name}/schedules``: set the flag ``at`` a time, or once ``after_phase`` of the rollout that is under way
    has ended: of this flag, or of ``after_flag``."""

    change_reason: ReasonText
    current_state: FlagState
    canary_percentage: Percentage | None = None
    at: WrittenMoment | None = None
    after_phase: Label | None = None
    after_flag: FlagName | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.current_state is FlagState.KILL:
            raise ValueError("current_state: a kill is not scheduled, it is done; off, shadow, canary or on is right")
        if (self.at is None) == (self.after_phase is None):
            raise ValueError("at and after_phase: give one of them")
        if self.after_flag is not None and self.after_phase is None:
            raise ValueError("after_flag: goes with after_phase")
        if (self.current_state is FlagState.CANARY) != (self.canary_percentage is not None):
            raise ValueError("canary_percentage: a scheduled canary needs one, and nothing else takes one")
        return self


class ScheduleCancel(Frozen):
    """``POST /api/schedules/{id}/cancel``."""

    cancel_reason: ReasonText = "cancelled"


class Schedule(Frozen):
    """One scheduled change. ``decided_version`` is the flag's version that it was decided on; ``because`` says in words why it is
    as it is; ``change_id`` is what came of it. ``created_key`` is the key by which it was asked for."""

    schedule_id: str
    flag_name: str
    current_state: FlagState
    canary_percentage: int | None = None
    change_reason: str
    at: AwareDatetime | None = None
    after: AfterPhase | None = None
    decided_version: Annotated[int, Field(ge=1)]
    created_at: AwareDatetime
    created_by: str
    created_key: str | None = None
    approved_by: str | None = None
    status: ScheduleStatus = ScheduleStatus.WAITING
    because: str = ""
    change_id: int | None = None
    ended_at: AwareDatetime | None = None

    @property
    def wanted(self) -> str:
        """What the flag is to become: ``on``, ``canary 25 %``."""
        if self.canary_percentage is None:
            return self.current_state.value
        return f"{self.current_state.value} {self.canary_percentage} %"

    @property
    def of_own_rollout(self) -> bool:
        """Whether it follows a rollout of the very flag that it changes."""
        return self.after is not None and self.after.flag_name == self.flag_name


class ScheduleStep(Frozen):
    """Something that happened to a scheduled change, and can happen once only: ``(schedule_id, step)`` is unique in the store."""

    schedule_id: str
    step: str
    at: AwareDatetime
    by: str
    note: str = ""


class ScheduleView(Frozen):
    """A scheduled change with what happened to it, oldest first."""

    schedule: Schedule
    steps: tuple[ScheduleStep, ...] = ()
    dry_run: bool = False
    replayed: bool = False


class ScheduleList(Frozen):
    """``GET /api/schedules``: those that are open first, each of both by when they were made, newest first."""

    now: AwareDatetime
    schedules: tuple[ScheduleView, ...]
