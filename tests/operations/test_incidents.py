"""Incidents are opened with what they tell of, written up by people, and closed once."""

from __future__ import annotations

import pytest

from flagconsole.domain.errors import BeyondTenant, IncidentNotFound, NotAllowed, StepNotFound, StepNotWaiting
from flagconsole.domain.incident_views import IncidentClose, IncidentUpdate, StepConfirm
from flagconsole.domain.playbook_run import RunStatus
from flagconsole.domain.requests import (
    FlagCreate,
    FlagUpdate,
    Kill,
    OverrideSet,
    Revive,
    Rollback,
    TenantRecord,
    TenantsPut,
)
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.states import FlagState

from ..conftest import ADMIN, OPERATOR, VIEWER


@pytest.fixture
async def tenants(operations):
    records = tuple(TenantRecord(tenant_id=f"t{number}", name=f"Shop {number}") for number in range(10))
    gone = TenantRecord(tenant_id="t99", active=False)
    await operations.put_tenants(ADMIN, TenantsPut(tenants=(*records, gone)))


async def turn(operations, state, **fields):
    return await operations.update(ADMIN, "pos.lite", FlagUpdate(change_reason="go", current_state=state, **fields))


async def kill(operations, **options):
    return await operations.kill(OPERATOR, "pos.lite", Kill(kill_reason="errors"), **options)


async def ids(operations, **options):
    return [item.incident_id for item in (await operations.incidents(VIEWER, **options)).incidents]


async def test_a_kill_opens_an_incident_with_whom_it_reached(operations, flag, tenants, clock):
    await turn(operations, FlagState.CANARY, canary_tenant_ids=("t1", "t7"))
    killed = await kill(operations)
    detail = await operations.incident(VIEWER, "inc-1")
    incident = detail.incident
    assert (incident.flag_name, incident.playbook, incident.opened_by) == ("pos.lite", "kill_switch", "olu")
    assert (incident.trigger, incident.state_before) == ("killed: errors", "canary of 2 tenants")
    assert (incident.started_at, incident.change_ids) == (clock(), (killed.change.change_id,))
    assert [(item.tenant_id, item.name) for item in detail.affected_tenants] == [("t1", "Shop 1"), ("t7", "Shop 7")]
    assert (incident.affected, incident.tenants_known, incident.impact) == (2, 10, "moderate")
    assert (incident.post_mortem_due, incident.communication_due) == (True, True)
    assert (incident.run.status, incident.restoration_minutes) == (RunStatus.PENDING, None)


async def test_whom_it_reached_goes_by_what_the_flag_needs_too(operations, tenants):
    """Through two flags on the way, an override of the last of them included."""
    for name, needs in (("a.base", ()), ("a.middle", ("a.base",)), ("pos.lite", ("a.middle",)), ("a.beside", ())):
        await operations.create(ADMIN, FlagCreate(flag_name=name, dependencies=needs))
        await operations.update(ADMIN, name, FlagUpdate(change_reason="go", current_state=FlagState.ON))
    chosen = FlagUpdate(change_reason="go", current_state=FlagState.CANARY, canary_tenant_ids=("t1", "t7"))
    await operations.update(ADMIN, "a.base", chosen)
    theirs = OverrideSet(override_state=FlagState.ON, override_reason="asked", tenant_id="t3")
    await operations.set_override(ADMIN, "a.base", theirs)
    await kill(operations)
    reached = (await operations.incident(VIEWER, "inc-1")).affected_tenants
    assert [item.tenant_id for item in reached] == ["t1", "t3", "t7"]


async def test_killing_twice_opens_one_incident_and_a_dry_run_none(operations, flag):
    await kill(operations, dry_run=True)
    assert await ids(operations) == []
    await kill(operations, idempotency_key="k")
    await kill(operations, idempotency_key="k")
    await kill(operations)
    assert await ids(operations) == ["inc-1"]


async def test_a_kill_after_the_service_was_restored_is_another_incident(operations, flag):
    first = await kill(operations)
    await operations.revive(ADMIN, "pos.lite", Revive(revive_reason="fixed"), version=first.flag.version)
    await kill(operations)
    assert await ids(operations) == ["inc-1"]
    await operations.close_incident(OPERATOR, "inc-1", IncidentClose())
    version = (await operations.flag(ADMIN, "pos.lite")).flag.version
    await operations.revive(ADMIN, "pos.lite", Revive(revive_reason="fixed"), version=version)
    await kill(operations)
    assert await ids(operations) == ["inc-2", "inc-1"]
    assert await ids(operations, open_only=True) == ["inc-2"]
    assert await ids(operations, flag_name="no.such") == []


