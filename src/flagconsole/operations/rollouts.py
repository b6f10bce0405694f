"""Starting, promoting, holding and ending rollouts: each one transaction with the change of the flag that it means.

People and the controller come through here alike. A step is recorded under its own name in the same transaction; where
it is recorded already, nothing is done again.
"""

from __future__ import annotations

import shlex
from uuid import uuid4

from flagconsole.domain.change import Action, ChangeType, recorded
from flagconsole.domain.duration import part_of
from flagconsole.domain.errors import (
    ExposureFrozen,
    FlagKilled,
    NotPassing,
    RolloutNotFound,
    RolloutUnderWay,
)
from flagconsole.domain.flag import Flag, Setting
from flagconsole.domain.plan import Phase, PhaseKind, Plan
from flagconsole.domain.playbook import KILL_SWITCH, Playbook
from flagconsole.domain.rollout import Rollout, RolloutStatus, setting_for
from flagconsole.domain.states import FlagState
from flagconsole.domain.text import safe_text
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations import playbook_flag
from flagconsole.operations.checklist import Asking, check
from flagconsole.operations.context import Context, existing, guard_raise
from flagconsole.operations.phase_draw import DrawOutdated, PhaseDraw
from flagconsole.operations.rollout_end import end, step_of
from flagconsole.store.protocol import ChangeDraft, Transaction


async def under_way(tx: Transaction, flag_name: str) -> Rollout:
    """The flag's rollout, or ``RolloutNotFound``."""
    rollout = await tx.active_rollout(flag_name)
    if rollout is None:
        raise RolloutNotFound("Start one, or look at: flagconsole canary-status", flag=flag_name)
    return rollout


async def start(
    tx: Transaction,
    context: Context,
    flag_name: str,
    plan: Plan,
    reason: str,
    *,
    seed: int,
    draw: PhaseDraw | None,
    checked: bool = False,
) -> Rollout:
    """Begin a rollout in the plan's first phase. Raises for a killed flag, while another rollout is under way, and where it
    begins with a canary before the checklist is ``checked``."""
    flag = await existing(tx, flag_name)
    if flag.current_state is FlagState.KILL:
        raise FlagKilled("Revive it first.", flag=flag_name)
    if await tx.active_rollout(flag_name) is not None:
        raise RolloutUnderWay("Abort it, or let it end.", flag=flag_name)
    await guard_raise(tx, context, flag)
    rollout = Rollout(
        rollout_id=uuid4().hex,
        flag_name=flag_name,
        plan=plan,
        phase=plan.phases[0].name,
        seed=seed,
        started_at=context.now,
        started_by=context.actor.name,
        phase_started_at=context.now,
        expected_version=flag.version,
    )
    await tx.save_rollout(rollout)
    first, manual = plan.phases[0], ChangeType.MANUAL
    asked = Asking("the same command and", reason, checked)
    return await enter(tx, context, rollout, first, reason, change_type=manual, draw=draw, asked=asked)


async def promote(
    tx: Transaction,
    context: Context,
    flag_name: str,
    reason: str,
    *,
    past_verdict: bool = False,
    checked: bool = False,
    draw: PhaseDraw | None,
) -> Rollout:
    """Go to the next phase by hand. Without ``past_verdict`` only where the phase passes; with it an admin may go past a
    verdict that isn't ``pass``, and the log says so."""
    rollout = await under_way(tx, flag_name)
    flag = await existing(tx, flag_name)
    if rollout.exposure_frozen:
        raise ExposureFrozen("Resume the rollout first.", flag=flag_name, because=rollout.pause_reason)
    following = rollout.next_phase
    verdict = rollout.verdict
    passes = verdict is not None and verdict.kind is VerdictKind.PASS and verdict.phase == rollout.phase
    enough = rollout.fresh_seconds >= rollout.current_phase.min_seconds
    if following is None or following.kind is PhaseKind.CLEANUP or rollout.status is not RolloutStatus.RUNNING:
        raise NotPassing(flag=flag_name, phase=rollout.phase, because="there is no phase to promote it to")
    again = f"flagconsole promote {flag_name} {shlex.quote(safe_text(reason))}"
    if not (passes and enough):
        because = "no verdict yet" if verdict is None else verdict.because or verdict.kind.value
        if passes:
            because = f"it has {part_of(rollout.fresh_seconds, rollout.current_phase.min_seconds)} of fresh data"
        if not past_verdict:
            raise NotPassing("An admin can promote past it.", flag=flag_name, phase=rollout.phase, because=because)
        await guard_raise(tx, context, flag)
        again += " --past-verdict"
        reason = f"{reason} (past the verdict: {because})"
    asked, manual = Asking(again, reason, checked), ChangeType.MANUAL
    return await enter(tx, context, rollout, following, reason, change_type=manual, draw=draw, asked=asked)


