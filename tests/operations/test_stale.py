"""Which flags are unused, by what was measured in the store."""

from __future__ import annotations

from flagconsole.domain.group import Group
from flagconsole.domain.requests import FlagCreate, FlagUpdate
from flagconsole.domain.sketch import LatencySketch
from flagconsole.domain.stale import StaleReason
from flagconsole.domain.states import FlagState
from flagconsole.domain.stored_plan import PlanEntry, StoredPlan
from flagconsole.domain.tally import Tally
from flagconsole.operations.plan_file import shipped_plan
from flagconsole.operations.stale import stale_flags
from flagconsole.store.metric_store import GroupBucket, MetricWrite

from ..conftest import ADMIN


async def test_a_flag_without_operations_is_unused_once_others_have_some(store, operations, clock):
    for name in ("shop.used", "shop.unused"):
        await operations.create(ADMIN, FlagCreate(flag_name=name, change_reason="new"))
    clock.forward(days=40)

    async def listed(days):
        flags = tuple((await operations.flags(ADMIN)).flags)
        found = await stale_flags(store, flags, clock(), days)
        return found.measured, {flag.flag_name: [one.reason for one in flag.findings] for flag in found.flags}

    assert await listed(30) == (False, {}), "nobody measures anything: that says nothing of a flag"
    start = int(clock().timestamp()) // 30 * 30
    bucket = GroupBucket(
        "shop.used", Group.CONTROL, start, 30, Tally(1, 1, 0, 0, 0, 1, 0.1), LatencySketch().to_bytes()
    )
    await store.metrics.save([MetricWrite("b1", start + 900, [bucket], [])])
    assert await listed(30) == (True, {"shop.unused": [StaleReason.UNUSED]})
    assert await listed(60) == (True, {})


async def test_how_long_a_flag_stays_on_is_its_plans_matter_also_where_the_environment_keeps_that(
    store, operations, clock
):
    whole = shipped_plan("default").plan
    phases = [one if one.name != "full" else one.model_copy(update={"min_hours": 24.0 * 40}) for one in whole.phases]
    entry = PlanEntry(plan=whole.model_copy(update={"name": "slow", "phases": tuple(phases)}))
    stored = StoredPlan(
        plan_name="slow", version=1, entry=entry, change_reason="new", changed_by="ada", changed_at=clock(), revision=0
    )
    async with store.write() as tx:
        await tx.save_plan(stored)
    for name, plan in (("shop.slow", "slow"), ("shop.usual", "default")):
        await operations.create(ADMIN, FlagCreate(flag_name=name, change_reason="new", plan=plan))
        await operations.update(ADMIN, name, FlagUpdate(change_reason="on", current_state=FlagState.ON))
    clock.forward(days=39)
    flags = tuple((await operations.flags(ADMIN)).flags)
    assert [one.flag_name for one in (await stale_flags(store, flags, clock())).flags] == ["shop.usual"]
    clock.forward(days=2)
    found = {one.flag_name: one for one in (await stale_flags(store, flags, clock())).flags}
    assert "its plan asks for 40" in found["shop.slow"].findings[0].words
