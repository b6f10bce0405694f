"""Whether errors have stopped: those of the feature, since the change that should have stopped them; and whether it is off
everywhere, as far as anybody can know."""

from __future__ import annotations

import pytest

from flagconsole.domain.group import Group
from flagconsole.domain.instance import Instance
from flagconsole.domain.playbook import Check
from flagconsole.domain.playbook_run import CheckResult
from flagconsole.domain.requests import FlagCreate, FlagUpdate, Kill, TenantsPut
from flagconsole.domain.states import FlagState
from flagconsole.domain.tally import Tally
from flagconsole.domain.tenant import TenantProfile
from flagconsole.rollout.checks import verify
from flagconsole.rollout.store_source import StoreSource
from flagconsole.store.metric_store import GroupBucket, MetricWrite

from ..conftest import ADMIN

ERRORS, NONE = Tally(100, 80, 20), Tally(100, 100)


@pytest.fixture
async def look(store, operations, clock, flag):
    """A look, some seconds after the flag was switched off, at buckets of 5 s that began as many seconds after that."""
    clock.at = clock.at.replace(second=0, microsecond=0)
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="x", current_state=FlagState.ON))
    clock.forward(seconds=100)
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="x", current_state=FlagState.OFF))
    changed = int(clock.at.timestamp())

    async def at(seconds: int, *buckets: tuple[Group, int, Tally]):
        clock.forward(seconds=seconds)
        rows = [GroupBucket(flag, group, changed + start, 5, tally) for group, start, tally in buckets]
        await store.metrics.save([MetricWrite("b", changed + 10**6, rows)])
        return await verify(Check.ERRORS_ZERO, store, StoreSource(store.metrics), flag, clock())

    return at


async def test_errors_from_before_the_change_and_of_the_old_way_are_not_the_features(look):
    found = await look(55, (Group.CANARY, -5, ERRORS), (Group.OFF, 40, ERRORS), (Group.OFF, 45, ERRORS))
    assert found.result is CheckResult.OK
    assert "nobody" in found.found


async def test_an_error_where_it_still_runs_is_one(look):
    found = await look(55, (Group.OTHER, 45, ERRORS), (Group.OFF, 45, NONE))
    assert found.result is CheckResult.NOT_OK
    assert "20.00%" in found.found


async def test_running_without_errors_is_fine(look):
    assert (await look(55, (Group.OTHER, 45, NONE))).result is CheckResult.OK


async def test_silence_is_unknown(look):
    assert (await look(55)).result is CheckResult.UNKNOWN


async def test_what_can_not_be_told_yet_is_unknown(look):
    assert (await look(14, (Group.OFF, 5, NONE))).result is CheckResult.UNKNOWN


async def test_with_short_buckets_it_is_told_soon(look):
    assert (await look(16, (Group.CANARY, -5, ERRORS), (Group.OFF, 5, NONE))).result is CheckResult.OK


@pytest.fixture
def running(store, clock):
    """Instances with the revisions that they have confirmed or, unable to, were told of."""

    async def save(confirmed: dict[str, int], told: dict[str, int]):
        async with store.read() as reader:
            epoch = (await reader.head()).epoch
        known = {"service": "s", "sdk_version": "1", "epoch": epoch, "last_seen": clock()}
        instances = [Instance(instance_id=name, revision=at, **known) for name, at in confirmed.items()]
        instances += [Instance(instance_id=name, revision=0, told_revision=at, **known) for name, at in told.items()]
        await store.save_instances("server", instances)

    return save


async def off_everywhere(store, clock, flag):
    return await verify(Check.RECEIPTS, store, None, flag, clock())


async def test_off_everywhere_is_known_only_of_those_who_confirm(store, clock, flag, running):
    async with store.read() as reader:
        revision = (await reader.head()).revision
    await running({"api-1": revision}, {})
    assert (await off_everywhere(store, clock, flag)).result is CheckResult.OK
    await running({"api-1": revision}, {"unleash:1": revision})
    found = await off_everywhere(store, clock, flag)
    assert (found.result, "1 told, can't confirm" in found.found) == (CheckResult.UNKNOWN, True)
    assert (await verify(Check.CACHES, store, None, flag, clock())).result is CheckResult.UNKNOWN
    await running({"api-1": revision}, {"unleash:1": revision - 1})
    found = await off_everywhere(store, clock, flag)
    assert (found.result, "waiting for unleash:1" in found.found) == (CheckResult.NOT_OK, True)


async def test_services_are_well_when_they_run_with_fresh_rules_and_few_operations_fail(store, clock, flag, running):
    clock.at = clock.at.replace(second=0, microsecond=0)

    async def found_of(*tallies: Tally):
        clock.forward(seconds=120)
        start = int(clock.at.timestamp()) - 20
        rows = [GroupBucket(flag, Group.OFF, start, 5, tally) for tally in tallies]
        await store.metrics.save([MetricWrite(str(start), start + 10**6, rows)])
        await running({"api-1": 1}, {})
        return await verify(Check.SERVICES, store, StoreSource(store.metrics), flag, clock())

    assert (await verify(Check.SERVICES, store, None, flag, clock())).result is CheckResult.UNKNOWN
    silent = await found_of()
    assert (silent.result, "nothing tells of errors" in silent.found) == (CheckResult.UNKNOWN, True)
    well = await found_of(NONE)
    assert (well.result, "1 of 1 instances are live" in well.found) == (CheckResult.OK, True)
    failing = await found_of(ERRORS)
    assert (failing.result, "20.00%" in failing.found) == (CheckResult.NOT_OK, True)
    clock.forward(seconds=60)
    gone = await verify(Check.SERVICES, store, StoreSource(store.metrics), flag, clock())
    assert (gone.result, "api-1" in gone.found) == (CheckResult.NOT_OK, True)


async def test_a_flag_that_nobody_depends_on_is_looked_at_without_reading_all_others(store, clock, flag, monkeypatch):
    """Kills of hundreds of flags wait for this at once, and each kill after them for the server."""
    monkeypatch.setattr("flagconsole.rollout.checks.ruleset_of", None)
    found = await verify(Check.DEPENDENTS_OFF, store, None, flag, clock())
    assert (found.result, found.found) == (CheckResult.OK, "no flag depends on it")


async def test_a_dependent_that_is_still_enabled_is_found_through_others(store, operations, clock, flag):
    for name, needs in (("near.flag", flag), ("far.flag", "near.flag")):
        await operations.create(ADMIN, FlagCreate(flag_name=name, dependencies=(needs,)))
        await operations.update(ADMIN, name, FlagUpdate(change_reason="x", current_state=FlagState.ON))
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="x", current_state=FlagState.ON))
    assert (await verify(Check.DEPENDENTS_OFF, store, None, flag, clock())).result is CheckResult.UNKNOWN
    await operations.put_tenants(ADMIN, TenantsPut(tenants=(TenantProfile(tenant_id="tenant-1"),)))
    found = await verify(Check.DEPENDENTS_OFF, store, None, flag, clock())
    assert (found.result, "far.flag, near.flag" in found.found) == (CheckResult.NOT_OK, True)
    await operations.kill(ADMIN, flag, Kill(kill_reason="x"))
    found = await verify(Check.DEPENDENTS_OFF, store, None, flag, clock())
    assert (found.result, found.found) == (CheckResult.OK, "2 dependents are off for everyone")
