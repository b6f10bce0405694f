"""Rollouts: one run of a plan for one flag, and what is to be done next, as a pure function of what is known."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from pydantic import AwareDatetime, Field

from flagconsole.domain.cohort import CohortSelection
from flagconsole.domain.duration import part_of
from flagconsole.domain.flag import Frozen, Setting
from flagconsole.domain.improvement import failed_metrics
from flagconsole.domain.plan import Phase, PhaseKind, Plan
from flagconsole.domain.playbook import GRADUAL, IMMEDIATE, KILL_SWITCH
from flagconsole.domain.states import FlagState
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import CohortBasis, CriterionResult, GuardResult, VerdictKind


class RolloutStatus(StrEnum):
    """``running`` and ``rolling_back`` are under way; there is one such rollout of a flag at most."""

    RUNNING = "running"
    ROLLING_BACK = "rolling_back"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    KILLED = "killed"

    @property
    def active(self) -> bool:
        """Whether the controller still tends it."""
        return self in {RolloutStatus.RUNNING, RolloutStatus.ROLLING_BACK}


#: The playbook that each urgency asks for.
PLAYBOOK_OF: dict[Urgency, str] = {
    Urgency.CRITICAL: KILL_SWITCH,
    Urgency.HIGH: IMMEDIATE,
    Urgency.MEDIUM: GRADUAL,
}


class StoredVerdict(Frozen):
    """One look of the judge as it is kept: enough to show it, and to see later why something was done.

    ``urgency`` is that of the worst violated criterion. ``data_age_seconds`` is how old the newest data was, None without
    any. ``findings`` holds one object a criterion (a ``CriterionResult``), ``guards`` one a guard (a ``GuardResult``).
    ``cohort_size`` and ``by_chance`` are a ``Verdict``'s. ``seconds`` is how long the phase had run; ``operations`` and ``tenants`` are those of the group under judgement, and
    ``budget_spent`` is the part of ``budget``, the chance of rolling a healthy canary back, that is used up (0 to 1); all
    null where there was no look. ``watched_since`` is set where only what those who kept the feature did since then was
    judged: the ``watch`` of a rollback.
    """

    rollout_id: str
    flag_name: str
    phase: str
    at: AwareDatetime
    kind: VerdictKind
    urgency: Urgency | None = None
    because: str = ""
    data_age_seconds: float | None = None
    findings: tuple[dict[str, Any], ...] = ()
    guards: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    cohort: CohortBasis | None = None
    cohort_size: int | None = None
    by_chance: int | None = None
    seconds: float | None = None
    operations: int | None = None
    tenants: int | None = None
    budget: float | None = None
    budget_spent: float | None = None
    watched_since: AwareDatetime | None = None

    @property
    def criteria(self) -> tuple[CriterionResult, ...]:
        """The findings, typed."""
        return tuple(CriterionResult.model_validate(finding) for finding in self.findings)


class Rollout(Frozen):
    """One run of a plan.

    Two pauses have two names: ``progression_paused`` keeps the controller from promoting (it goes on judging, and rolls
    back); ``exposure_frozen`` keeps everyone from raising the flag's exposure. ``fresh_seconds`` is how long the phase has
    run on fresh data, which alone counts towards its minimum. ``expected_version`` is the flag's version that the rollout
    left behind: where it differs, somebody else changed the flag. A pause ``until_promoted`` is about its phase alone, and ends
    where somebody goes on to the next. ``rolled_back_for`` are the metrics that had failed when
    its rollback began; looks go on during it, so ``verdict`` moves on.
    """

    rollout_id: str
    flag_name: str
    plan: Plan
    phase: str
    status: RolloutStatus = RolloutStatus.RUNNING
    progression_paused: bool = False
    exposure_frozen: bool = False
    pause_reason: str = ""
    until_promoted: bool = False
    seed: Annotated[int, Field(ge=0)]
    started_at: AwareDatetime
    started_by: str
    phase_started_at: AwareDatetime
    fresh_seconds: float = 0.0
    looked_at: AwareDatetime | None = None
    expected_version: int
    verdict: StoredVerdict | None = None
    rolled_back_for: tuple[str, ...] = ()
    ended_at: AwareDatetime | None = None
    end_reason: str = ""

    @property
    def current_phase(self) -> Phase:
        """The phase that runs."""
        return self.plan.phase(self.phase)

    @property
    def next_phase(self) -> Phase | None:
        """The phase that would follow."""
        return self.plan.after(self.phase)

    @property
    def failed_metrics(self) -> tuple[str, ...]:
        """The metrics that failed at the newest look, and those that it is rolled back for."""
        failed = set(self.rolled_back_for)
        if self.verdict is not None and self.verdict.kind is VerdictKind.FAIL:
            guards = (GuardResult.model_validate(guard) for guard in self.verdict.guards)
            failed |= failed_metrics(self.verdict.criteria, guards)
        return tuple(sorted(failed))

    def due(self, now: datetime) -> bool:
        """Whether it is time for the phase's next look."""
        if self.looked_at is None:
            return True
        return (now - self.looked_at).total_seconds() >= self.current_phase.tick_seconds

    def fresh_with(self, now: datetime) -> float:
        """``fresh_seconds`` with the time up to a look at ``now`` that finds fresh data: at most two ticks since the look
        before, since a controller that was away has not watched. While it is rolled back, none counts."""
        if self.status is not RolloutStatus.RUNNING or self.looked_at is None:
            return self.fresh_seconds
        elapsed = (now - self.looked_at).total_seconds()
        return self.fresh_seconds + min(max(elapsed, 0.0), 2.0 * self.current_phase.tick_seconds)

    def looked(self, verdict: StoredVerdict) -> Rollout:
        """The rollout after a look. Time since the look before counts only where the data was fresh."""
        fresh = self.fresh_seconds if verdict.kind is VerdictKind.NO_DATA else self.fresh_with(verdict.at)
        return self.model_copy(update={"verdict": verdict, "looked_at": verdict.at, "fresh_seconds": fresh})

    def entered(self, phase: Phase, version: int, now: datetime) -> Rollout:
        """The rollout at the beginning of ``phase``."""
        goes_on = {"progression_paused": False, "pause_reason": "", "until_promoted": False}
        return self.model_copy(
            update=(goes_on if self.until_promoted else {})
            | {
                "phase": phase.name,
                "phase_started_at": now,
                "fresh_seconds": 0.0,
                "looked_at": None,
                "verdict": None,
                "expected_version": version,
            }
        )

    def ended(self, status: RolloutStatus, reason: str, now: datetime) -> Rollout:
        """The rollout at its end."""
        return self.model_copy(update={"status": status, "end_reason": reason, "ended_at": now})


