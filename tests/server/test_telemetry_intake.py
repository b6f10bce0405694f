"""Taking batches: together, answered when written, and never without bound; and keeping the size of what was taken."""

from __future__ import annotations

import asyncio

import pytest

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.evaluation import Rule, Ruleset
from flagconsole.domain.group import Group
from flagconsole.domain.retention import Retention
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.states import FlagState
from flagconsole.domain.telemetry import TelemetryBatch
from flagconsole.server import telemetry_intake
from flagconsole.server.metric_keeper import MetricKeeper
from flagconsole.server.telemetry_intake import TelemetryIntake

FLAG = "pos.lite"
SDK = Actor(name="billing", role=Role.SDK)
RULES = Ruleset("e", 1, {FLAG: Rule(FLAG, FlagState.CANARY, 0, frozenset({"t1"}), (), 1)}, {})


@pytest.fixture
def start(clock) -> int:
    return int(clock.at.timestamp()) // 30 * 30


def a_batch(start, number=0, *tenants, **fields) -> TelemetryBatch:
    buckets = [
        {"start": start, "flag_name": FLAG, "tenant_id": tenant, "group": "canary", "operations": 1}
        for tenant in tenants or ("t1",)
    ]
    return TelemetryBatch(batch_id=f"b-{number}", instance="i", service="s", buckets=buckets, **fields)


async def operations_of(store, start):
    return sum(row.tally.operations for row in await store.metrics.group_series(FLAG, start, start + 30, 30))


async def test_batches_that_come_together_are_written_together(store, start, monkeypatch):
    intake = TelemetryIntake(store, lambda: RULES)
    saves = []
    save = store.metrics.save
    monkeypatch.setattr(store.metrics, "save", lambda writes: saves.append(len(writes)) or save(writes))
    answers = await asyncio.gather(*(intake.telemetry(SDK, a_batch(start, number % 5)) for number in range(20)))
    assert sum(not answer.duplicate for answer in answers) == 5
    assert saves == [20]
    assert await operations_of(store, start) == 5
    assert +intake.counts == {"taken": 5, "duplicate": 15}


async def test_an_answer_means_that_it_is_kept(store, start):
    intake = TelemetryIntake(store, lambda: RULES)
    await intake.telemetry(SDK, a_batch(start, dropped=3))
    assert await operations_of(store, start) == 1
    assert intake.dropped == 3


async def test_a_store_that_fails_is_said_and_asked_again(store, start, monkeypatch):
    intake = TelemetryIntake(store, lambda: RULES)

    async def full(writes):
        raise StoreUnavailable(problem="disk full")

    with monkeypatch.context() as patch:
        patch.setattr(store.metrics, "save", full)
        with pytest.raises(StoreUnavailable, match="disk full"):
            await intake.telemetry(SDK, a_batch(start))
    assert not (await intake.telemetry(SDK, a_batch(start))).duplicate


async def test_more_than_can_wait_is_refused_at_once(store, start, monkeypatch):
    monkeypatch.setattr(telemetry_intake, "MOST_WAITING", 3)
    intake = TelemetryIntake(store, lambda: RULES)
    tasks = [asyncio.create_task(intake.telemetry(SDK, a_batch(start, number))) for number in range(5)]
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(item, StoreUnavailable) for item in done] == [False] * 3 + [True] * 2


async def test_tenants_are_bounded_for_each_bucket(store, start, monkeypatch):
    monkeypatch.setattr(telemetry_intake, "TENANTS_PER_BUCKET", 2)
    intake = TelemetryIntake(store, lambda: RULES)
    await intake.telemetry(SDK, a_batch(start, 1, "t1", "t2", "t3", "t4"))
    await intake.telemetry(SDK, a_batch(start - 30, 2, "t5"))
    found = await store.metrics.tenant_rows(FLAG, start - 30, start + 30)
    assert {row.tenant_id: row.operations for row in found} == {"": 2, "t1": 1, "t2": 1, "t5": 1}


async def test_what_waits_is_written_before_the_end(store, start):
    intake = TelemetryIntake(store, lambda: RULES)
    task = asyncio.create_task(intake.telemetry(SDK, a_batch(start)))
    while not intake._waiting:
        await asyncio.sleep(0)
    await intake.finish()
    assert await operations_of(store, start) == 1
    await task


async def test_the_keeper_rolls_up_and_deletes_as_retention_says(store, clock, start):
    intake = TelemetryIntake(store, lambda: RULES)
    for number in range(10):
        await intake.telemetry(SDK, a_batch(start - number * 30, number))
    keeper = MetricKeeper(store, Retention(fine_days=1, middle_days=2, keep_days=3))
    assert await keeper.keep() == 0
    clock.forward(days=1, minutes=30)
    assert await keeper.keep() > 10
    assert await store.metrics.widest(FLAG, start - 900, start + 30) == 300
    [row] = await store.metrics.group_series(FLAG, start - 900, start + 30, 10**9)
    assert (row.group, row.tally.operations) == (Group.CANARY, 10)
    clock.forward(days=3)
    await keeper.keep()
    assert await store.metrics.newest(FLAG) is None
    assert await keeper.keep() == 0


async def test_the_keeper_works_by_itself_and_ends_when_told(store, clock, start):
    intake = TelemetryIntake(store, lambda: RULES)
    await intake.telemetry(SDK, a_batch(start))
    clock.forward(days=100)
    keeper = MetricKeeper(store, Retention())
    keeper.start()
    async with asyncio.timeout(5):
        while await store.metrics.newest(FLAG) is not None:
            await asyncio.sleep(0.01)
    await keeper.stop()
