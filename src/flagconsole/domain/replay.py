"""A rollout's past judged again by another plan, beside what really happened."""

from __future__ import annotations

from pydantic import AwareDatetime

from flagconsole.domain.flag import Frozen
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.verdict import VerdictKind


class Looks(Frozen):
    """The looks at one phase: how many gave each verdict, when the first of each was, and why the first ``fail`` was one."""

    counts: dict[VerdictKind, int]
    first: dict[VerdictKind, AwareDatetime]
    first_fail_because: str = ""


class RollbackMade(Frozen):
    """A rollback that the controller made, or would have made."""

    at: AwareDatetime
    playbook: str
    because: str


class PhaseReplay(Frozen):
    """One phase that really ran, from ``since`` to ``until``.

    ``really`` is what was said then, ``promoted_at`` when the next phase was entered. ``judged_as`` is the other plan's phase that its
    data was judged by. ``would`` is what that gives, with ``would_pass_at``, from when the phase could have been left, and
    ``would_roll_back``; looks after a rollback aren't made up. ``look_seconds`` is how far apart these looks are. ``unjudged`` says why
    there is no such judgement; it is empty where there is one. ``notes`` say where it is less exact than a judgement at the time.
    """

    phase: str
    since: AwareDatetime
    until: AwareDatetime
    really: Looks
    promoted_at: AwareDatetime | None = None
    rolled_back: RollbackMade | None = None
    judged_as: str | None = None
    look_seconds: float | None = None
    would: Looks | None = None
    would_pass_at: AwareDatetime | None = None
    would_promote: bool = False
    would_roll_back: RollbackMade | None = None
    unjudged: str = ""
    notes: tuple[str, ...] = ()


class Replay(Frozen):
    """``POST /api/flags/{name}/replay``. ``complete`` is false where the time for it was over before all was judged."""

    flag_name: str
    rollout_id: str
    plan_name: str
    replayed_with: str
    started_at: AwareDatetime
    ended_at: AwareDatetime | None
    status: RolloutStatus
    end_reason: str
    phases: tuple[PhaseReplay, ...]
    complete: bool
    seconds_taken: float
