"""While a rollback is under way the judge goes on, and a graver failure calls for a graver playbook, once, wherever it dies."""

from __future__ import annotations

import itertools

import httpx
import pytest

from flagconsole.domain.playbook_run import RunStatus, StepStatus
from flagconsole.domain.requests import Kill
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.playbook_service import PlaybookOperations
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.rollout.controller import Controller
from flagconsole.rollout.lease import Leadership
from flagconsole.rollout.playbook_file import shipped_playbook
from flagconsole.rollout.playbook_runner import PlaybookRunner
from flagconsole.rollout.response import Response

from ..conftest import ADMIN, OPERATOR
from .crashing_store import CrashingStore, Killed
from .plans import Script, a_plan

BOOKS = {name: shipped_playbook(name) for name in ("gradual", "immediate", "kill_switch")}


class Watched:
    """What a playbook's own watch is told: never that it improved."""

    async def verdict(self, flag_name, since, now) -> VerdictKind:
        return VerdictKind.INCONCLUSIVE


class Stage:
    """A rollout, its controller and its playbooks on one store, moved on together; the judge says what it is told to."""

    def __init__(self, store, operations, clock, flag, connection) -> None:
        self.store, self.operations, self.clock, self.flag = store, operations, clock, flag
        self.judge, self._connection = Script(), connection
        self.judge.answer = VerdictKind.INCONCLUSIVE
        self.rollouts = RolloutOperations(store)
        self.playbooks = PlaybookOperations()
        self.playbooks.store = store
        self._holders = itertools.count()
        self.begin_with(store)

    def begin_with(self, store) -> None:
        """A process of its own on this store: a controller and a runner that share its lease."""
        holder = f"c{next(self._holders)}"
        lease = Leadership(store, holder=holder, monotonic=lambda: self.clock().timestamp())
        self.controller = Controller(store, self.judge, lease)
        self.runner = PlaybookRunner(
            store,
            BOOKS,
            response=Response(),
            verdicts=Watched(),
            metrics=None,
            fence=lease,
            connection=self._connection,
        )

    async def move(self, minutes) -> None:
        for _ in range(int(minutes * 2)):
            self.clock.forward(seconds=30)
            if await self.controller.tick():
                await self.runner.tick()

    def fails(self, urgency) -> None:
        self.judge.answer, self.judge.urgency = VerdictKind.FAIL, urgency

    async def start(self, phase="canary 10", **options) -> None:
        await self.rollouts.tick(OPERATOR, self.flag, CHECKLIST)
        await self.rollouts.start(ADMIN, self.flag, a_plan(**options), "go")
        if phase != "shadow":
            await self.rollouts.promote(ADMIN, self.flag, "go", past_verdict=True)

    async def state(self) -> str:
        return (await self.operations.flag(ADMIN, self.flag)).flag.setting.describe()

    async def rollout(self):
        [newest, *_] = await self.rollouts.rollouts(ADMIN, self.flag)
        return newest

    async def incident(self):
        [only] = (await self.operations.incidents(ADMIN)).incidents
        return await self.operations.incident(ADMIN, only.incident_id)

    async def runs(self):
        detail = await self.incident()
        async with self.store.read() as reader:
            found = await reader.runs_of(detail.incident.incident_id)
            return [(run, await reader.steps_of(run.run_id)) for run in found]


@pytest.fixture
async def stage(store, operations, clock, flag):
    async with httpx.AsyncClient() as connection:
        yield Stage(store, operations, clock, flag, connection)


@pytest.mark.parametrize(
    ("first", "then", "state", "playbooks", "status"),
    [
        (Urgency.MEDIUM, Urgency.HIGH, "off", ["gradual", "immediate"], RolloutStatus.ROLLING_BACK),
        (Urgency.MEDIUM, Urgency.CRITICAL, "kill", ["gradual", "kill_switch"], RolloutStatus.KILLED),
        (Urgency.HIGH, Urgency.CRITICAL, "kill", ["immediate", "kill_switch"], RolloutStatus.KILLED),
    ],
)
@pytest.mark.parametrize("phase", ["canary 10", "shadow"])
async def test_a_graver_failure_takes_over_in_the_same_incident(stage, phase, first, then, state, playbooks, status):
    await stage.start(phase)
    stage.fails(first)
    await stage.move(0.5)
    assert (await stage.rollout()).status is RolloutStatus.ROLLING_BACK
    stage.fails(then)
    await stage.move(0.5)
    assert await stage.state() == state
    rollout = await stage.rollout()
    assert rollout.status is status
    detail = await stage.incident()  # there is one
    runs = await stage.runs()
    assert [run.playbook for run, _ in runs] == playbooks == [playbooks[0], detail.incident.playbook]
    assert detail.incident.estimate_minutes == 0.5 + BOOKS[playbooks[1]].estimate_for(stage.flag)
    # What was left of the first one is not done any more, and says why; what was done stays done.
    (gentler, steps), _ = runs
    assert (gentler.status, gentler.frozen) == (RunStatus.SUPERSEDED, False)
    left = [step for step in steps if step.status is StepStatus.SUPERSEDED]
    assert left
    assert {step.output for step in left} == {f"{playbooks[1]} took over"}
    assert all(step.status is StepStatus.DONE for step in steps if step.kind == "flag" and step not in left)
    story = " / ".join(entry.text for entry in detail.timeline)
    assert story.count(f"playbook {playbooks[1]} called for") == 1
    assert f"playbook {playbooks[0]} superseded: {playbooks[1]} took over" in story
    # And it goes on: the graver playbook's steps are done, nothing comes of the gentler one's.
    await stage.move(40)
    assert await stage.state() == state
    assert (await stage.rollout()).status in {RolloutStatus.ROLLED_BACK, RolloutStatus.KILLED}
    assert len(await stage.runs()) == 2


