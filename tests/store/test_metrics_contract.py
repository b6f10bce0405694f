"""What every store must do with measurements: count each batch once, lose nothing, and keep its size."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.group import Group
from flagconsole.domain.requests import FlagCreate, Kill
from flagconsole.domain.retention import Retention
from flagconsole.domain.sketch import LatencySketch, bin_of, packed
from flagconsole.domain.tally import Tally
from flagconsole.domain.telemetry import CustomKind
from flagconsole.operations.service import Operations
from flagconsole.store import open_store
from flagconsole.store.metric_store import (
    Critical,
    FeedbackRow,
    GroupBucket,
    MetricWrite,
    TenantBucket,
    TenantRow,
    ValueBucket,
)

from ..conftest import ADMIN

FLAG = "pos.lite"
#: A multiple of a day, so that all widths start here.
DAY = 86_400
T = 20_000 * DAY
CANARY, CONTROL = Group.CANARY, Group.CONTROL
ONE = Tally(operations=10, successes=9, errors=1, critical_errors=0, conversions=2, timed=2, latency_seconds=0.5)
LATENCY = packed([(bin_of(0.2), 1), (bin_of(0.3), 1)])


def group(start=T, name=CANARY, seconds=30, tally=ONE, latency=LATENCY, flag=FLAG) -> GroupBucket:
    return GroupBucket(flag, name, start, seconds, tally, latency)


def tenant(tenant_id, start=T, name=CANARY, seconds=30, tally=ONE, latency=LATENCY, flag=FLAG) -> TenantBucket:
    return TenantBucket(flag, tenant_id, name, start, seconds, tally, latency)


def a_row(tenant_id, name=CANARY, tally=ONE, latency=LATENCY) -> TenantRow:
    return TenantRow(tenant_id, name, tally.operations, tally.errors, tally.critical_errors, tally.conversions, latency)


def write(batch_id="b-1", expires_at=T + DAY, **rows) -> MetricWrite:
    return MetricWrite(batch_id, expires_at, **rows)


async def roll_up(store, now, retention=None) -> int:
    pieces = 0
    while await store.metrics.roll_up(now, retention or Retention()):
        pieces += 1
    return pieces


async def test_a_batch_counts_once_whoever_repeats_it(store):
    batch = write(groups=[group()], tenants=[tenant("t1")])
    assert await store.metrics.save([batch, batch, write("b-2", groups=[group()])]) == [True, False, True]
    assert await store.metrics.save([batch]) == [False]
    assert await store.metrics.group_series(FLAG, T, T + 30, 30) == [
        group(tally=ONE.plus(ONE), latency=_twice(LATENCY))
    ]
    assert await store.metrics.tenant_rows(FLAG, T, T + 30) == [a_row("t1")]


def _by_tenant(rows):
    found = {}
    for row in rows:
        sums = found.setdefault((row.tenant_id, row.group), [0, 0, 0, LatencySketch()])
        sums[:3] = [sums[0] + row.operations, sums[1] + row.errors, sums[2] + row.critical_errors]
        sums[3].merge(LatencySketch.from_bytes(row.latency))
    return {key: (*counts, latency.to_bytes()) for key, (*counts, latency) in found.items()}


def _twice(latency: bytes) -> bytes:
    sketch = LatencySketch.from_bytes(latency)
    sketch.merge(LatencySketch.from_bytes(latency))
    return sketch.to_bytes()


async def test_series_are_in_steps_and_gaps_are_not_there(store):
    starts = [T, T + 30, T + 270, T + 900]
    await store.metrics.save([write(groups=[group(start) for start in starts])])
    found = await store.metrics.group_series(FLAG, T, T + 1200, 300)
    assert [(row.start, row.seconds, row.tally.operations) for row in found] == [(T, 300, 30), (T + 900, 300, 10)]
    assert [row.tally.operations for row in await store.metrics.group_series(FLAG, T + 30, T + 270, 30)] == [10]
    assert await store.metrics.group_series("a.b", T, T + 1200, 30) == []


async def test_groups_are_apart(store):
    await store.metrics.save([write(groups=[group(), group(name=CONTROL, tally=Tally(7, 7))])])
    found = await store.metrics.group_series(FLAG, T, T + 30, 30)
    assert {row.group: row.tally.operations for row in found} == {CANARY: 10, CONTROL: 7}


async def test_rows_of_tenants_come_as_they_were_reported_by_start_and_tenant(store):
    rows = [tenant("t2", T + 30), tenant("t2", name=CONTROL, latency=b""), tenant("t1"), tenant("", T)]
    await store.metrics.save(
        [write(tenants=[*rows, tenant("t1", T + 60), tenant("t1", T - 30), tenant("t3", flag="a.b")])]
    )
    assert await store.metrics.tenant_rows(FLAG, T, T + 60) == [
        a_row(""),
        a_row("t1"),
        a_row("t2", CONTROL, latency=b""),
        a_row("t2"),
    ]


async def test_custom_metrics_and_feedback_are_one_series(store):
    ratio, gauge = CustomKind.RATIO, CustomKind.GAUGE
    await store.metrics.save(
        [
            write(
                values=[
                    ValueBucket(FLAG, CANARY, "accepted", ratio, T, 30, 3, 4),
                    ValueBucket(FLAG, CANARY, "gap", gauge, T, 30, 0.5, 2),
                ],
                feedback=[
                    FeedbackRow(FLAG, "t1", CANARY, "accepted", ratio, 1.0, T + 7),
                    FeedbackRow(FLAG, "t1", CANARY, "csat", ratio, 0.5, T + 31),
                    FeedbackRow(FLAG, "t2", CONTROL, "csat", ratio, 1.0, T + 31),
                ],
            )
        ]
    )
    found = await store.metrics.value_series(FLAG, T, T + 60, 30)
    assert {(row.group, row.metric, row.start): (row.total, row.samples) for row in found} == {
        (CANARY, "accepted", T): (4, 5),
        (CANARY, "gap", T): (0.5, 2),
        (CANARY, "csat", T + 30): (0.5, 1),
        (CONTROL, "csat", T + 30): (1.0, 1),
    }


async def test_active_tenants_are_counted_once_and_the_nameless_not(store):
    rows = [
        tenant("t1"),
        tenant("t1", T + 30),
        tenant("t2"),
        tenant("t1", name=CONTROL),
        tenant(""),
        tenant("idle", tally=Tally()),
        tenant("hourly", T - 1800, seconds=3600),
        tenant("before", T - 3600, seconds=3600),
    ]
    await store.metrics.save([write(tenants=rows)])
    assert await store.metrics.active_tenants(FLAG, T, T + 60) == {CANARY: 3, CONTROL: 1, None: 3}


async def test_critical_errors_of_one_window_are_one_incident(store):
    critical = Critical(FLAG, "t1", CANARY, "TaxTable", T, 2)
    await store.metrics.save([write(criticals=[critical]), write("b-2", criticals=[critical])])
    other = [critical._replace(tenant_id="t2"), critical._replace(fingerprint="Disk"), critical._replace(start=T + 300)]
    await store.metrics.save([write("b-3", criticals=other)])
    found = await store.metrics.criticals(FLAG, T, T + 600)
    assert len(found) == 4
    assert critical._replace(critical_errors=4) in found
    # A window that began before the span reaches into it.
    assert len(await store.metrics.criticals(FLAG, T + 299, T + 300)) == 3
    assert len(await store.metrics.criticals(FLAG, T + 300, T + 600)) == 1


async def test_newest_and_widest(store):
    assert await store.metrics.newest(FLAG) is None
    assert await store.metrics.widest(FLAG, 0, T) == 1
    await store.metrics.save([write(groups=[group(T - 3600, seconds=3600), group(T), group(T + 30, seconds=5)])])
    assert await store.metrics.newest(FLAG) == T + 35
    assert await store.metrics.widest(FLAG, T, T + 60) == 30
    assert await store.metrics.widest(FLAG, T - 3600, T + 60) == 3600


async def test_measurements_make_no_revision_and_survive_reopening(store, store_url, clock):
    async with store.read() as reader:
        before = await reader.head()
    await store.metrics.save([write(groups=[group()])])
    async with store.read() as reader:
        assert await reader.head() == before
    again = await open_store(store_url, clock=clock)
    assert await again.metrics.group_series(FLAG, T, T + 30, 30) == [group()]
    assert await again.metrics.save([write(groups=[group()])]) == [False]
    await again.close()


async def test_rolling_up_loses_no_count_and_no_quantile(store):
    chance = random.Random(3)
    values = [chance.lognormvariate(-1.4, 0.6) for _ in range(4000)]
    writes = []
    for number in range(400):
        part = values[number * 10 : number * 10 + 10]
        latency = LatencySketch((bin_of(value), 1) for value in part).to_bytes()
        tally = Tally(10, 8, 2, 1, 3, 10, sum(part))
        start = T + number * 30
        writes.append(
            write(
                f"b-{number}",
                groups=[group(start, tally=tally, latency=latency)],
                tenants=[tenant(f"t{number % 7}", start, tally=tally, latency=latency)],
                values=[ValueBucket(FLAG, CANARY, "gap", CustomKind.GAUGE, start, 30, 2.5, 1)],
            )
        )
    await store.metrics.save(writes)
    [before] = await store.metrics.group_series(FLAG, T, T + 12_000, 14_400 * 6)
    usage = _by_tenant(await store.metrics.tenant_rows(FLAG, T, T + 12_000))
    for days, width in ((2, 300), (8, 3600)):
        await roll_up(store, T + days * DAY)
        assert await store.metrics.widest(FLAG, T, T + 14_400) == width
        fine = await store.metrics.group_series(FLAG, T, T + 14_400, 1)
        assert {row.start % width for row in fine} == {0}
        [after] = await store.metrics.group_series(FLAG, T, T + 14_400, 14_400 * 6)
        assert after.tally == pytest.approx(before.tally)
        assert after.latency == before.latency
        assert _by_tenant(await store.metrics.tenant_rows(FLAG, T, T + 14_400)) == usage
        [gap] = await store.metrics.value_series(FLAG, T, T + 14_400, 14_400 * 6)
        assert (gap.total, gap.samples) == (1000, 400)
    p95 = LatencySketch.from_bytes(after.latency).quantile(0.95)
    assert p95 == pytest.approx(sorted(values)[int(0.95 * 3999)], rel=0.0101)


async def test_what_is_young_is_not_rolled_up_and_what_is_old_goes(store):
    rows = {
        "groups": [group()],
        "tenants": [tenant("t1")],
        "values": [ValueBucket(FLAG, CANARY, "gap", CustomKind.GAUGE, T, 30, 2.5, 1)],
        "criticals": [Critical(FLAG, "t1", CANARY, "TaxTable", T, 2)],
        "feedback": [FeedbackRow(FLAG, "t1", CANARY, "csat", CustomKind.RATIO, 0.5, T)],
    }
    await store.metrics.save([write(**rows)])
    assert await roll_up(store, T + DAY - 60) == 0
    assert await store.metrics.widest(FLAG, T, T + 30) == 30
    await roll_up(store, T + 91 * DAY)
    assert await store.metrics.newest(FLAG) is None
    assert await store.metrics.tenant_rows(FLAG, T, T + DAY) == []
    assert await store.metrics.value_series(FLAG, T, T + DAY, 30) == []
    assert await store.metrics.criticals(FLAG, T, T + DAY) == []


async def test_retention_is_configurable(store):
    await store.metrics.save([write(groups=[group()])])
    await roll_up(store, T + 3 * DAY, Retention(fine_days=0.5, middle_days=1, keep_days=2))
    assert await store.metrics.newest(FLAG) is None


async def test_ids_are_forgotten_when_their_time_is_over(store):
    await store.metrics.save([write(expires_at=T, groups=[group()])])
    await roll_up(store, T - 1)
    assert await store.metrics.save([write(expires_at=T)]) == [False]
    await roll_up(store, T)
    assert await store.metrics.save([write(expires_at=T)]) == [True]


async def test_rolling_up_much_is_done_in_small_pieces(store):
    rows = [tenant(f"t{number}", T + 30 * (number % 10)) for number in range(5000)]
    await store.metrics.save([write(expires_at=T + 9 * DAY, tenants=rows)])
    assert await roll_up(store, T + 2 * DAY) == 3
    found = await store.metrics.tenant_rows(FLAG, T, T + 300)
    assert len({row.tenant_id for row in found}) == len(found) == 5000
    assert {row._replace(tenant_id="") for row in found} == {a_row("")}


async def test_a_batch_that_fails_leaves_nothing_behind(store):
    broken = write(
        "b-2", groups=[group()], criticals=[Critical(FLAG, "t1", CANARY, None, T, "many" * 2)._replace(start=[])]
    )
    with pytest.raises((StoreUnavailable, TypeError)):
        await store.metrics.save([write("b-1", groups=[group()]), broken])
    assert await store.metrics.group_series(FLAG, T, T + 30, 30) == []
    assert await store.metrics.save([write("b-1", groups=[group()])]) == [True]


async def test_a_kill_goes_before_the_measurements_that_wait(store):
    operations = Operations(store)
    await operations.create(ADMIN, FlagCreate(flag_name=FLAG))
    done = []

    async def measure(number):
        rows = [tenant(f"t{row}", T + number * 30) for row in range(200)]
        await store.metrics.save([write(f"b-{number}-{part}", tenants=rows) for part in range(8)])
        done.append(number)

    waiting = [asyncio.create_task(measure(number)) for number in range(6)]
    await asyncio.sleep(0)
    assert (await operations.kill(ADMIN, FLAG, Kill(kill_reason="errors"))).changed
    assert len(done) < 6
    await asyncio.gather(*waiting)
    assert len(await store.metrics.tenant_rows(FLAG, T, T + DAY)) == 6 * 200


async def test_a_reader_that_gives_up_disturbs_nobody(store):
    await store.metrics.save([write(groups=[group()])])
    task = asyncio.create_task(store.metrics.group_series(FLAG, T, T + 30, 30))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert len(await store.metrics.group_series(FLAG, T, T + 30, 30)) == 1
