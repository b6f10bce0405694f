"""The demo's last minutes: rollouts at three phases, measured, judged, and by the same seed the same."""

from __future__ import annotations

import asyncio

import pytest

from flagconsole.cli.embedded import open_embedded
from flagconsole.demo.scenario import JUDGED_FLAG
from flagconsole.demo.services import operations_per_second
from flagconsole.demo.world import build
from flagconsole.domain.group import Group
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations.metrics import flag_metrics
from flagconsole.store import open_store


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Building takes seconds, and nobody changes it here."""
    url = f"sqlite:{tmp_path_factory.mktemp('world') / 'demo.db'}"
    asyncio.run(build(url, 5))
    return url


@pytest.fixture
async def world(built):
    store = await open_store(built)
    yield store
    await store.close()


async def test_a_canary_is_under_judgement_with_a_past_to_compare_it_with(world):
    async with world.read() as reader:
        now = await reader.now()
        rollouts = {rollout.flag_name: rollout for rollout in await reader.active_rollouts()}
        steps = await reader.rollout_steps(rollouts[JUDGED_FLAG].rollout_id)
        cohort = (await reader.flag(JUDGED_FLAG)).canary_tenant_ids
    assert {name: rollout.phase for name, rollout in rollouts.items()} == {
        JUDGED_FLAG: "canary 10",
        "estimates.ai_pricing": "shadow",
        "scheduling.auto_assignment": "canary 50",
    }
    assert {rollout.status for rollout in rollouts.values()} == {RolloutStatus.RUNNING}
    judged = rollouts[JUDGED_FLAG]
    assert judged.verdict.kind in {VerdictKind.INCONCLUSIVE, VerdictKind.PASS}
    # The controller promoted it by the judge's verdict, and has watched it for most of the phase since.
    assert [(step.step, step.by) for step in steps] == [
        ("enter shadow", "jonas.payments"),
        ("enter canary 10", "controller"),
    ]
    assert judged.fresh_seconds > judged.current_phase.min_seconds / 2
    assert len(cohort) == 50
    found = await flag_metrics(world.metrics, JUDGED_FLAG, now, 600)
    operations = {group: metrics.totals.operations for group, metrics in found.groups.items()}
    assert operations[Group.SHADOW] > 5000
    assert operations[Group.CANARY] > 300
    assert operations[Group.CONTROL] > 5 * operations[Group.CANARY]
    assert found.groups[Group.CONTROL].totals.csat_answers > 50


async def test_nobody_holds_the_lease_when_the_server_starts(world):
    async with world.read() as reader:
        assert (await reader.lease("controller")).holder == ""
        assert (await reader.incidents(flag_name=JUDGED_FLAG)) == []


async def test_without_its_server_the_store_says_what_it_is_and_that_nobody_waits_for_the_past(built, world):
    async with open_embedded(built, create=False) as demo:
        assert (await demo.status()).environment == "demo"
        (incident,) = (await demo.incidents()).incidents
    assert (incident.flag_name, incident.standing, incident.closed_by) == ("ai.vector_search", "closed", "maria.oncall")
    assert incident.restoration_minutes == pytest.approx(30, abs=1)
    async with world.read() as reader:
        assert (await reader.flag("ai.vector_search")).current_state == "kill"


async def test_the_same_seed_draws_the_same_cohort(tmp_path, world):
    await build(f"sqlite:{tmp_path / 'again.db'}", 5, auto_rollback=False)
    again = await open_store(f"sqlite:{tmp_path / 'again.db'}")
    async with world.read() as one, again.read() as other:
        cohorts = [(await reader.flag(JUDGED_FLAG)).canary_tenant_ids for reader in (one, other)]
        plan = (await other.active_rollout(JUDGED_FLAG)).plan
    await again.close()
    assert cohorts[0] == cohorts[1]
    assert not plan.auto_rollback


@pytest.mark.parametrize(("flag_name", "group"), [(JUDGED_FLAG, Group.SHADOW), ("invoices.write", Group.ON)])
async def test_the_hours_before_are_there_without_a_gap_and_as_busy_as_the_demo(world, flag_name, group):
    async with world.read() as reader:
        now = await reader.now()
    found = await flag_metrics(world.metrics, flag_name, now, 2 * 3600, 300)
    series = found.groups[group].series
    # The last ten minutes of a rollout are in other groups, and the newest step isn't over.
    operations = [count or 0 for count in series.operations[:-3]]
    assert len(operations) == 21
    assert all(count == pytest.approx(operations_per_second(flag_name) * 300, rel=0.35) for count in operations), (
        operations
    )
    assert all(0 < rate < 0.02 for rate in series.error_rate[:-3])
    assert found.groups[group].totals.latency_p95 == pytest.approx(680, rel=0.2)
    assert found.active_tenants > 400


async def test_the_log_is_in_the_order_of_time_as_every_log_is(world):
    async with world.read() as reader:
        changes = await reader.changes_after(0, 500)
    assert len(changes) > 50
    assert [change.changed_at for change in changes] == sorted(change.changed_at for change in changes)