class RolloutStep(Frozen):
    """Something that happened to a rollout, and can happen once only: ``(rollout_id, step)`` is unique in the store."""

    rollout_id: str
    step: str
    at: AwareDatetime
    by: str
    change_id: int | None = None
    note: str = ""


class Move(StrEnum):
    """What is to be done with a rollout next."""

    WAIT = "wait"
    PROMOTE = "promote"
    COMPLETE = "complete"
    PAUSE = "pause"
    ROLL_BACK = "roll_back"
    ESCALATE = "escalate"


class Decision(NamedTuple):
    """The next move, why, and for a rollback by which playbook."""

    move: Move
    because: str
    playbook: str | None = None


def decide(rollout: Rollout, flag_version: int) -> Decision:
    """What the controller does next, given the newest verdict in ``rollout`` and the flag's present version.

    A rollback waits for nothing. Everything but an explicit ``pass`` on a phase that has run its minimum on fresh data
    waits.
    """
    verdict, phase = rollout.verdict, rollout.current_phase
    if rollout.status is not RolloutStatus.RUNNING or verdict is None or verdict.phase != rollout.phase:
        return Decision(Move.WAIT, "nothing to decide")
    if verdict.kind is VerdictKind.FAIL:
        if rollout.plan.auto_rollback:
            return Decision(Move.ROLL_BACK, verdict.because, PLAYBOOK_OF[verdict.urgency or Urgency.HIGH])
        if rollout.progression_paused:
            return Decision(Move.WAIT, "the phase fails, and the plan leaves the rollback to people")
        return Decision(Move.PAUSE, f"the phase fails ({verdict.because}), and the plan leaves the rollback to people")
    if flag_version != rollout.expected_version:
        if rollout.progression_paused:
            return Decision(Move.WAIT, "somebody changed the flag by hand")
        return Decision(Move.PAUSE, "somebody changed the flag by hand")
    if verdict.kind is not VerdictKind.PASS:
        return Decision(Move.WAIT, verdict.because or verdict.kind.value)
    if rollout.fresh_seconds < phase.min_seconds:
        return Decision(Move.WAIT, f"it has {part_of(rollout.fresh_seconds, phase.min_seconds)} of fresh data")
    if rollout.progression_paused or rollout.exposure_frozen:
        return Decision(Move.WAIT, rollout.pause_reason or "held")
    following = rollout.next_phase
    if following is None or following.kind is PhaseKind.CLEANUP:
        return Decision(Move.COMPLETE, "the last phase passes")
    if not rollout.plan.auto_promote:
        return Decision(Move.WAIT, f"passes: promote it to {following.name}")
    return Decision(Move.PROMOTE, f"{phase.name} passes")


def asked_playbook(rollout: Rollout | None) -> str:
    """The playbook that a rollback should go by now: the one that the failing metric's urgency asks for, else
    ``immediate``."""
    verdict = None if rollout is None or not rollout.status.active else rollout.verdict
    if verdict is None or verdict.kind is not VerdictKind.FAIL:
        return IMMEDIATE
    return PLAYBOOK_OF[verdict.urgency or Urgency.HIGH]


def setting_for(phase: Phase, present: Setting, drawn: CohortSelection | None) -> Setting:
    """The flag's setting during ``phase``: the ``drawn`` cohort where there is one, else by hash.

    Going from a hashed cohort to the next percentage keeps everyone in; so does a drawn cohort, which contains the one
    before.
    """
    state = phase.state_of_flag
    if state is not FlagState.CANARY:
        return present.model_copy(update={"current_state": state})
    if drawn is None:
        return Setting(current_state=state, canary_percentage=phase.percentage)
    return Setting(
        current_state=state,
        canary_percentage=drawn.percentage,
        canary_tenant_ids=drawn.member_ids,
        canary_holdout_ids=drawn.holdout_ids,
    )
