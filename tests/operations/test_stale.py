"""Which flags are unused, by what was measured in the store."""

from __future__ import annotations

from flagconsole.domain.group import Group
from flagconsole.domain.requests import FlagCreate
from flagconsole.domain.sketch import LatencySketch
from flagconsole.domain.stale import StaleReason
from flagconsole.domain.tally import Tally
from flagconsole.operations.stale import stale_flags
from flagconsole.store.metric_store import GroupBucket, MetricWrite

from ..conftest import ADMIN


async def test_a_flag_without_operations_is_unused_once_others_have_some(store, operations, clock):
    for name in ("shop.used", "shop.unused"):
        await operations.create(ADMIN, FlagCreate(flag_name=name, change_reason="new"))
    clock.forward(days=40)

    async def listed(days):
        flags = tuple((await operations.flags(ADMIN)).flags)
        found = await stale_flags(store.metrics, flags, clock(), days)
        return found.measured, {flag.flag_name: [one.reason for one in flag.findings] for flag in found.flags}

    assert await listed(30) == (False, {}), "nobody measures anything: that says nothing of a flag"
    start = int(clock().timestamp()) // 30 * 30
    bucket = GroupBucket(
        "shop.used", Group.CONTROL, start, 30, Tally(1, 1, 0, 0, 0, 1, 0.1), LatencySketch().to_bytes()
    )
    await store.metrics.save([MetricWrite("b1", start + 900, [bucket], [])])
    assert await listed(30) == (True, {"shop.unused": [StaleReason.UNUSED]})
    assert await listed(60) == (True, {})
