"""Scheduled changes: made, cancelled, suspended, carried out, or put to a person, each in one transaction.

Every step of one is recorded under its own name in the same transaction as what it means, so that nothing of it happens
twice, whichever controller does it and wherever one dies.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from enum import Enum, auto
from typing import Final, NamedTuple

from flagconsole.domain.change import ChangeType
from flagconsole.domain.errors import (
    FlagKilled,
    InvalidInput,
    NotAllowed,
    RolloutNotFound,
    ScheduleNotFound,
    ScheduleOver,
)
from flagconsole.domain.exposure import raises
from flagconsole.domain.flag import Flag
from flagconsole.domain.requests import FlagUpdate
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.schedule import (
    TENDED,
    AfterPhase,
    Schedule,
    ScheduleCreate,
    ScheduleStatus,
    ScheduleStep,
    ScheduleView,
)
from flagconsole.domain.states import FlagState
from flagconsole.domain.text import safe_text
from flagconsole.operations import setting
from flagconsole.operations.context import Context, existing, guard_raise
from flagconsole.operations.kill import killing_change
from flagconsole.operations.notifications import Pages, page_of
from flagconsole.store.protocol import Reader, Transaction

#: A change may be scheduled this far ahead.
LONGEST_AHEAD: Final = timedelta(days=366)
#: What couldn't be carried out within this time after it was due is put to a person: a maintenance window may be over.
LATE: Final = timedelta(minutes=10)
_CONTROLLER: Final = "flagconsole"


async def create(tx: Transaction, context: Context, flag_name: str, request: ScheduleCreate) -> Schedule:
    """Put a change down for later. It needs what the change itself would: the right, and where it raises exposure the version
    and, if the environment asks for one, the second person."""
    flag = await existing(tx, flag_name)
    if context.actor.break_glass is not None:
        own = context.actor.own_role or context.actor.role
        raise NotAllowed(
            "A scheduled change would outlive the rights that were taken.",
            required=Role.ADMIN.value,
            role=own.value,
            operation="schedule",
        )
    if flag.current_state is FlagState.KILL:
        raise FlagKilled("Revive it first.", flag=flag_name)
    if request.at is not None and not context.now < request.at <= context.now + LONGEST_AHEAD:
        raise InvalidInput(
            f"It is {context.now:%Y-%m-%d %H:%M:%S} UTC.",
            field="at",
            problem=f"must be in the future, and within {LONGEST_AHEAD.days} days",
            value=request.at.isoformat(),
        )
    schedule = Schedule(
        schedule_id=f"sched-{secrets.token_hex(6)}",
        flag_name=flag_name,
        current_state=request.current_state,
        canary_percentage=request.canary_percentage,
        change_reason=request.change_reason,
        at=request.at,
        after=None if request.after_phase is None else await _phase(tx, flag_name, request),
        decided_version=flag.version,
        created_at=context.now,
        created_by=context.actor.name,
        created_key=context.actor.key_id,
        approved_by=context.approved_by,
    )
    after = setting.requested(flag, _update_of(schedule))
    # What the flag will be once a phase of its own rollout has ended isn't known: only off surely lowers it.
    unknown = schedule.of_own_rollout and schedule.current_state is not FlagState.OFF
    if unknown or raises(flag.setting, after, flag_name):
        await guard_raise(tx, context, flag)
    await tx.save_schedule(schedule)
    await tx.take_schedule_step(_step(schedule, "scheduled", context, schedule.change_reason))
    return schedule


async def cancel(tx: Transaction, context: Context, schedule_id: str, reason: str) -> Schedule:
    """Let it not happen. Cancelling it again changes nothing; one that was carried out raises ``ScheduleOver``."""
    schedule = await tx.schedule(schedule_id)
    if schedule is None:
        raise ScheduleNotFound(schedule_id=schedule_id)
    if schedule.status is ScheduleStatus.DONE:
        raise ScheduleOver("Undo it with: flagconsole rollback", schedule_id=schedule_id)
    if schedule.status is ScheduleStatus.CANCELLED:
        return schedule
    return await _moved(tx, context, schedule, ScheduleStatus.CANCELLED, "cancelled", reason, over=True)


async def tend(tx: Transaction, context: Context, schedule_id: str, pages: Pages) -> None:
    """Do what its time asks for, if anything. Raises what the change itself would, having done nothing."""
    schedule = await tx.schedule(schedule_id)
    if schedule is None or schedule.status not in TENDED:
        return
    flag = await tx.flag(schedule.flag_name)
    if flag is None:
        because = "the flag was archived"
        await _moved(tx, context, schedule, ScheduleStatus.CANCELLED, "cancelled", because, over=True)
        return
    if flag.current_state is FlagState.KILL:
        if schedule.status is ScheduleStatus.WAITING:
            await _suspend(tx, context, schedule, flag)
        return
    due = await _due(tx, context, schedule)
    if schedule.status is ScheduleStatus.SUSPENDED:
        if due.when is _When.LATER:
            because = f"{flag.flag_name} is killed no more"
            await _moved(tx, context, schedule, ScheduleStatus.WAITING, f"resumed at {flag.version}", because)
        else:
            because = due.because or "its time came while the flag was killed"
            await ask_decision(tx, context, schedule, because, pages)
    elif due.when is _When.NEVER:
        await ask_decision(tx, context, schedule, due.because, pages)
    elif due.when is _When.NOW:
        await _carry_out(tx, context, schedule, flag, due, pages)


async def ask_decision(tx: Transaction, context: Context, schedule: Schedule, because: str, pages: Pages) -> None:
    """Leave it to a person, and page."""
    because = safe_text(because, 500)
    asked = await _moved(tx, context, schedule, ScheduleStatus.NEEDS_DECISION, "needs a decision", because)
    for notification in page_of(asked, context.now, pages):
        await tx.notify(notification)


async def view_of(reader: Reader, schedule: Schedule) -> ScheduleView:
    """It as it is now, with what happened to it. Where its flag is killed it is suspended, also before a controller saw it."""
    if schedule.status is ScheduleStatus.WAITING:
        flag = await reader.flag(schedule.flag_name)
        if flag is not None and flag.current_state is FlagState.KILL:
            because = f"{schedule.flag_name} is killed"
            schedule = schedule.model_copy(update={"status": ScheduleStatus.SUSPENDED, "because": because})
    return ScheduleView(schedule=schedule, steps=tuple(await reader.schedule_steps(schedule.schedule_id)))


class _When(Enum):
    LATER = auto()
    NOW = auto()
    NEVER = auto()


class _Due(NamedTuple):
    """When it is to be done, and for which version of the flag it was decided."""

    when: _When
    version: int
    because: str = ""


async def _due(tx: Transaction, context: Context, schedule: Schedule) -> _Due:
    version = schedule.decided_version
    if schedule.at is not None:
        if context.now < schedule.at:
            return _Due(_When.LATER, version)
        if context.now - schedule.at > LATE:
            return _Due(_When.NEVER, version, "its time passed while nobody could carry it out")
        return _Due(_When.NOW, version)
    assert schedule.after is not None, "it has a time or follows a phase"
    rollout = await tx.rollout(schedule.after.rollout_id)
    if rollout is None:
        return _Due(_When.NEVER, version, "the rollout that it follows is unknown")
    if schedule.of_own_rollout:
        version = rollout.expected_version
    phases = [phase.name for phase in rollout.plan.phases]
    ended = phases.index(rollout.phase) > phases.index(schedule.after.phase)
    completed = rollout.status is RolloutStatus.COMPLETED
    if completed or (ended and rollout.status is RolloutStatus.RUNNING):
        return _Due(_When.NOW, version)
    if rollout.status is RolloutStatus.RUNNING:
        return _Due(_When.LATER, version)
    told = rollout.end_reason or rollout.pause_reason
    because = f"the rollout of {rollout.flag_name} is {rollout.status.value.replace('_', ' ')}"
    return _Due(_When.NEVER, version, f"{because}: {told}" if told else because)


async def _carry_out(
    tx: Transaction, context: Context, schedule: Schedule, flag: Flag, due: _Due, pages: Pages
) -> None:
    update = _update_of(schedule)
    if setting.requested(flag, update) == flag.setting:
        because = f"{flag.flag_name} was {flag.setting.describe()} already"
        await _moved(tx, context, schedule, ScheduleStatus.DONE, "carried out", because, over=True)
        return
    problem = await _moved_on(tx, flag, due.version) or await _key_gone(tx, context, schedule)
    if problem:
        await ask_decision(tx, context, schedule, problem, pages)
        return
    own = Context(
        Actor(name=schedule.created_by, role=Role.ADMIN, key_id=schedule.created_key),
        context.now,
        flag.version,
        correlation_id=schedule.schedule_id,
        approved_by=schedule.approved_by,
        change_type=ChangeType.AUTOMATED,
    )
    outcome = await setting.update(tx, own, schedule.flag_name, update)
    done = schedule.model_copy(update={"change_id": None if outcome.change is None else outcome.change.change_id})
    because = f"{flag.setting.describe()} → {outcome.flag.setting.describe()}"
    await _moved(tx, context, done, ScheduleStatus.DONE, "carried out", because, over=True)


async def _moved_on(tx: Transaction, flag: Flag, version: int) -> str:
    """Why the flag isn't the one that was decided on any more; empty where it is."""
    if flag.version == version:
        return ""
    newest = (await tx.changes(flag_name=flag.flag_name, limit=1))[0]
    return (
        f"the flag moved to version {flag.version} (it was decided on {version}): {newest.action.value} by "
        f"{newest.changed_by}, {newest.change_reason!r}"
    )


