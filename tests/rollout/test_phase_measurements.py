"""What was measured of a phase is the same whether it is read at once, look by look, late, or across restarts."""

from __future__ import annotations

import json
import random
from dataclasses import fields

import numpy as np
import pytest

from flagconsole.domain.group import Group
from flagconsole.domain.judge import SHAPE_SHARES, Counts, JudgeSettings, Latency
from flagconsole.domain.sketch import LatencySketch
from flagconsole.domain.tally import Tally
from flagconsole.rollout.phase_measurements import PhaseMeasurements, Subject
from flagconsole.rollout.slot import References
from flagconsole.store.metric_store import Critical, GroupBucket, MetricWrite, TenantBucket

FLAG = "pos.lite"
SINCE = 20_000 * 86_400 + 10
TENANTS = tuple(f"t{number}" for number in range(12))
COHORT = frozenset(TENANTS[:5])
DAY = JudgeSettings(horizon_seconds=86_400)
SUBJECT = Subject(FLAG, SINCE, TENANTS, Group.CANARY, References(slow=0.5, slower=0.2))


class Fleet:
    """Writes what twelve tenants did, batch by batch, and knows the sums."""

    def __init__(self, store) -> None:
        self._store = store
        self._chance = random.Random(3)
        self._batches = 0

    async def work(self, start, *, tenants=TENANTS, operations=5, criticals=0):
        buckets, groups = [], {}
        for name in tenants:
            group = Group.CANARY if name in COHORT else Group.CONTROL
            errors = sum(self._chance.random() < 0.2 for _ in range(operations))
            sketch = LatencySketch()
            for _ in range(operations):
                sketch.add(self._chance.lognormvariate(-1.5, 0.8))
            tally = Tally(operations, operations - errors, errors, criticals, 0, operations, 1.0)
            buckets.append(TenantBucket(FLAG, name, group, start, 30, tally, sketch.to_bytes()))
            total = groups.setdefault(group, [Tally(), LatencySketch()])
            total[0] = total[0].plus(tally)
            total[1].merge(sketch)
        self._batches += 1
        write = MetricWrite(
            f"b{self._batches}",
            start + 86_400,
            [GroupBucket(FLAG, group, start, 30, tally, s.to_bytes()) for group, (tally, s) in groups.items()],
            buckets,
            criticals=[
                Critical(FLAG, name, Group.CANARY, "Boom", start // 300 * 300, criticals)
                for name in tenants
                if criticals and name in COHORT
            ],
        )
        await self._store.metrics.save([write])


@pytest.fixture
def fleet(store):
    return Fleet(store)


def starts(count, first=SINCE):
    return range((first // 30 + 1) * 30, (first // 30 + 1) * 30 + 30 * count, 30)


async def look(measured, now):
    await measured.catch_up(now)
    return measured.observation(now, 0.0, 0.0)


async def read_at_once(store, now, subject=SUBJECT):
    return await look(PhaseMeasurements(store.metrics, subject, DAY), now)


def assert_same(one, other):
    for field in fields(one):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(ours, Counts):
            for name, column in ours.columns().items():
                assert np.array_equal(column, theirs.columns()[name]), (field.name, name)
        else:
            assert ours == theirs, field.name


async def test_look_by_look_is_the_same_as_all_at_once(store, fleet):
    measured = PhaseMeasurements(store.metrics, SUBJECT, DAY)
    for start in starts(200):
        await fleet.work(start, criticals=int(start % 1500 == 0))
        seen = await look(measured, start + 40.0)
    assert_same(seen, await read_at_once(store, start + 40.0))
    assert seen.whole_phase.operations.tolist() == [1000.0] * 12
    assert 55 * 2 * 5 <= seen.last_hour.operations[0] <= 60 * 2 * 5
    assert 25 * 2 * 5 <= seen.last_half_hour.operations[0] <= 30 * 2 * 5
    assert seen.incidents == 5 * 4
    assert 0 < seen.whole_phase.slow.sum() < seen.whole_phase.slower.sum() < seen.whole_phase.operations.sum()


async def test_the_counts_are_those_of_the_sketches(store, fleet):
    for start in starts(4):
        await fleet.work(start)
    seen = await read_at_once(store, start + 40.0)
    latencies = LatencySketch()
    for row in await store.metrics.tenant_rows(FLAG, SINCE, SINCE + 300):
        if row.tenant_id in COHORT:
            latencies.merge(LatencySketch.from_bytes(row.latency))
    shape = tuple(latencies.quantile(share) * 1000 for share in SHAPE_SHARES)
    assert seen.canary_latency == Latency(shape[-2], shape[-1], shape)
    slow = sum(times for key, times in latencies.bins() if LatencySketch([(key, 1)]).quantile(0.5) > 0.505)
    assert seen.whole_phase.slow[:5].sum() == slow


async def test_a_batch_that_comes_a_quarter_of_an_hour_late_counts_and_one_look_reads_little(store, fleet):
    measured = PhaseMeasurements(store.metrics, SUBJECT, DAY)
    times = list(starts(120))
    for start in times:
        await fleet.work(start)
        await look(measured, start + 35.0)
    now = times[-1] + 35.0
    late = times[-1] + 35 - 15 * 60
    await fleet.work(late // 30 * 30, tenants=("t3",), operations=900)
    read = []
    original = store.metrics.tenant_rows

    async def counted(flag_name, since, until):
        read.append((since, until))
        return await original(flag_name, since, until)

    store.metrics.tenant_rows = counted
    seen = await look(measured, now + 1)
    assert len(read) == 1
    assert seen.whole_phase.operations[3] == 120 * 5 + 900
    read.clear()
    await look(measured, now + 2)
    assert read == []


async def test_a_restart_goes_on_with_the_same_numbers(store, fleet):
    measured = PhaseMeasurements(store.metrics, SUBJECT, DAY)
    times = list(starts(170))
    for start in times[:150]:
        await fleet.work(start, criticals=int(start % 900 == 0))
    await look(measured, times[149] + 40.0)
    kept = json.loads(json.dumps(measured.state()))
    again = PhaseMeasurements(store.metrics, SUBJECT, DAY)
    again.restore(kept)
    for start in times[150:]:
        await fleet.work(start)
        seen = await look(again, start + 40.0)
        assert_same(seen, await look(measured, start + 40.0))
    assert_same(seen, await read_at_once(store, times[-1] + 40.0))


async def test_a_reading_that_is_cut_goes_on_where_it_was(store, fleet):
    for start in starts(100):
        await fleet.work(start)
    now = start + 40.0
    measured = PhaseMeasurements(store.metrics, SUBJECT, DAY)
    original, left = store.metrics.tenant_rows, 30

    async def failing(flag_name, since, until):
        nonlocal left
        left -= 1
        if left < 0:
            left = 30
            raise OSError("away")
        return await original(flag_name, since, until)

    store.metrics.tenant_rows = failing
    for _ in range(3):
        with pytest.raises(OSError):
            await measured.catch_up(now)
    seen = await look(measured, now)
    store.metrics.tenant_rows = original
    assert_same(seen, await read_at_once(store, now))


async def test_what_was_before_the_phase_and_what_nobody_drew_does_not_count(store, fleet):
    await fleet.work(SINCE // 30 * 30)  # began before the phase did
    other = TenantBucket(FLAG, "t1", Group.OTHER, SINCE // 30 * 30 + 30, 30, Tally(50, 50), b"")
    stranger = other._replace(tenant_id="joined later", group=Group.CONTROL)
    groups = [GroupBucket(FLAG, Group.OTHER, other.start, 30, Tally(100, 100), b"")]
    await store.metrics.save([MetricWrite("x", SINCE + 86_400, groups, [other, stranger])])
    seen = await read_at_once(store, SINCE + 100.0)
    assert seen.whole_phase.operations.sum() == 0


async def test_a_phase_of_minutes_has_windows_of_seconds(store, fleet):
    settings = JudgeSettings(horizon_seconds=180, tick_seconds=5)
    measured = PhaseMeasurements(store.metrics, SUBJECT, settings)
    for start in starts(6):
        await fleet.work(start)
    seen = await look(measured, start + 20.0)
    assert seen.whole_phase.operations[0] == 30
    assert seen.last_hour.operations[0] == 5 * 2  # 45 s
    assert seen.last_half_hour.operations[0] == 5  # 22 s


async def test_without_a_phase_before_there_is_no_second_count(store, fleet):
    await fleet.work(next(iter(starts(1))))
    seen = await read_at_once(store, SINCE + 100.0, SUBJECT._replace(references=References()))
    assert seen.whole_phase.slower is None
    assert seen.whole_phase.slow.sum() == 0
