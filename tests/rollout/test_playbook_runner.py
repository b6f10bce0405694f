"""Playbooks carried out: in order, once, whatever dies in between; and stopped where nobody can know."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from flagconsole.domain.errors import ExposureFrozen, LeaseLost
from flagconsole.domain.incident_views import IncidentClose, StepConfirm
from flagconsole.domain.instance import Instance
from flagconsole.domain.playbook import Notice, Playbook, Step, Verification
from flagconsole.domain.playbook_run import DeliveryStatus, RunStatus, StepStatus
from flagconsole.domain.requests import FlagUpdate, Kill, Revive, Rollback, TenantRecord, TenantsPut
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.states import FlagState
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.rollout.controller import Controller
from flagconsole.rollout.lease import Leadership
from flagconsole.rollout.playbook_file import shipped_playbook
from flagconsole.rollout.playbook_runner import PlaybookRunner
from flagconsole.rollout.response import Destination, Endpoint, Response

from ..conftest import ADMIN, OPERATOR
from .crashing_store import CrashingStore, Killed
from .plans import Script, a_plan


class Held:
    """A fence that holds until it is told otherwise."""

    lost = False

    async def check(self, tx):
        if self.lost:
            raise LeaseLost(epoch=2, ours=1)


class Verdicts:
    def __init__(self, kind=VerdictKind.NO_DATA):
        self.kind = kind

    async def verdict(self, flag_name, since, now):
        return self.kind


class Calls:
    """A server that counts what it is asked, in a file as a real effect would be."""

    def __init__(self, status=200):
        self.status = status
        self.keys = []

    def __call__(self, request):
        if self.status == 0:
            raise httpx.ReadTimeout("no answer", request=request)
        self.keys.append(request.headers["Idempotency-Key"])
        return httpx.Response(self.status)


@pytest.fixture
async def connect():
    opened = []

    def open_(calls):
        opened.append(httpx.AsyncClient(transport=httpx.MockTransport(calls)))
        return opened[-1]

    yield open_
    for client in opened:
        await client.aclose()


@pytest.fixture
def runner(store, connect):
    def make(playbook=None, *, over=None, response=None, verdicts=None, calls=None, fence=None, metrics=None):
        books = {name: shipped_playbook(name) for name in ("gradual", "immediate", "kill_switch")}
        if playbook is not None:
            books[playbook.name] = playbook
        return PlaybookRunner(
            over or store,
            books,
            response=response or Response(),
            verdicts=verdicts or Verdicts(),
            metrics=metrics,
            fence=fence or Held(),
            connection=connect(calls or Calls()),
        )

    return make


async def turn(operations, state, percentage=None, name="pos.lite"):
    await operations.update(
        ADMIN, name, FlagUpdate(change_reason="go", current_state=state, canary_percentage=percentage)
    )


async def begin(operations, playbook, reason="p95 +30 %"):
    return (await operations.begin_playbook(ADMIN, "pos.lite", playbook, reason)).incident.incident_id


async def state_of(operations):
    return (await operations.flag(ADMIN, "pos.lite")).flag.setting.describe()


async def steps(operations, incident_id="inc-1"):
    run = (await operations.incident(ADMIN, incident_id)).incident.run
    return {record.step: record for record in run.steps}


async def run_of(operations, incident_id="inc-1"):
    return (await operations.incident(ADMIN, incident_id)).incident.run


def step(name, kind, **fields):
    return Step(name=name, title=name.capitalize(), kind=kind, estimate_minutes=1, **fields)


def immediate(*more, **fields):
    first = step("disable", "flag", effect="off")
    return Playbook(name="immediate", description="test", steps=(first, *more), **fields)


async def report(store, clock, *revisions):
    async with store.read() as reader:
        epoch = (await reader.head()).epoch
    instances = [
        Instance(
            instance_id=f"i{number}",
            service="billing",
            sdk_version="1",
            epoch=epoch,
            revision=revision,
            received_at=clock(),
            last_seen=clock(),
        )
        for number, revision in enumerate(revisions)
    ]
    await store.save_instances("s1", instances)


async def test_gradual_halves_at_once_watches_and_completes_to_shadow_where_nothing_improves(
    operations, store, flag, runner, clock
):
    await turn(operations, FlagState.CANARY, 11)
    await begin(operations, shipped_playbook("gradual"))
    assert await state_of(operations) == "canary 5 %"
    work = runner(verdicts=Verdicts(VerdictKind.INCONCLUSIVE))
    await work.tick()
    clock.forward(minutes=29)
    await work.tick()
    assert await state_of(operations) == "canary 5 %"
    clock.forward(minutes=1)
    await work.tick()
    assert await state_of(operations) == "shadow"
    done = await steps(operations)
    assert [record.status for record in done.values()] == [StepStatus.DONE] * 4
    assert "no improvement within 30 min: inconclusive" in done["watch"].output
    incident = (await operations.incident(ADMIN, "inc-1")).incident
    assert incident.restoration_minutes == 30
    assert incident.estimate_minutes == 20  # pos.lite's own, not the sum of the steps


async def test_gradual_stops_at_half_where_it_improves_but_not_before_it_has_settled(operations, flag, runner, clock):
    await turn(operations, FlagState.ON)
    await begin(operations, shipped_playbook("gradual"))
    work = runner(verdicts=Verdicts(VerdictKind.PASS))
    await work.tick()
    assert (await steps(operations))["watch"].status is StepStatus.STARTED
    clock.forward(minutes=5)
    await work.tick()
    assert await state_of(operations) == "canary 50 %"
    done = await steps(operations)
    assert done["complete"].status is StepStatus.SKIPPED
    assert done["complete"].output == "not needed: it improved"
    assert (await run_of(operations)).status is RunStatus.DONE


async def test_nobody_raises_a_flag_while_a_gradual_rollback_watches_it(operations, flag, runner, clock):
    await turn(operations, FlagState.CANARY, 10)
    incident_id = await begin(operations, shipped_playbook("gradual"))
    with pytest.raises(ExposureFrozen, match="gradual"):
        await turn(operations, FlagState.ON)
    await turn(operations, FlagState.OFF)
    await operations.close_incident(OPERATOR, incident_id, IncidentClose(root_cause="a slow query"))
    await turn(operations, FlagState.ON)
    assert (await run_of(operations)).status is RunStatus.SUPERSEDED


async def test_a_kill_takes_over_from_a_gentler_playbook_in_the_same_incident(operations, flag, runner):
    await turn(operations, FlagState.CANARY, 10)
    incident_id = await begin(operations, shipped_playbook("gradual"))
    await operations.kill(OPERATOR, "pos.lite", Kill(kill_reason="worse"))
    await runner().tick()
    detail = await operations.incident(ADMIN, incident_id)
    assert (detail.incident.playbook, detail.incident.run.playbook) == ("kill_switch", "kill_switch")
    assert len((await operations.incidents(ADMIN)).incidents) == 1
    assert any("gradual superseded: kill_switch took over" in entry.text for entry in detail.timeline)


async def test_a_step_that_nobody_has_configured_is_passed_over_and_says_so(operations, store, flag, runner, clock):
    await turn(operations, FlagState.ON)
    killed = await operations.kill(OPERATOR, "pos.lite", Kill(kill_reason="x"))
    await report(store, clock, killed.revision)
    work = runner()
    await work.tick()
    clock.forward(minutes=1)
    await work.tick()
    done = await steps(operations)
    assert done["kill"].output == f"revision {killed.revision}"
    assert done["open_breakers"].status is StepStatus.SKIPPED
    assert "not configured" in done["open_breakers"].output
    assert done["isolate_services"].output == "switched off: the program kubectl is not configured"
    # Without metrics nobody knows whether errors stopped, and unknown is not ok.
    assert done["emergency_monitoring"].status is StepStatus.FAILED
    assert "errors_zero: unknown" in done["emergency_monitoring"].output
    assert "receipts: ok (1 of 1 instances" in done["emergency_monitoring"].output
    run = await run_of(operations)
    assert run.problem == "failed: Emergency monitoring"
    assert [point.result for point in run.verifications] == ["ok", "ok", "unknown", None]


async def test_verify_waits_for_the_last_instance(operations, store, flag, runner, clock):
    await turn(operations, FlagState.ON)
    book = immediate(step("prove", "verify", checks=("receipts",), minutes=2))
    await begin(operations, book)
    async with store.read() as reader:
        revision = (await reader.head()).revision
    await report(store, clock, revision, revision - 1)
    work = runner()
    await work.tick()
    assert (await steps(operations))["prove"].status is StepStatus.STARTED
    await report(store, clock, revision, revision)
    await work.tick()
    proven = (await steps(operations))["prove"]
    assert proven.status is StepStatus.DONE
    assert "2 of 2 instances" in proven.output
    assert (await operations.incident(ADMIN, "inc-1")).incident.completed_at == clock()


async def test_a_verify_that_is_never_ok_fails_and_stops_the_run(operations, store, flag, runner, clock):
    await turn(operations, FlagState.ON)
    book = immediate(step("prove", "verify", checks=("receipts",), minutes=2), step("later", "wait", minutes=0))
    await begin(operations, book)
    await report(store, clock, 1)
    work = runner()
    await work.tick()
    clock.forward(minutes=2)
    await work.tick()
    done = await steps(operations)
    assert (done["prove"].status, done["later"].status) == (StepStatus.FAILED, StepStatus.PENDING)
    assert "waiting for i0" in done["prove"].output
    assert (await run_of(operations)).status is RunStatus.STOPPED
    assert (await operations.incident(ADMIN, "inc-1")).incident.completed_at is None


async def test_a_manual_step_waits_for_somebody_who_says_so(operations, flag, runner, clock):
    await turn(operations, FlagState.ON)
    await begin(operations, immediate(step("call", "manual", text="Call the bank")))
    work = runner()
    await work.tick()
    clock.forward(hours=3)
    await work.tick()
    assert (await steps(operations))["call"].status is StepStatus.STARTED
    await operations.confirm_step(OPERATOR, "inc-1", "call", StepConfirm(note="they know"))
    await work.tick()
    called = (await steps(operations))["call"]
    assert (called.status, called.by, called.output) == (StepStatus.DONE, "olu", "they know")
    assert (await run_of(operations)).status is RunStatus.DONE


async def test_a_revived_flag_is_not_isolated_any_more(operations, flag, runner, tmp_path):
    await turn(operations, FlagState.ON)
    killed = await operations.kill(OPERATOR, "pos.lite", Kill(kill_reason="x"))
    work = runner()
    await work.tick()
    await operations.revive(ADMIN, "pos.lite", Revive(revive_reason="a false alarm"), version=killed.flag.version)
    await work.tick()
    run = await run_of(operations)
    assert (run.status, run.problem) == (RunStatus.SUPERSEDED, "the flag was revived to off")


async def test_a_run_that_nobody_took_in_time_is_not_begun(operations, flag, runner, clock):
    await operations.kill(OPERATOR, "pos.lite", Kill(kill_reason="x"))
    clock.forward(minutes=61)
    await runner().tick()
    run = await run_of(operations)
    assert run.status is RunStatus.EXPIRED
    assert (await operations.incident(ADMIN, "inc-1")).notices == ()


async def test_a_rollback_by_hand_is_restored_when_everybody_has_confirmed_it(operations, store, flag, runner, clock):
    await operations.put_tenants(ADMIN, TenantsPut(tenants=tuple(TenantRecord(tenant_id=f"t{n}") for n in range(4))))
    await turn(operations, FlagState.ON)
    back = await operations.rollback(OPERATOR, "pos.lite", Rollback(rollback_reason="slow"))
    await report(store, clock, back.revision - 1)
    clock.forward(seconds=3)
    await runner().tick()
    incident = (await operations.incident(ADMIN, "inc-1")).incident
    assert (incident.completed_at, incident.affected, incident.impact) == (None, 4, "severe")
    await report(store, clock, back.revision)
    clock.forward(seconds=3)
    await runner().tick()
    assert (await operations.incident(ADMIN, "inc-1")).incident.restoration_minutes == 0.1


async def test_who_lost_the_lease_does_nothing(operations, flag, runner):
    await turn(operations, FlagState.ON)
    await begin(operations, immediate(step("pause", "wait", minutes=0)))
    fence = Held()
    fence.lost = True
    with pytest.raises(LeaseLost):
        await runner(fence=fence).tick()
    assert (await run_of(operations)).status is RunStatus.PENDING


async def test_notices_lie_in_the_outbox_as_soon_as_the_run_is_taken(operations, flag, runner, clock):
    await operations.kill(OPERATOR, "pos.lite", Kill(kill_reason="x"))
    response = Response(
        destinations={"pager": Destination(url="https://pager.example/hook")},
        audiences={"on_call": ("pager",), "support": ("pager",)},
    )
    await runner(response=response).tick()
    notices = {item.audience: item for item in (await operations.incident(ADMIN, "inc-1")).notices}
    assert (notices["on_call"].status, notices["on_call"].destination) == (DeliveryStatus.WAITING, "pager")
    assert notices["on_call"].next_try_at == clock()
    assert (notices["support"].next_try_at - clock()).total_seconds() == 60
    assert notices["ceo"].status is DeliveryStatus.UNROUTED
    assert notices["ceo"].problem == "no destination is configured"


PROGRAM = '#!/bin/sh\necho "$@" >> {log}\nexit {code}\n'


def program(folder: Path, code=0, body=None) -> tuple[Path, Path]:
    log, path = folder / "log", folder / "program"
    path.write_text(body.format(log=log) if body else PROGRAM.format(log=log, code=code))
    path.chmod(0o700)
    return path, log


async def test_a_command_gets_its_arguments_as_they_are_and_no_shell(operations, flag, runner, tmp_path):
    path, log = program(tmp_path)
    await turn(operations, FlagState.ON)
    restart = step("restart", "command", argv=("restart", "--selector={flag}", "$(touch x); true", "{incident}"))
    await begin(operations, immediate(restart))
    await runner(response=Response(programs={"restart": str(path)})).tick()
    assert (await steps(operations))["restart"].status is StepStatus.DONE
    assert log.read_text() == "--selector=pos.lite $(touch x); true inc-1\n"


async def test_a_command_that_fails_stops_the_run_and_pages(operations, flag, runner, tmp_path):
    path, _ = program(tmp_path, code=3)
    await turn(operations, FlagState.ON)
    await begin(operations, immediate(step("restart", "command", argv=("restart",)), step("then", "wait", minutes=0)))
    response = Response(
        programs={"restart": str(path)},
        destinations={"pager": Destination(url="https://pager.example/hook")},
        audiences={"on_call": ("pager",)},
    )
    work = runner(response=response)
    await work.tick()
    await work.tick()
    run, done = await run_of(operations), await steps(operations)
    assert (run.status, done["restart"].output) == (RunStatus.STOPPED, "exit code 3")
    assert done["then"].status is StepStatus.PENDING
    paged = [item for item in (await operations.incident(ADMIN, "inc-1")).notices if item.topic == "stopped_restart"]
    assert [item.status for item in paged] == [DeliveryStatus.WAITING]
    await operations.confirm_step(OPERATOR, "inc-1", "restart", StepConfirm(note="restarted by hand"))
    await work.tick()
    assert (await run_of(operations)).status is RunStatus.DONE


async def test_a_command_that_never_ends_is_stopped_and_nobody_claims_to_know(operations, flag, runner, tmp_path):
    path, _ = program(tmp_path, body="#!/bin/sh\nsleep 60 & sleep 60\n# {log}\n")
    await turn(operations, FlagState.ON)
    await begin(operations, immediate(step("restart", "command", argv=("restart",), timeout_seconds=0.2)))
    await runner(response=Response(programs={"restart": str(path)})).tick()
    assert (await steps(operations))["restart"].status is StepStatus.UNCERTAIN
    assert (await run_of(operations)).status is RunStatus.STOPPED


@pytest.mark.parametrize(
    ("status", "outcome"), [(204, StepStatus.DONE), (500, StepStatus.FAILED), (0, StepStatus.UNCERTAIN)]
)
async def test_a_call_is_done_failed_or_uncertain_by_its_answer(operations, flag, runner, status, outcome):
    await turn(operations, FlagState.ON)
    await begin(operations, immediate(step("open", "http", endpoint="breakers")))
    response = Response(endpoints={"breakers": Endpoint(url="https://mesh.example/open")})
    await runner(response=response, calls=Calls(status)).tick()
    assert (await steps(operations))["open"].status is outcome


def whole_playbook(idempotent: bool) -> Playbook:
    """One step of each kind that does something."""
    return Playbook(
        name="immediate",
        description="test",
        steps=(
            step("disable", "flag", effect="off"),
            step("tell", "notify", audience="on_call", text="{flag} is off"),
            step("restart", "command", argv=("restart", "{flag}"), idempotent=idempotent),
            step("open", "http", endpoint="breakers", idempotent=idempotent),
            step("settle", "wait", minutes=0),
        ),
        notices=(Notice(audience="on_call"),),
        verifications=(Verification(text="Data is whole"),),
    )


async def crashed(operations, store, runner, tmp_path, at, after, idempotent):
    """Runs the whole playbook with a death at one commit, then with a new runner to its end or its stop."""
    path, log = program(tmp_path)
    calls = Calls()
    response = Response(
        programs={"restart": str(path)},
        endpoints={"breakers": Endpoint(url="https://mesh.example/open")},
        destinations={"pager": Destination(url="https://pager.example/hook")},
        audiences={"on_call": ("pager",)},
    )
    book = whole_playbook(idempotent)
    await turn(operations, FlagState.ON)
    await begin(operations, book)
    dying = CrashingStore(store, at, after=after)
    died = False
    try:
        await runner(book, over=dying, response=response, calls=calls).tick()
    except Killed:
        died = True
    for _ in range(3):
        await runner(book, response=response, calls=calls).tick()
    return died, log.read_text().splitlines() if log.exists() else [], calls.keys


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(10))
@pytest.mark.parametrize("idempotent", [True, False])
async def test_killed_at_any_commit_every_step_happens_once_or_stops_uncertain(
    operations, store, flag, runner, tmp_path, at, after, idempotent
):
    died, ran, called = await crashed(operations, store, runner, tmp_path, at, after, idempotent)
    assert died
    run, done = await run_of(operations), await steps(operations)
    history = await operations.history(ADMIN, "pos.lite")
    assert [change.new_state for change in history.changes] == ["off", "on", "off"]
    told = [item for item in (await operations.incident(ADMIN, "inc-1")).notices if item.topic in {"opened", "tell"}]
    assert sorted(item.topic for item in told) == ["opened", "tell"]
    if idempotent:
        assert run.status is RunStatus.DONE
        assert all(record.status is StepStatus.DONE for record in done.values())
        assert set(ran) == {"pos.lite"}
        assert set(called) == {"inc-1-1:open"}
        return
    # What isn't idempotent never happens twice; where nobody knows, the run stops there, and pages.
    assert len(ran) <= 1
    assert len(called) <= 1
    uncertain = [name for name, record in done.items() if record.status is StepStatus.UNCERTAIN]
    if uncertain:
        assert run.status is RunStatus.STOPPED
        topics = {item.topic for item in (await operations.incident(ADMIN, "inc-1")).notices}
        assert f"stopped_{uncertain[0]}" in topics
    else:
        assert run.status is RunStatus.DONE
        assert (len(ran), len(called)) == (1, 1)


async def test_the_crash_points_reach_every_commit_of_a_run(operations, store, flag, runner, tmp_path):
    died, _, _ = await crashed(operations, store, runner, tmp_path, 10, False, True)
    assert not died, "the run has more commits than the test kills at"
    assert json.loads((await run_of(operations)).model_dump_json())["status"] == "done"


async def test_the_end_of_a_playbook_is_the_end_of_its_rollout(operations, store, flag, runner, clock):
    rollouts = RolloutOperations(store)
    await rollouts.tick(OPERATOR, flag, CHECKLIST)
    await rollouts.start(ADMIN, flag, a_plan(), "go")
    judge = Script()
    judge.answer, judge.urgency = VerdictKind.FAIL, Urgency.MEDIUM
    controller = Controller(store, judge, Leadership(store, holder="c1"))
    await turn(operations, FlagState.CANARY, 10)
    clock.forward(seconds=30)
    await controller.tick()
    [rolling] = await rollouts.rollouts(ADMIN, flag)
    assert (rolling.status, await state_of(operations)) == (RolloutStatus.ROLLING_BACK, "canary 5 %")
    incident = (await operations.incident(ADMIN, "inc-1")).incident
    assert (incident.opened_by, incident.playbook) == ("controller", "gradual")
    assert "error_rate 0.04 > 0.02" in incident.trigger
    work = runner()
    await work.tick()
    clock.forward(minutes=30)
    await work.tick()
    [rolled] = await rollouts.rollouts(ADMIN, flag)
    assert (rolled.status, await state_of(operations)) == (RolloutStatus.ROLLED_BACK, "shadow")