async def _key_gone(tx: Transaction, context: Context, schedule: Schedule) -> str:
    """Why whoever asked for it may not any more; empty where they may."""
    if schedule.created_key is None:
        return ""
    keys = {key.key_id: key for key in await tx.api_keys()}
    key = keys.get(schedule.created_key)
    # A key that was rotated lives on in the one that took its place.
    while key is not None and key.revoked_at is None and key.replaced_by is not None:
        key = keys.get(key.replaced_by)
    if key is None or not key.is_valid_at(context.now):
        return f"the key of {schedule.created_by}, who asked for it, is not valid any more"
    return ""


async def _suspend(tx: Transaction, context: Context, schedule: Schedule, flag: Flag) -> None:
    killed = await killing_change(tx, flag.flag_name)
    by = "" if killed is None else f" by {killed.changed_by}: {killed.change_reason}"
    because = safe_text(f"{flag.flag_name} is killed{by}", 500)
    await _moved(tx, context, schedule, ScheduleStatus.SUSPENDED, f"suspended at {flag.version}", because)


async def _moved(
    tx: Transaction,
    context: Context,
    schedule: Schedule,
    status: ScheduleStatus,
    step: str,
    because: str,
    *,
    over: bool = False,
) -> Schedule:
    moved = schedule.model_copy(
        update={"status": status, "because": because, "ended_at": context.now if over else None}
    )
    await tx.save_schedule(moved)
    await tx.take_schedule_step(_step(moved, step, context, because))
    return moved