async def test_it_is_looked_at_as_often_as_before_and_the_numbers_go_on(stage):
    await stage.start()
    stage.fails(Urgency.MEDIUM)
    await stage.move(0.5)
    begun = await stage.rollout()
    looks = stage.judge.looks
    await stage.move(10)
    assert stage.judge.looks == looks + 20
    rollout = await stage.rollout()
    assert rollout.looked_at == rollout.verdict.at == stage.clock()
    assert rollout.fresh_seconds == begun.fresh_seconds
    assert await stage.state() == "canary 5 %"
    assert [run.playbook for run, _ in await stage.runs()] == ["gradual"]


async def test_what_the_playbooks_own_watch_finds_counts_as_well(stage):
    await stage.start()
    stage.fails(Urgency.MEDIUM)
    await stage.move(1)
    rollout = await stage.rollout()
    async with stage.store.write() as tx:
        found = {
            "urgency": Urgency.HIGH,
            "because": "error_rate: 5 tenants that kept it",
            "watched_since": stage.clock(),
        }
        await tx.add_verdict(rollout.verdict.model_copy(update=found))
    await stage.move(0.5)
    assert await stage.state() == "off"
    detail = await stage.incident()
    assert detail.incident.trigger.endswith("; then error_rate: 5 tenants that kept it")


async def test_where_rollbacks_are_left_to_people_so_is_their_escalation(stage):
    await stage.start(auto_rollback=False)
    await stage.playbooks.begin_playbook(OPERATOR, stage.flag, BOOKS["gradual"], "slow")
    stage.fails(Urgency.CRITICAL)
    await stage.move(5)
    assert await stage.state() == "canary 5 %"
    await stage.playbooks.begin_playbook(OPERATOR, stage.flag, BOOKS["immediate"], "now errors")
    assert await stage.state() == "off"
    rollout = await stage.rollout()
    assert (rollout.status, rollout.pause_reason) == (
        RolloutStatus.ROLLING_BACK,
        "rolling back (immediate): now errors",
    )
    assert (await stage.incident()).incident.trigger == "slow; then now errors"


async def test_people_may_hold_abort_or_kill_meanwhile(stage):
    await stage.start()
    stage.fails(Urgency.MEDIUM)
    await stage.move(1)
    held = await stage.rollouts.hold(OPERATOR, stage.flag, "looking at it")
    assert "rolling back (gradual)" in held.pause_reason
    assert "held: looking at it" in held.pause_reason
    stage.fails(Urgency.HIGH)
    await stage.move(1)
    assert await stage.state() == "off"  # holding keeps nothing from getting safer
    await stage.rollouts.abort(OPERATOR, stage.flag, "I take over")
    stage.fails(Urgency.CRITICAL)
    await stage.move(5)
    assert await stage.state() == "off"  # nobody judges an aborted rollout
    await stage.operations.kill(OPERATOR, stage.flag, Kill(kill_reason="worse"))
    await stage.move(5)
    assert await stage.state() == "kill"
    assert [run.status for run, _ in await stage.runs()][-1] is RunStatus.DONE


async def test_an_aborted_rollouts_playbook_ends_by_itself(stage):
    await stage.start()
    stage.fails(Urgency.MEDIUM)
    await stage.move(1)
    await stage.rollouts.abort(OPERATOR, stage.flag, "enough")
    await stage.move(33)
    assert await stage.state() == "shadow"
    assert [run.status for run, _ in await stage.runs()] == [RunStatus.DONE]


async def _gets_worse_and_worse(stage) -> None:
    """Latency, then errors, then critical errors: two looks each."""
    for urgency in (Urgency.MEDIUM, Urgency.HIGH, Urgency.CRITICAL):
        stage.fails(urgency)
        await stage.move(1)
    await stage.move(4)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(30))
async def test_killed_at_any_write_each_playbook_is_called_for_once(stage, at, after):
    await stage.start()
    stage.begin_with(CrashingStore(stage.store, at, after=after))
    with pytest.raises(Killed):
        await _gets_worse_and_worse(stage)
    stage.begin_with(stage.store)
    await stage.move(1)  # the dead one's lease runs out, and what it was about is done
    stage.fails(Urgency.CRITICAL)
    await stage.move(5)
    assert await stage.state() == "kill"
    assert (await stage.rollout()).status is RolloutStatus.KILLED
    runs = await stage.runs()
    called = [run.playbook for run, _ in runs]
    assert called[-1] == "kill_switch"
    # Whom it died in front of it may have passed over, but nothing comes twice or out of turn.
    assert called == [name for name in BOOKS if name in called]
    assert [run.status for run, _ in runs[:-1]] == [RunStatus.SUPERSEDED] * (len(runs) - 1)
    assert {step.status.finished for _, steps in runs for step in steps} == {True}
    taken = [step.step for step in await stage.rollouts.steps(ADMIN, (await stage.rollout()).rollout_id)]
    assert sorted(taken) == sorted(set(taken))
    changes = (await stage.operations.history(ADMIN, stage.flag)).changes
    assert [change.new_state for change in changes].count("kill") == 1
    assert (await stage.operations.verify_audit(ADMIN)).verified


async def test_the_crash_points_reach_every_write_of_an_escalation(stage):
    await stage.start()
    counting = CrashingStore(stage.store, -1, after=False)
    stage.begin_with(counting)
    for urgency in (Urgency.MEDIUM, Urgency.HIGH, Urgency.CRITICAL):
        stage.fails(urgency)
        await stage.move(1)
    assert counting.commits <= 30
