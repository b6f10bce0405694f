"""An environment exported, planned and applied: on every backend, wholly or not at all, and never above a kill."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flagconsole.domain.environment import Apply, Environment, FlagEntry, OverrideEntry, PlanAction, PlanRequest
from flagconsole.domain.errors import (
    ApprovalRequired,
    DependencyCycle,
    FlagNameRetired,
    FlagNotFound,
    InvalidInput,
    NotAllowed,
    PlanMoved,
)
from flagconsole.domain.requests import Archive, FlagCreate, FlagUpdate, Kill, OverrideSet
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.rollout_requests import RolloutStart
from flagconsole.domain.states import FlagState
from flagconsole.domain.stored_plan import PlanEntry
from flagconsole.operations.service import Operations
from flagconsole.store import open_store

from ..conftest import ADMIN, OPERATOR, VIEWER


def asked(*flags, overrides=None, prune=False):
    fields = {"flags": tuple(FlagEntry(**flag) for flag in flags)}
    if overrides is not None:
        fields["overrides"] = tuple(OverrideEntry(**item) for item in overrides)
    return PlanRequest(environment=Environment(**fields), prune=prune)


async def applied(operations, request, *, actor=ADMIN, plan_hash=None, **options):
    found = plan_hash or (await operations.plan(VIEWER, request)).plan_hash
    body = Apply(environment=request.environment, prune=request.prune, plan_hash=found, change_reason="from git")
    return await operations.apply(actor, body, **options)


async def states(operations):
    return {flag.flag_name: flag.setting.describe() for flag in (await operations.flags(ADMIN)).flags}


async def put(operations, name, state, **fields):
    return await operations.update(ADMIN, name, FlagUpdate(change_reason="x", current_state=state, **fields))


async def test_what_is_exported_makes_the_same_environment_elsewhere(operations, clock, tmp_path):
    await operations.create(
        ADMIN,
        FlagCreate(flag_name="pos.lite", owner="ann", tags=("a", "b"), affects=("POST /api",), expires_on="2027-01-01"),
    )
    await operations.create(ADMIN, FlagCreate(flag_name="pos.tips", dependencies=("pos.lite",), plan="demo"))
    await operations.create(ADMIN, FlagCreate(flag_name="pos.gone", default_state=FlagState.ON))
    await put(
        operations, "pos.lite", "canary", canary_percentage=10, canary_tenant_ids=("t1",), canary_holdout_ids=("t2",)
    )
    await put(operations, "pos.tips", "canary", canary_percentage=25)
    await operations.kill(OPERATOR, "pos.tips", Kill(kill_reason="bad"))
    for tenant, lasts in (("t1", None), ("t3", 60), ("t4", 1)):
        expires = None if lasts is None else clock.at + timedelta(minutes=lasts)
        body = OverrideSet(override_state="on", override_reason="pilot", tenant_id=tenant, expires_at=expires)
        await operations.set_override(ADMIN, "pos.lite", body)
    await operations.archive(ADMIN, "pos.gone", Archive(change_reason="done"))
    clock.forward(minutes=2)
    exported = await operations.export(VIEWER)
    # An archived flag is gone, and so is what is over.
    assert [entry.flag_name for entry in exported.environment.flags] == ["pos.lite", "pos.tips"]
    assert [entry.tenant_id for entry in exported.environment.overrides] == ["t1", "t3"]
    empty = await open_store(f"sqlite:{tmp_path / 'empty.db'}", clock=clock)
    try:
        there = Operations(empty)
        request = PlanRequest(environment=exported.environment)
        done = await applied(there, request)
        assert (await there.export(VIEWER)).environment == exported.environment
        assert (await states(there))["pos.tips"] == "kill"
        assert (await there.plan(VIEWER, request)).changed == 0
        # One entry for each: no flag was anything else on the way.
        assert (done.changed, done.revision) == (4, 4)
        log = (await there.history(ADMIN)).changes
        assert {(change.correlation_id, change.change_reason) for change in log} == {(done.correlation_id, "from git")}
        assert (await there.verify_audit(ADMIN)).verified
    finally:
        await empty.close()


async def test_a_plan_shows_old_and_new_and_what_is_not_named_stays(operations, flag):
    await operations.create(ADMIN, FlagCreate(flag_name="pos.other", default_state=FlagState.ON))
    await put(operations, flag, "canary", canary_tenant_ids=("t1", "t2"))
    request = asked({"flag_name": flag, "current_state": "on", "owner": "ann"}, {"flag_name": "pos.new"})
    plan = await operations.plan(VIEWER, request)
    assert [(item.action, item.flag_name, item.raises) for item in plan.items] == [
        (PlanAction.ADD, "pos.new", False),
        (PlanAction.CHANGE, flag, True),
    ]
    assert [(field.field, field.old, field.new) for field in plan.items[1].fields] == [
        ("current_state", "canary", "on"),
        ("owner", "", "ann"),
    ]
    assert (await operations.export(VIEWER)).revision == plan.revision
    await applied(operations, request)
    assert await states(operations) == {flag: "on", "pos.new": "off", "pos.other": "on"}
    # The cohort that nobody spoke of is still there when the flag is a canary again.
    await applied(operations, asked({"flag_name": flag, "current_state": "canary"}))
    assert (await states(operations))[flag] == "canary of 2 tenants"
    # A percentage alone asks the hash, and the plan says so.
    plan = await operations.plan(VIEWER, asked({"flag_name": flag, "canary_percentage": 5}))
    assert {field.field for field in plan.items[0].fields} == {"canary_percentage", "canary_tenant_ids"}


async def test_no_file_lifts_a_kill(operations, flag):
    await put(operations, flag, "on")
    await operations.kill(OPERATOR, flag, Kill(kill_reason="bad"))
    request = asked({"flag_name": flag, "current_state": "on", "canary_percentage": 50, "owner": "ann"})
    plan = await operations.plan(VIEWER, request)
    assert [field.field for field in plan.items[0].fields] == ["owner"]
    assert "stays killed" in plan.items[0].notes[0]
    await applied(operations, request)
    assert await states(operations) == {flag: "kill"}
    again = await operations.plan(VIEWER, request)
    assert (again.changed, again.items[0].action) == (0, PlanAction.KEEP)
    pruned = await applied(operations, asked(prune=True))
    assert (pruned.changed, "revive" in pruned.outcomes[0].left_out) == (0, True)
    assert await states(operations) == {flag: "kill"}


async def test_a_file_can_kill_and_that_comes_first(operations, flag):
    await put(operations, flag, "canary", canary_percentage=10)
    request = asked(
        {"flag_name": "a.new", "default_state": "on"}, {"flag_name": flag, "current_state": "kill", "owner": "x"}
    )
    done = await applied(operations, request)
    assert [outcome.flag_name for outcome in done.outcomes] == [flag, "a.new"]
    killed = (await operations.flag(ADMIN, flag)).flag
    assert (killed.current_state, killed.canary_percentage, killed.owner) == (FlagState.KILL, 10, "x")
    assert len((await operations.incidents(ADMIN)).incidents) == 1


async def test_what_moved_since_the_plan_is_named_and_nothing_is_done(operations, flag):
    await operations.create(ADMIN, FlagCreate(flag_name="pos.other"))
    request = asked({"flag_name": flag, "current_state": "on"}, {"flag_name": "pos.new"})
    shown = (await operations.plan(VIEWER, request)).plan_hash
    # Somebody else's flag is nobody's business here.
    await put(operations, "pos.other", "on")
    dry = await applied(operations, request, plan_hash=shown, dry_run=True)
    assert (dry.changed, await states(operations)) == (2, {flag: "off", "pos.other": "on"})
    with pytest.raises(PlanMoved, match="the file, or --prune"):
        await applied(operations, asked({"flag_name": flag, "current_state": "shadow"}), plan_hash=shown)
    with pytest.raises(PlanMoved, match="the file, or --prune"):
        await applied(operations, PlanRequest(environment=request.environment, prune=True), plan_hash=shown)
    await operations.set_override(ADMIN, flag, OverrideSet(override_state="on", override_reason="x", tenant_id="t1"))
    with pytest.raises(PlanMoved, match=f"{flag} for t1 was override set by ada"):
        await applied(operations, request, plan_hash=shown)
    with pytest.raises(InvalidInput, match="must be the hash"):
        await applied(operations, request, plan_hash="latest")
    assert await states(operations) == {flag: "off", "pos.other": "on"}


async def test_all_of_it_is_done_or_nothing(operations, flag):
    request = asked(
        {"flag_name": "a.one", "dependencies": ("a.two",)},
        {"flag_name": "a.two", "dependencies": ("a.one",)},
        {"flag_name": flag, "current_state": "on"},
    )
    with pytest.raises(DependencyCycle):
        await applied(operations, request)
    assert await states(operations) == {flag: "off"}
    # What depends on each other the other way round is possible from here.
    await operations.create(ADMIN, FlagCreate(flag_name="a.one", dependencies=("a.two",)))
    with pytest.raises(NotAllowed):
        await applied(operations, asked({"flag_name": "a.one", "owner": "x"}), actor=OPERATOR)
    with pytest.raises(FlagNotFound):
        await operations.plan(VIEWER, asked(overrides=[{"flag_name": "b.x", "tenant_id": "t", "override_state": "on"}]))
    with pytest.raises(InvalidInput, match=r"environment.flags\[0\].canary_percentage: a canary needs"):
        await operations.plan(VIEWER, asked({"flag_name": flag, "current_state": "canary"}))


async def test_pruning_takes_what_the_lists_do_not_name(operations, flag):
    await operations.create(ADMIN, FlagCreate(flag_name="a.base"))
    await operations.create(ADMIN, FlagCreate(flag_name="a.top", dependencies=("a.base",)))
    for name in (flag, "a.base"):
        await operations.set_override(
            ADMIN, name, OverrideSet(override_state="on", override_reason="x", tenant_id="t1")
        )
    kept = {"flag_name": flag}
    # A list that is left out is not spoken of.
    plan = await operations.plan(VIEWER, asked(kept, prune=True))
    assert [(item.action, item.flag_name, item.tenant_id) for item in plan.items] == [
        (PlanAction.REMOVE, "a.top", None),
        (PlanAction.REMOVE, "a.base", None),
    ]
    await applied(operations, asked(kept, overrides=[], prune=True))
    exported = (await operations.export(VIEWER)).environment
    assert ([entry.flag_name for entry in exported.flags], exported.overrides) == ([flag], ())
    with pytest.raises(FlagNameRetired):
        await operations.plan(VIEWER, asked({"flag_name": "a.top"}))


def a_plan(name="slow", percentage=5, **fields):
    phases = [{"name": "pilot", "kind": "canary", "percentage": percentage, "min_hours": 1}]
    return PlanEntry.model_validate({"plan": {"name": name, "phases": phases}, **fields})


def with_plans(*plans, prune=False):
    return PlanRequest(environment=Environment(plans=plans), prune=prune)


LIMIT = {"metric": "error_rate", "comparison": "<=", "value": 0.01}
OWN = {"pos.lite": {"flag_name": "pos.lite", "phases": {"pilot": {"success": [LIMIT]}}}}


async def test_plans_are_kept_by_name_and_rollouts_begin_by_them(operations, flag):
    request = with_plans(a_plan(flags=OWN))
    first = await operations.plan(VIEWER, request)
    assert [(item.action, item.plan_name) for item in first.plans] == [(PlanAction.ADD, "slow")]
    assert first.changed == 1
    done = await applied(operations, request)
    assert (done.changed, done.plans, done.outcomes) == (1, ("slow",), ())
    view = (await operations.flag(ADMIN, flag)).flag
    meant = await operations.plan_to_start(view, RolloutStart(start_reason="x", plan_name="slow"))
    assert (meant.phases[0].percentage, len(meant.phases[0].success)) == (5, 1)
    await applied(operations, asked({"flag_name": flag, "plan": "slow"}))
    view = (await operations.flag(ADMIN, flag)).flag
    assert (await operations.plan_to_start(view, RolloutStart(start_reason="x"))).name == "slow"
    with pytest.raises(InvalidInput, match="Plans here are default, demo, slow"):
        await operations.plan_to_start(view, RolloutStart(start_reason="x", plan_name="slo"))
    assert (await operations.export(VIEWER)).environment.plans == (a_plan(flags=OWN),)


async def test_a_plan_that_changed_is_shown_and_one_that_moved_refused(operations):
    await applied(operations, with_plans(a_plan()))
    shown = await operations.plan(VIEWER, with_plans(a_plan(percentage=20)))
    fields = [(field.field, field.old, field.new) for field in shown.plans[0].fields]
    assert fields == [("phases.pilot.percentage", 5, 20)]
    await applied(operations, with_plans(a_plan(percentage=30)))
    with pytest.raises(PlanMoved, match="the plan slow was written by ada"):
        await applied(operations, with_plans(a_plan(percentage=20)), plan_hash=shown.plan_hash)
    assert (await operations.plan(VIEWER, with_plans(a_plan(percentage=30)))).changed == 0
    gone = await applied(operations, with_plans(a_plan("other"), prune=True))
    assert gone.plans == ("other", "slow")
    assert [entry.name for entry in (await operations.export(VIEWER)).environment.plans] == ["other"]
    # A name that was taken away may come back.
    await applied(operations, with_plans(a_plan()))
    assert len((await operations.export(VIEWER)).environment.plans) == 2
    with pytest.raises(InvalidInput, match=r"plans\[0\].name: is a plan that ships"):
        await operations.plan(VIEWER, with_plans(a_plan("default")))


async def test_what_is_done_twice_is_done_once(operations, flag):
    request = asked({"flag_name": flag, "current_state": "on"})
    shown = (await operations.plan(VIEWER, request)).plan_hash
    first = await applied(operations, request, plan_hash=shown, idempotency_key="k1")
    again = await applied(operations, request, plan_hash=shown, idempotency_key="k1")
    assert (again.replayed, again.revision) == (True, first.revision)


async def test_a_second_person_allows_what_raises_exposure(store, flag):
    operations = Operations(store, requires_approvals=True)
    request = asked({"flag_name": flag, "current_state": "on"})
    shown = (await operations.plan(VIEWER, request)).plan_hash
    with pytest.raises(ApprovalRequired) as refused:
        await applied(operations, request, plan_hash=shown)
    assert await states(operations) == {flag: "off"}
    second = Actor(name="bob", role=Role.ADMIN, key_id="key-2")
    await operations.approve(second, refused.value.details["approval_id"])
    await applied(operations, request, plan_hash=shown)
    newest = (await operations.history(ADMIN)).changes[0]
    assert (newest.new_state, newest.approved_by) == ("on", "bob")
    await applied(operations, asked({"flag_name": flag, "current_state": "off"}))
    assert await states(operations) == {flag: "off"}
