"""The controller promotes on an explicit pass alone, rolls back at once, and does everything once, wherever it dies."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from flagconsole.domain.errors import ChecklistIncomplete, ExposureFrozen, NotPassing, RolloutNotFound, RolloutUnderWay
from flagconsole.domain.requests import FlagUpdate, Kill, Revive, Rollback
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.states import FlagState
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.rollout.controller import Controller
from flagconsole.rollout.lease import Leadership

from ..conftest import ADMIN, OPERATOR
from .plans import Script, a_plan


@pytest.fixture
def judge() -> Script:
    return Script()


@pytest.fixture
async def rollouts(store, flag) -> RolloutOperations:
    service = RolloutOperations(store)
    await service.tick(OPERATOR, flag, CHECKLIST)
    return service


class Monotonic:
    """A monotonic clock that follows the standing one."""

    def __init__(self, clock) -> None:
        self._clock = clock

    def __call__(self) -> float:
        return self._clock().timestamp()


def controller_of(store, judge, clock, holder="c1", **options) -> Controller:
    return Controller(store, judge, Leadership(store, holder=holder, monotonic=Monotonic(clock)), **options)


async def pass_time(controller, clock, ticks, seconds=30):
    for _ in range(ticks):
        clock.forward(seconds=seconds)
        assert await controller.tick()


async def present(service, flag):
    [newest, *_] = await service.rollouts(ADMIN, flag)
    return newest


async def state_of(operations, flag):
    return (await operations.flag(ADMIN, flag)).flag.setting.describe()


async def steps_of(service, flag):
    newest = await present(service, flag)
    return [step.step for step in await service.steps(ADMIN, newest.rollout_id)]


async def test_a_passing_flag_goes_from_shadow_to_everyone_by_itself(store, operations, rollouts, judge, clock, flag):
    await rollouts.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    assert await state_of(operations, flag) == "shadow"
    await pass_time(controller_of(store, judge, clock), clock, 20)
    assert await state_of(operations, flag) == "on"
    assert (await present(rollouts, flag)).status is RolloutStatus.COMPLETED
    assert await steps_of(rollouts, flag) == ["enter shadow", "enter canary 10", "enter canary 50", "enter full", "end"]
    history = (await operations.history(ADMIN, flag)).changes
    assert [change.change_type for change in history[:3]] == ["automated"] * 3
    assert (await operations.verify_audit(ADMIN)).verified


async def test_without_auto_promote_it_waits_for_a_person(store, operations, rollouts, judge, clock, flag):
    await rollouts.start(ADMIN, flag, a_plan(), "go")
    with pytest.raises(NotPassing, match="no verdict yet"):
        await rollouts.promote(OPERATOR, flag, "looks good")
    controller = controller_of(store, judge, clock)
    await pass_time(controller, clock, 2)
    with pytest.raises(NotPassing, match=r"0\.[0-9] of 1 min of fresh data"):
        await rollouts.promote(OPERATOR, flag, "looks good")
    await pass_time(controller, clock, 10)
    assert await state_of(operations, flag) == "shadow"
    await rollouts.promote(OPERATOR, flag, "looks good")
    assert await state_of(operations, flag) == "canary 10 %"


@pytest.mark.parametrize("answer", [VerdictKind.NO_DATA, VerdictKind.INCONCLUSIVE, ValueError("nan"), OSError("away")])
async def test_nothing_but_a_pass_promotes(store, operations, rollouts, judge, clock, flag, answer):
    judge.answer = answer
    await rollouts.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    await pass_time(controller_of(store, judge, clock), clock, 40)
    assert await state_of(operations, flag) == "shadow"
    assert judge.looks == 40
    rollout = await present(rollouts, flag)
    assert rollout.status is RolloutStatus.RUNNING
    if isinstance(answer, Exception):
        assert str(answer) in rollout.verdict.because
        assert rollout.fresh_seconds == 0


async def test_a_look_that_hangs_is_no_look(store, operations, rollouts, judge, clock, flag):
    async def never():
        await asyncio.Event().wait()

    judge.answer = never
    await rollouts.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    await pass_time(controller_of(store, judge, clock, look_seconds=0.01), clock, 5)
    assert (await present(rollouts, flag)).verdict.kind is VerdictKind.NO_DATA
    assert await state_of(operations, flag) == "shadow"


async def test_only_fresh_time_counts(store, operations, rollouts, judge, clock, flag):
    await rollouts.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    controller = controller_of(store, judge, clock)
    await pass_time(controller, clock, 1)
    judge.answer = VerdictKind.NO_DATA
    await pass_time(controller, clock, 20)
    judge.answer = VerdictKind.PASS
    clock.forward(hours=5)  # a controller that was away has not watched
    await pass_time(controller, clock, 1, seconds=0)
    rollout = await present(rollouts, flag)
    assert (rollout.phase, rollout.fresh_seconds) == ("canary 10", 0.0) or rollout.fresh_seconds == 60.0


@pytest.mark.parametrize(
    ("urgency", "state", "status"),
    [
        (Urgency.CRITICAL, "kill", RolloutStatus.KILLED),
        (Urgency.HIGH, "off", RolloutStatus.ROLLING_BACK),
        (Urgency.MEDIUM, "canary 5 %", RolloutStatus.ROLLING_BACK),
    ],
)
async def test_a_failing_canary_is_stopped_at_the_next_look(
    store, operations, rollouts, judge, clock, flag, urgency, state, status
):
    await rollouts.start(ADMIN, flag, a_plan(), "go")
    controller = controller_of(store, judge, clock)
    await pass_time(controller, clock, 4)
    await rollouts.promote(OPERATOR, flag, "ok")
    judge.answer, judge.urgency = VerdictKind.FAIL, urgency
    await pass_time(controller, clock, 1)
    assert await state_of(operations, flag) == state
    assert (await present(rollouts, flag)).status is status
    newest = (await operations.history(ADMIN, flag)).changes[0]
    assert "error_rate 0.04 > 0.02" in newest.change_reason
    await pass_time(controller, clock, 5)
    assert await state_of(operations, flag) == state


async def test_with_auto_rollback_off_a_failure_holds_and_is_left_to_people(
    store, operations, rollouts, judge, clock, flag
):
    await rollouts.start(ADMIN, flag, a_plan(auto_promote=True, auto_rollback=False), "go")
    judge.answer = VerdictKind.FAIL
    controller = controller_of(store, judge, clock)
    await pass_time(controller, clock, 3)
    rollout = await present(rollouts, flag)
    assert rollout.progression_paused
    assert "leaves the rollback to people" in rollout.pause_reason
    assert await state_of(operations, flag) == "shadow"


async def test_a_kill_ends_the_rollout_and_revive_does_not_restart_it(store, operations, rollouts, judge, clock, flag):
    await rollouts.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    killed = await operations.kill(OPERATOR, flag, Kill(kill_reason="bad"))
    controller = controller_of(store, judge, clock)
    await pass_time(controller, clock, 3)
    assert (await present(rollouts, flag)).status is RolloutStatus.KILLED
    await operations.revive(ADMIN, flag, Revive(revive_reason="fixed"), version=killed.flag.version)
    await pass_time(controller, clock, 10)
    assert await state_of(operations, flag) == "off"
    with pytest.raises(RolloutNotFound):
        await rollouts.promote(ADMIN, flag, "again")


async def test_a_rollback_into_a_kill_ends_the_rollout_too(operations, rollouts, flag):
    killed = await operations.kill(OPERATOR, flag, Kill(kill_reason="bad"))
    await operations.revive(ADMIN, flag, Revive(revive_reason="fixed"), version=killed.flag.version)
    await rollouts.start(ADMIN, flag, a_plan(), "go")
    back = Rollback(rollback_reason="not fixed", target_change_id=killed.revision)
    result = await operations.rollback(OPERATOR, flag, back)
    assert result.flag.current_state is FlagState.KILL
    assert (await present(rollouts, flag)).status is RolloutStatus.KILLED


async def test_held_it_is_judged_and_rolled_back_but_not_promoted(store, operations, rollouts, judge, clock, flag):
    await rollouts.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    await rollouts.hold(OPERATOR, flag, "wait for the data team")
    controller = controller_of(store, judge, clock)
    await pass_time(controller, clock, 10)
    assert await state_of(operations, flag) == "shadow"
    await rollouts.resume(OPERATOR, flag, "go on")
    await pass_time(controller, clock, 1)
    assert await state_of(operations, flag) == "canary 10 %"
    await rollouts.hold(OPERATOR, flag, "again")
    judge.answer = VerdictKind.FAIL
    await pass_time(controller, clock, 1)
    assert await state_of(operations, flag) == "off"


async def test_a_frozen_exposure_is_raised_by_nobody_and_lowered_by_anybody(operations, rollouts, flag):
    await rollouts.start(ADMIN, flag, a_plan(), "go")
    await rollouts.hold(OPERATOR, flag, "incident elsewhere", freeze_exposure=True)
    with pytest.raises(ExposureFrozen, match="incident elsewhere"):
        await operations.update(ADMIN, flag, FlagUpdate(change_reason="x", current_state=FlagState.ON))
    with pytest.raises(ExposureFrozen):
        await rollouts.promote(ADMIN, flag, "x", past_verdict=True)
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="x", current_state=FlagState.OFF))


async def test_a_change_by_hand_stops_the_progression_until_somebody_resumes(
    store, operations, rollouts, judge, clock, flag
):
    await rollouts.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="x", current_state=FlagState.OFF))
    controller = controller_of(store, judge, clock)
    await pass_time(controller, clock, 10)
    rollout = await present(rollouts, flag)
    assert rollout.pause_reason == "somebody changed the flag by hand"
    assert await state_of(operations, flag) == "off"


async def test_the_first_canary_waits_for_the_checklist(store, operations, judge, clock, flag):
    service = RolloutOperations(store)
    await service.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    controller = controller_of(store, judge, clock)
    await pass_time(controller, clock, 6)
    rollout = await present(service, flag)
    assert rollout.progression_paused
    assert "shadow mode ready" in rollout.pause_reason
    needed, known = rollout.pause_reason.split("The store itself knows: ")
    assert "defined in the store" not in needed
    assert known.startswith("defined in the store")
    assert f"flagconsole promote {flag} 'the checklist is done' --checked" in known
    missing = [item.item for item in (await service.checklist(OPERATOR, flag)).items if item.missing]
    assert missing, "what is shown as missing is what the promotion waits for"
    assert f"still needs: {', '.join(missing)}." in needed
    assert (await service.tick(OPERATOR, flag, tuple(missing), "walked through with the team")).complete
    await service.resume(OPERATOR, flag, "checklist done")
    await pass_time(controller, clock, 1)
    assert await state_of(operations, flag) == "canary 10 %"


async def test_a_hold_by_the_controller_ends_with_its_phase_and_one_by_a_person_does_not(
    store, operations, judge, clock, flag
):
    service = RolloutOperations(store)
    await service.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    controller = controller_of(store, judge, clock)
    await pass_time(controller, clock, 6)
    assert (await present(service, flag)).progression_paused, "the checklist is missing"
    promoted = await service.promote(OPERATOR, flag, "all seen to", checked=True)
    assert (promoted.phase, promoted.progression_paused, promoted.pause_reason) == ("canary 10", False, "")
    await service.hold(OPERATOR, flag, "until monday")
    held = await service.promote(ADMIN, flag, "one step more", past_verdict=True)
    assert (held.phase, held.pause_reason) == ("canary 50", "until monday")
    await pass_time(controller, clock, 20)
    assert (await present(service, flag)).phase == "canary 50"


async def test_a_plan_may_begin_with_a_canary_and_who_checked_what_is_in_the_log(store, operations, clock, flag):
    service = RolloutOperations(store)
    whole = a_plan()
    plan = whole.model_copy(update={"phases": whole.phases[1:]})
    with pytest.raises(ChecklistIncomplete, match="the same command and --checked"):
        await service.start(ADMIN, flag, plan, "go")
    assert (await service.start(ADMIN, flag, plan, "go", checked=True, dry_run=True)).phase == "canary 10"
    assert not any(item.ticked_by for item in (await service.checklist(ADMIN, flag)).items), "it was to change nothing"
    assert (await service.start(ADMIN, flag, plan, "all seen to", checked=True)).phase == "canary 10"
    [act] = (await operations.audit_log(ADMIN)).acts
    assert (act.kind, act.subject, act.done_by, act.reason) == ("checklist_ticked", flag, ADMIN.name, "all seen to")
    assert "rollback tried" in act.details["items"]


async def test_a_flag_has_one_rollout_at_a_time(rollouts, flag):
    await rollouts.start(ADMIN, flag, a_plan(), "go")
    with pytest.raises(RolloutUnderWay):
        await rollouts.start(ADMIN, flag, a_plan(), "again")
    await rollouts.abort(OPERATOR, flag, "another plan")
    await rollouts.start(ADMIN, flag, a_plan(), "again")


async def test_the_same_key_starts_one_rollout(rollouts, flag):
    first = await rollouts.start(ADMIN, flag, a_plan(), "go", idempotency_key="k")
    assert await rollouts.start(ADMIN, flag, a_plan(), "go", idempotency_key="k") == first


class Crash(BaseException):
    pass


class CrashingStore:
    """The store, until its ``at``-th write: there it dies before or after the commit."""

    def __init__(self, store, at: int, *, after_commit: bool) -> None:
        self._store, self._left, self._after = store, at, after_commit

    def __getattr__(self, name):
        return getattr(self._store, name)

    @asynccontextmanager
    async def write(self, **options):
        self._left -= 1
        async with self._store.write(**options) as tx:
            yield tx
            if self._left == 0 and not self._after:
                raise Crash
        if self._left == 0:
            raise Crash


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("at", range(1, 31))
async def test_killed_at_any_write_each_transition_happens_once(
    store, operations, rollouts, judge, clock, flag, at, after_commit
):
    await rollouts.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    dying = controller_of(CrashingStore(store, at, after_commit=after_commit), judge, clock)
    with pytest.raises(Crash):
        await pass_time(dying, clock, 40)
    heir = controller_of(store, judge, clock, holder="c2")
    for _ in range(60):
        clock.forward(seconds=30)
        await heir.tick()
    assert await state_of(operations, flag) == "on"
    assert await steps_of(rollouts, flag) == ["enter shadow", "enter canary 10", "enter canary 50", "enter full", "end"]
    changes = (await operations.history(ADMIN, flag)).changes
    assert [change.new_state for change in reversed(changes)] == ["off", "shadow", "canary", "canary", "on"]


async def test_two_controllers_on_one_store_act_once_and_a_stopped_leader_is_replaced(
    store, operations, rollouts, judge, clock, flag
):
    await rollouts.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    first, second = (controller_of(store, judge, clock, holder=name) for name in ("c1", "c2"))
    assert await first.tick()
    assert not await second.tick()
    clock.forward(seconds=14)
    assert not await second.tick()  # it has watched the lease for no whole time to live yet
    clock.forward(seconds=2)
    assert await second.tick()
    stopped = first._leadership.epoch
    assert not await first.tick()
    assert second._leadership.epoch > stopped


async def test_a_leader_that_was_replaced_while_it_looked_writes_nothing(
    store, operations, rollouts, judge, clock, flag
):
    await rollouts.start(ADMIN, flag, a_plan(auto_promote=True), "go")
    first, second = (controller_of(store, judge, clock, holder=name) for name in ("c1", "c2"))
    await pass_time(first, clock, 3)
    assert not await second.tick()

    taken_over = []

    async def stopped_meanwhile():
        judge.answer = VerdictKind.PASS
        for _ in range(2):
            clock.forward(seconds=16)
            taken_over.append(await second.tick())  # the second time it takes over, and looks itself
        return VerdictKind.FAIL  # what the old leader saw must have no effect

    judge.answer = stopped_meanwhile
    clock.forward(seconds=30)
    assert not await first.tick()
    assert taken_over == [False, True]
    assert await state_of(operations, flag) in {"shadow", "canary 10 %"}
    kinds = [numbered.verdict.kind for numbered in (await rollouts.verdicts(ADMIN, flag)).verdicts]
    assert VerdictKind.FAIL not in kinds