async def test_a_rollback_opens_one_where_it_lowers_exposure(operations, flag, tenants):
    await turn(operations, FlagState.ON)
    await operations.update(ADMIN, "pos.lite", FlagUpdate(change_reason="x", description="new"))
    await operations.rollback(OPERATOR, "pos.lite", Rollback(rollback_reason="wrong words"))
    assert await ids(operations) == []
    await operations.rollback(OPERATOR, "pos.lite", Rollback(rollback_reason="slow"))
    incident = (await operations.incident(VIEWER, "inc-1")).incident
    assert (incident.playbook, incident.run, incident.trigger) == (None, None, "rolled back: slow")
    assert (incident.affected, incident.impact) == (10, "severe")


async def test_a_rollback_that_raises_is_no_incident(operations, flag):
    await turn(operations, FlagState.ON)
    lowered = await turn(operations, FlagState.OFF)
    request = Rollback(rollback_reason="it was fine", allow_raise=True)
    await operations.rollback(ADMIN, "pos.lite", request, version=lowered.flag.version)
    assert await ids(operations) == []


async def test_a_tenants_rollback_reaches_that_tenant(operations, flag, tenants):
    override = OverrideSet(override_state=FlagState.ON, override_reason="pilot", tenant_id="t3")
    await operations.set_override(ADMIN, "pos.lite", override)
    await operations.rollback(OPERATOR, "pos.lite", Rollback(rollback_reason="broke them"))
    detail = await operations.incident(VIEWER, "inc-1")
    assert [item.tenant_id for item in detail.affected_tenants] == ["t3"]
    assert detail.incident.impact == "minimal"


async def test_it_is_written_up_and_closed_once(operations, flag, tenants, clock):
    await turn(operations, FlagState.ON)
    await kill(operations)
    request = IncidentUpdate(root_cause="a slow query", impact="minimal")
    written = await operations.update_incident(OPERATOR, "inc-1", request)
    assert (written.incident.impact, written.incident.impact_overridden) == ("minimal", True)
    written = await operations.update_incident(OPERATOR, "inc-1", IncidentUpdate(impact=None, prevention="an index"))
    assert (written.incident.impact, written.incident.impact_overridden) == ("severe", False)
    assert (written.incident.root_cause, written.incident.prevention) == ("a slow query", "an index")
    clock.forward(minutes=6)
    dry = await operations.close_incident(OPERATOR, "inc-1", IncidentClose(), dry_run=True)
    assert dry.incident.closed_by == "olu"
    assert await ids(operations, open_only=True) == ["inc-1"]
    closed = await operations.close_incident(OPERATOR, "inc-1", IncidentClose(resolution_steps=("killed", "fixed")))
    assert (closed.incident.closed_by, closed.incident.restoration_minutes) == ("olu", 6)
    assert closed.incident.run.status is RunStatus.SUPERSEDED
    clock.forward(minutes=6)
    again = await operations.close_incident(ADMIN, "inc-1", IncidentClose())
    assert again.incident == closed.incident


async def test_the_timeline_tells_the_story_in_order(operations, flag, clock):
    await turn(operations, FlagState.ON)
    clock.forward(minutes=1)
    await kill(operations)
    clock.forward(minutes=4)
    await operations.close_incident(OPERATOR, "inc-1", IncidentClose())
    clock.forward(minutes=1)
    version = (await operations.flag(ADMIN, "pos.lite")).flag.version
    await operations.revive(ADMIN, "pos.lite", Revive(revive_reason="later"), version=version)
    timeline = (await operations.incident(VIEWER, "inc-1")).timeline
    assert [entry.text for entry in timeline] == [
        "change 2: set, off → on: go",
        "change 3: killed, on → kill: errors",
        "opened: killed: errors",
        "playbook kill_switch called for",
        "playbook kill_switch superseded: the incident was closed",
        "service restored after 4.0 min",
        "closed",
    ]
    assert [entry.at for entry in timeline] == sorted(entry.at for entry in timeline)


async def test_a_tenants_key_sees_no_incidents(operations, flag):
    """They tell of all tenants, in names and in what people write."""
    await turn(operations, FlagState.ON)
    await kill(operations)
    own = Actor(name="tim", role=Role.ADMIN, tenant_id="t1")
    for incident_id in ("inc-1", "inc-2"):
        with pytest.raises(BeyondTenant):
            await operations.incident(own, incident_id)
    with pytest.raises(BeyondTenant):
        await operations.incidents(own)


async def test_who_may_and_what_there_is(operations, flag):
    await kill(operations)
    with pytest.raises(NotAllowed):
        await operations.close_incident(VIEWER, "inc-1", IncidentClose())
    with pytest.raises(IncidentNotFound, match="inc-2"):
        await operations.incident(VIEWER, "inc-2")
    confirm = StepConfirm(note="done")
    with pytest.raises(StepNotFound, match="no_such"):
        await operations.confirm_step(OPERATOR, "inc-1", "no_such", confirm)
    with pytest.raises(StepNotFound):
        await operations.confirm_step(OPERATOR, "inc-1", "verification_1", confirm)
    await operations.close_incident(OPERATOR, "inc-1", IncidentClose())
    with pytest.raises((StepNotFound, StepNotWaiting)):
        await operations.confirm_step(OPERATOR, "inc-1", "kill", confirm)