def _step(schedule: Schedule, name: str, context: Context, note: str) -> ScheduleStep:
    by = context.actor.name or _CONTROLLER
    return ScheduleStep(schedule_id=schedule.schedule_id, step=name, at=context.now, by=by, note=note[:1000])


def _update_of(schedule: Schedule) -> FlagUpdate:
    reason = f"{schedule.change_reason[: 1000 - len(schedule.schedule_id) - 13]} (scheduled, {schedule.schedule_id})"
    given = {"canary_percentage": schedule.canary_percentage} if schedule.canary_percentage is not None else {}
    return FlagUpdate.model_validate({"change_reason": reason, "current_state": schedule.current_state.value, **given})


async def _phase(tx: Transaction, flag_name: str, request: ScheduleCreate) -> AfterPhase:
    """The phase that is meant, of the rollout that is under way. Raises ``RolloutNotFound`` and ``InvalidInput``."""
    of = request.after_flag or flag_name
    await existing(tx, of)
    rollout = await tx.active_rollout(of)
    if rollout is None:
        raise RolloutNotFound("A change can follow a phase of a rollout that is under way.", flag=of)
    names = [phase.name for phase in rollout.plan.phases]
    if request.after_phase not in names:
        raise InvalidInput(
            f"The phases of {rollout.plan.name} are: {', '.join(names)}.",
            field="after_phase",
            problem="is no phase of the rollout's plan",
            value=request.after_phase,
        )
    if names.index(request.after_phase) < names.index(rollout.phase):
        raise InvalidInput(
            f"It is in {rollout.phase}.", field="after_phase", problem="has ended already", value=request.after_phase
        )
    return AfterPhase(flag_name=of, rollout_id=rollout.rollout_id, phase=request.after_phase)
