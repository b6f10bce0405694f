"""Scheduled changes are carried out once, at their time, and never by guessing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flagconsole.domain.errors import (
    ApprovalRequired,
    FlagKilled,
    InvalidInput,
    LeaseLost,
    NotAllowed,
    RolloutNotFound,
    ScheduleOver,
    VersionConflict,
    VersionRequired,
)
from flagconsole.domain.playbook_run import DeliveryStatus
from flagconsole.domain.requests import FlagCreate, FlagUpdate, KeyCreate, Kill, OverrideSet, Revive
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.schedule import ScheduleCancel, ScheduleCreate, ScheduleStatus
from flagconsole.domain.states import FlagState
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.operations.service import Operations
from flagconsole.rollout.controller import Controller
from flagconsole.rollout.lease import Leadership
from flagconsole.rollout.response import Destination, Response, Subscription
from flagconsole.rollout.scheduling import Scheduling

from ..conftest import ADMIN, OPERATOR
from .crashing_store import CrashingStore, Killed
from .plans import Script, a_plan

PAGES = Response(
    environment="production",
    destinations={"pager": Destination(url="https://pager.example/hook"), "chat": Destination(url="https://c.example")},
    audiences={"on_call": ("pager",)},
    subscriptions={"team": Subscription(destination="chat", flags=("pos.*",))},
)


def on_at(clock, minutes=60, state=FlagState.ON, **fields) -> ScheduleCreate:
    at = clock() + timedelta(minutes=minutes)
    return ScheduleCreate(change_reason="opening day", current_state=state, at=at, **fields)


def controller_of(store, clock, holder="c1", judge=None, pages=PAGES) -> Controller:
    leadership = Leadership(store, holder=holder, monotonic=lambda: clock().timestamp())
    return Controller(store, judge or Script(), leadership, scheduling=Scheduling(store, leadership, pages))


@pytest.fixture
def controller(store, clock) -> Controller:
    return controller_of(store, clock)


async def state_of(operations, flag):
    return (await operations.flag(ADMIN, flag)).flag.setting.describe()


async def only(operations):
    [view] = (await operations.schedules(ADMIN)).schedules
    return view.schedule


async def story(operations):
    [view] = (await operations.schedules(ADMIN)).schedules
    return [step.step for step in view.steps]


async def messages(operations):
    return (await operations.notifications(ADMIN)).notifications


async def test_it_is_carried_out_at_its_time_once(store, operations, controller, clock, flag):
    made = await operations.schedule(ADMIN, flag, on_at(clock), version=1)
    clock.forward(minutes=59)
    await controller.tick()
    assert await state_of(operations, flag) == "off"
    clock.forward(minutes=1)
    await controller.tick()
    await controller.tick()
    assert await state_of(operations, flag) == "on"
    newest, *_ = (await operations.history(ADMIN, flag)).changes
    assert (newest.change_type, newest.changed_by, newest.version) == ("automated", "ada", 2)
    assert newest.correlation_id == made.schedule.schedule_id
    assert newest.change_reason == f"opening day (scheduled, {made.schedule.schedule_id})"
    done = await only(operations)
    assert (done.status, done.change_id, done.because) == (ScheduleStatus.DONE, newest.change_id, "off → on")
    assert await story(operations) == ["scheduled", "carried out"]
    assert (await operations.verify_audit(ADMIN)).verified


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [0, 1])
async def test_a_leader_that_dies_anywhere_leaves_it_done_once(store, operations, clock, flag, at, after):
    await operations.schedule(ADMIN, flag, on_at(clock), version=1)
    clock.forward(hours=1)
    with pytest.raises(Killed):
        await controller_of(CrashingStore(store, at, after=after), clock).tick()
    successor = controller_of(store, clock, holder="c2")
    await successor.tick()
    clock.forward(seconds=16)  # a whole time to live of the dead one's lease
    assert await successor.tick()
    assert await state_of(operations, flag) == "on"
    assert [change.version for change in (await operations.history(ADMIN, flag)).changes] == [2, 1]
    assert await story(operations) == ["scheduled", "carried out"]


async def test_a_leader_that_was_replaced_does_nothing(store, operations, clock, flag):
    await operations.schedule(ADMIN, flag, on_at(clock), version=1)
    clock.forward(hours=1)

    class Gone:
        async def check(self, tx):
            raise LeaseLost(epoch=2, ours=1)

    with pytest.raises(LeaseLost):
        await Scheduling(store, Gone(), PAGES).tick()
    assert await state_of(operations, flag) == "off"


async def test_a_flag_that_moved_meanwhile_pages_and_is_left_alone(operations, controller, clock, flag):
    await operations.schedule(ADMIN, flag, on_at(clock), version=1)
    await operations.update(
        OPERATOR.model_copy(update={"role": Role.ADMIN}),
        flag,
        FlagUpdate(change_reason="renamed \u202e", description="other"),
    )
    clock.forward(hours=1)
    await controller.tick()
    await controller.tick()
    assert await state_of(operations, flag) == "off"
    asked = await only(operations)
    assert asked.status is ScheduleStatus.NEEDS_DECISION
    assert "moved to version 2 (it was decided on 1): set by olu" in asked.because
    assert "\u202e" not in asked.because
    assert [(told.subscription, told.status) for told in await messages(operations)] == [
        ("team", DeliveryStatus.WAITING),
        ("on_call.pager", DeliveryStatus.WAITING),
    ]
    assert "flagconsole schedule cancel" in (await messages(operations))[0].payload["text"]
    await operations.cancel_schedule(OPERATOR, asked.schedule_id, ScheduleCancel(cancel_reason="not now"))
    assert (await only(operations)).status is ScheduleStatus.CANCELLED


async def test_where_nobody_can_be_paged_that_is_recorded(store, operations, clock, flag):
    await operations.schedule(ADMIN, flag, on_at(clock), version=1)
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="x", description="other"))
    clock.forward(hours=1)
    await controller_of(store, clock, pages=Response()).tick()
    [told] = await messages(operations)
    assert (told.status, told.destination) == (DeliveryStatus.UNROUTED, None)


async def test_a_kill_suspends_it_and_a_revive_in_time_lets_it_wait_on(operations, controller, clock, flag):
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="go", current_state=FlagState.ON))
    await operations.schedule(ADMIN, flag, on_at(clock, state=FlagState.OFF), version=2)
    killed = await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))
    # It says so before any controller has seen it.
    assert (await only(operations)).status is ScheduleStatus.SUSPENDED
    await controller.tick()
    assert "killed by ada: bad" in (await only(operations)).because
    await operations.revive(ADMIN, flag, Revive(revive_reason="mended"), version=killed.flag.version)
    await controller.tick()
    assert (await only(operations)).status is ScheduleStatus.WAITING
    assert await story(operations) == ["scheduled", "suspended at 3", "resumed at 4"]


async def test_what_came_due_while_the_flag_was_killed_waits_for_a_decision(operations, controller, clock, flag):
    await operations.schedule(ADMIN, flag, on_at(clock), version=1)
    killed = await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))
    clock.forward(hours=1)
    await controller.tick()
    assert (await only(operations)).status is ScheduleStatus.SUSPENDED
    assert await messages(operations) == ()
    await operations.revive(ADMIN, flag, Revive(revive_reason="mended"), version=killed.flag.version)
    await controller.tick()
    asked = await only(operations)
    assert asked.status is ScheduleStatus.NEEDS_DECISION
    assert asked.because == "its time came while the flag was killed"
    assert len(await messages(operations)) == 2
    assert await state_of(operations, flag) == "off"


async def test_what_nobody_could_carry_out_in_time_is_not_carried_out_late(operations, controller, clock, flag):
    await operations.schedule(ADMIN, flag, on_at(clock), version=1)
    clock.forward(hours=2)
    await controller.tick()
    assert (await only(operations)).status is ScheduleStatus.NEEDS_DECISION
    assert await state_of(operations, flag) == "off"


async def test_a_key_that_was_revoked_meanwhile_decides_nothing_any_more(operations, controller, clock, flag):
    made = await operations.create_key(ADMIN, KeyCreate(name="ada", role=Role.ADMIN))
    await operations.create_key(ADMIN, KeyCreate(name="other", role=Role.ADMIN))
    keyed = Actor(name="ada", role=Role.ADMIN, key_id=made.api_key.key_id)
    await operations.schedule(keyed, flag, on_at(clock), version=1)
    await operations.revoke_key(ADMIN, made.api_key.key_id)
    clock.forward(hours=1)
    await controller.tick()
    assert (await only(operations)).because == "the key of ada, who asked for it, is not valid any more"
    assert await state_of(operations, flag) == "off"


async def test_it_needs_what_the_change_itself_would(store, clock, flag):
    strict = Operations(store, requires_approvals=True, requires_versions=True)
    with pytest.raises(NotAllowed):
        await strict.schedule(OPERATOR, flag, on_at(clock), version=1)
    with pytest.raises(VersionRequired):
        await strict.schedule(ADMIN, flag, on_at(clock))
    with pytest.raises(VersionConflict):
        await strict.schedule(ADMIN, flag, on_at(clock), version=7)
    with pytest.raises(ApprovalRequired) as asked:
        await strict.schedule(ADMIN, flag, on_at(clock), version=1)
    await strict.approve(Actor(name="bob", role=Role.ADMIN, key_id="b"), asked.value.details["approval_id"])
    made = await strict.schedule(ADMIN, flag, on_at(clock), version=1)
    assert made.schedule.approved_by == "bob"
    clock.forward(hours=1)
    await controller_of(store, clock).tick()
    assert (await strict.history(ADMIN, flag)).changes[0].approved_by == "bob"
    # Lowering waits for nobody.
    await strict.schedule(ADMIN, flag, on_at(clock, state=FlagState.OFF))
    glass = Actor(name="olu", role=Role.ADMIN, key_id="k", break_glass="glass-1", own_role=Role.OPERATOR)
    with pytest.raises(NotAllowed, match="outlive"):
        await strict.schedule(glass, flag, on_at(clock, state=FlagState.OFF))


async def test_what_makes_no_sense_is_refused(operations, clock, flag):
    for minutes in (-1, 0, 60 * 24 * 367):
        with pytest.raises(InvalidInput, match="in the future"):
            await operations.schedule(ADMIN, flag, on_at(clock, minutes))
    with pytest.raises(ValueError, match="a kill is not scheduled"):
        on_at(clock, state=FlagState.KILL)
    with pytest.raises(ValueError, match="give one of them"):
        on_at(clock, after_phase="shadow")
    with pytest.raises(ValueError, match="a scheduled canary needs one"):
        on_at(clock, state=FlagState.CANARY)
    with pytest.raises(RolloutNotFound):
        await operations.schedule(
            ADMIN, flag, ScheduleCreate(change_reason="x", current_state=FlagState.ON, after_phase="shadow")
        )
    await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))
    with pytest.raises(FlagKilled):
        await operations.schedule(ADMIN, flag, on_at(clock))
    made = await operations.schedules(ADMIN)
    assert made.schedules == ()


async def test_a_lost_answer_is_asked_for_again_and_a_dry_run_keeps_nothing(operations, clock, flag):
    body = on_at(clock)
    assert (await operations.schedule(ADMIN, flag, body, dry_run=True)).dry_run
    first = await operations.schedule(ADMIN, flag, body, idempotency_key="k")
    again = await operations.schedule(ADMIN, flag, body, idempotency_key="k")
    assert again.replayed
    assert again.schedule == first.schedule
    assert len((await operations.schedules(ADMIN, flag)).schedules) == 1


async def test_what_was_done_can_not_be_cancelled(operations, controller, clock, flag):
    made = await operations.schedule(ADMIN, flag, on_at(clock))
    clock.forward(hours=1)
    await controller.tick()
    with pytest.raises(ScheduleOver):
        await operations.cancel_schedule(ADMIN, made.schedule.schedule_id, ScheduleCancel())


async def follow(operations, flag, other, phase="shadow"):
    body = ScheduleCreate(
        change_reason="then", current_state=FlagState.ON, after_phase=phase, after_flag=None if other == flag else other
    )
    return await operations.schedule(ADMIN, flag, body, version=(await operations.flag(ADMIN, flag)).flag.version)


@pytest.fixture
async def rollouts(store, flag) -> RolloutOperations:
    service = RolloutOperations(store)
    await service.tick(OPERATOR, flag, CHECKLIST)
    await service.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    return service


async def test_it_follows_the_end_of_a_phase_of_another_flags_rollout(store, operations, rollouts, clock, flag):
    await operations.create(ADMIN, FlagCreate(flag_name="pos.receipts"))
    await follow(operations, "pos.receipts", flag)
    controller = controller_of(store, clock)
    await controller.tick()
    assert await state_of(operations, "pos.receipts") == "off"
    for _ in range(6):
        clock.forward(seconds=30)
        await controller.tick()
    assert await state_of(operations, "pos.receipts") == "on"


async def test_it_follows_a_phase_of_its_own_rollout_whose_moves_are_no_conflict(
    store, operations, rollouts, clock, flag
):
    await follow(operations, flag, flag)
    controller = controller_of(store, clock)
    for _ in range(4):
        clock.forward(seconds=30)
        await controller.tick()
    assert (await only(operations)).status is ScheduleStatus.DONE
    assert await state_of(operations, flag) == "on"
    # To the rollout that is a change by hand.
    assert (await rollouts.active(ADMIN))[0].pause_reason == "somebody changed the flag by hand"


async def test_a_phase_that_never_ends_asks_for_a_decision(store, operations, rollouts, clock, flag):
    await operations.create(ADMIN, FlagCreate(flag_name="pos.receipts"))
    await follow(operations, "pos.receipts", flag, "canary 10")
    await rollouts.abort(ADMIN, flag, "enough")
    await controller_of(store, clock).tick()
    asked = await only(operations)
    assert (asked.status, asked.because) == (
        ScheduleStatus.NEEDS_DECISION,
        "the rollout of pos.lite is aborted: enough",
    )


async def test_somebody_elses_override_of_its_flag_is_a_conflict_too(store, operations, rollouts, clock, flag):
    await follow(operations, flag, flag)
    await operations.set_override(
        ADMIN, flag, OverrideSet(override_state=FlagState.OFF, override_reason="x", tenant_id="t1")
    )
    controller = controller_of(store, clock)
    for _ in range(6):
        clock.forward(seconds=30)
        await controller.tick()
    assert (await only(operations)).status is ScheduleStatus.WAITING  # the rollout was held, so its phase goes on
    assert await state_of(operations, flag) == "shadow"