async def enter(
    tx: Transaction,
    context: Context,
    rollout: Rollout,
    phase: Phase,
    reason: str,
    *,
    change_type: ChangeType,
    draw: PhaseDraw | None,
    asked: Asking | None = None,
) -> Rollout:
    """Set the flag as the phase wants it and note that the rollout is there. A step that was taken is not taken again.
    ``asked`` is how a person asks for it; None: the controller goes on by itself.

    A canary needs its ``draw``. Raises ``DrawOutdated`` where that is of another phase, or of the flag as it was before.
    """
    flag = await existing(tx, rollout.flag_name)
    if phase.kind is PhaseKind.CANARY:
        by_hand = Asking(f"flagconsole promote {rollout.flag_name} 'the checklist is done'")
        await check(tx, context, rollout, asked or by_hand)
    first = await tx.take_step(step_of(rollout, f"enter {phase.name}", context, reason))
    if not first:
        return await under_way(tx, rollout.flag_name)
    drawn = None
    if phase.kind is PhaseKind.CANARY:
        if draw is None:
            raise DrawOutdated.of(flag)
        drawn = draw.for_phase(phase, flag)
    after = setting_for(phase, flag.setting, drawn)
    version, change_id = await _set(tx, context, flag, after, reason, change_type)
    if draw is not None:
        await draw.keep(tx, context.actor.name, change_id)
    entered = rollout.entered(phase, version, context.now)
    await tx.save_rollout(entered)
    return entered


async def hold(
    tx: Transaction,
    context: Context,
    flag_name: str,
    reason: str,
    *,
    freeze_exposure: bool = False,
    until_promoted: bool = False,
) -> Rollout:
    """Keep the rollout from promoting; with ``freeze_exposure`` also everyone from raising the flag's exposure. It stays so
    until somebody resumes, or, with ``until_promoted``, promotes it by hand."""
    rollout = await under_way(tx, flag_name)
    rolling_back = rollout.status is RolloutStatus.ROLLING_BACK
    held = rollout.model_copy(
        update={
            "progression_paused": True,
            "exposure_frozen": rollout.exposure_frozen or freeze_exposure,
            # What it is rolled back for must stay in sight.
            "pause_reason": f"{rollout.pause_reason}; held: {reason}" if rolling_back else reason,
            "until_promoted": until_promoted,
        }
    )
    if held != rollout:
        await tx.save_rollout(held)
        await tx.take_step(step_of(rollout, f"hold {context.now.isoformat()}", context, reason))
    return held


async def resume(tx: Transaction, context: Context, flag_name: str, reason: str) -> Rollout:
    """End both pauses. What somebody changed by hand meanwhile is taken as it is now."""
    rollout = await under_way(tx, flag_name)
    flag = await existing(tx, flag_name)
    resumed = rollout.model_copy(
        update={
            "progression_paused": False,
            "exposure_frozen": False,
            "pause_reason": "",
            "until_promoted": False,
            "expected_version": flag.version,
        }
    )
    if resumed != rollout:
        await tx.save_rollout(resumed)
        await tx.take_step(step_of(rollout, f"resume {context.now.isoformat()}", context, reason))
    return resumed


async def abort(tx: Transaction, context: Context, flag_name: str, reason: str) -> Rollout:
    """End the rollout and leave the flag as it is. A playbook that rolls it back goes on by itself, but nobody judges any
    more whether it helps: without an improvement it is completed."""
    return await end(tx, context, await under_way(tx, flag_name), RolloutStatus.ABORTED, reason)


async def begin_rollback(tx: Transaction, context: Context, rollout: Rollout, playbook: Playbook, reason: str) -> bool:
    """Do the flag steps that the playbook begins with, which need nothing but the store, and open the incident. False when
    that was done before. Whoever tends playbooks does the rest, and ends the rollout.
    """
    if not await tx.take_step(step_of(rollout, f"roll back {rollout.phase}", context, f"{playbook.name}: {reason}")):
        return False
    await roll_back_by(tx, context, rollout, playbook, reason)
    return True


async def escalate(tx: Transaction, context: Context, rollout: Rollout, playbook: Playbook, reason: str) -> bool:
    """Let a graver playbook take over from the one that rolls this rollout back, whose steps that are left are superseded;
    the incident stays the same. False when that was done before.
    """
    if not await tx.take_step(step_of(rollout, f"escalate to {playbook.name}", context, reason)):
        return False
    await roll_back_by(tx, context, rollout, playbook, reason)
    return True


async def roll_back_by(tx: Transaction, context: Context, rollout: Rollout, playbook: Playbook, reason: str) -> None:
    """Begin the playbook, its flag step first, and note on the rollout what it is rolled back by and for. A playbook
    that rolls it back already is superseded."""
    await playbook_flag.begin(tx, context, rollout.flag_name, playbook, reason[:1000])
    if playbook.name == KILL_SWITCH:
        return  # the kill has ended the rollout
    flag = await existing(tx, rollout.flag_name)
    moved = rollout.model_copy(
        update={
            "status": RolloutStatus.ROLLING_BACK,
            "exposure_frozen": True,
            "progression_paused": True,
            "pause_reason": f"rolling back ({playbook.name}): {reason}",
            "expected_version": flag.version,
            "rolled_back_for": rollout.failed_metrics,
        }
    )
    await tx.save_rollout(moved)


async def _set(
    tx: Transaction, context: Context, flag: Flag, after: Setting, reason: str, change_type: ChangeType
) -> tuple[int, int | None]:
    """Carry out the change of the flag, if it is one. Returns the flag's version after it, and the change's id."""
    if after == flag.setting:
        return flag.version, None
    action = Action.ROLLED_BACK if change_type is ChangeType.ROLLBACK else Action.SET
    moved = flag.model_copy(update=after.model_dump())
    previous, new = recorded(flag, moved)
    change = await tx.apply(
        ChangeDraft(
            flag=moved,
            action=action,
            change_type=change_type,
            reason=reason,
            changed_by=context.actor.name,
            break_glass=context.actor.break_glass,
            approved_by=context.approved_by,
            changed_at=context.now,
            previous=previous,
            new=new,
        )
    )
    return change.version, change.change_id
