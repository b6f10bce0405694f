"""The store as a source: a number, or the reason why there is none."""

from __future__ import annotations

import pytest

from flagconsole.domain.group import Group
from flagconsole.domain.metric import MetricKind
from flagconsole.domain.sketch import bin_of, packed
from flagconsole.domain.tally import Tally
from flagconsole.domain.telemetry import CustomKind
from flagconsole.rollout.sources import Failed, MetricQuery, NoData, Stale, Value
from flagconsole.rollout.store_source import StoreSource
from flagconsole.store.metric_store import GroupBucket, MetricWrite, TenantBucket, ValueBucket

FLAG = "pos.lite"


@pytest.fixture
async def source(store, clock):
    clock.at = clock.at.replace(second=0, microsecond=0)
    start = int(clock.at.timestamp()) - 60
    groups, tenants = [], []
    for group, errors, milliseconds in ((Group.CANARY, 5, 300), (Group.CONTROL, 1, 200)):
        tally = Tally(100, 100 - errors, errors, timed=10, latency_seconds=10 * milliseconds / 1000)
        latency = packed([(bin_of(milliseconds / 1000), 10)])
        groups.append(GroupBucket(FLAG, group, start, 30, tally, latency))
        tenants.append(TenantBucket(FLAG, f"t-{group}", group, start, 30, tally, latency))
    values = [
        ValueBucket(FLAG, Group.CANARY, "accepted", CustomKind.RATIO, start, 30, 3, 4),
        ValueBucket(FLAG, Group.CANARY, "revenue", CustomKind.GAUGE, start, 30, 180, 2),
        ValueBucket(FLAG, Group.CONTROL, "revenue", CustomKind.GAUGE, start, 30, 300, 3),
    ]
    await store.metrics.save([MetricWrite("b", start + 10**6, groups, tenants, values)])
    return StoreSource(store.metrics)


def query(metric, group=Group.CANARY, window=3600, flag=FLAG):
    return MetricQuery(flag, group, metric, window)


@pytest.mark.parametrize(
    ("metric", "group", "value"),
    [
        ("error_rate", Group.CANARY, 0.05),
        ("error_rate", Group.CONTROL, 0.01),
        ("success_rate", Group.CANARY, 0.95),
        ("critical_errors", Group.CANARY, 0.0),
        ("latency_p95", Group.CANARY, 300),
        ("p95_regression", Group.CANARY, 0.5),
        ("accepted", Group.CANARY, 0.75),
    ],
)
async def test_what_was_measured_is_a_value(source, clock, metric, group, value):
    found = await source.read(query(metric, group), clock())
    assert isinstance(found, Value)
    assert found.value == pytest.approx(value, rel=0.03)
    assert found.age_seconds == 30


async def test_a_custom_change_is_the_canary_against_the_control(source, clock):
    asked = query("revenue")
    assert await source.read(asked, clock()) == Value(90, 30)
    found = await source.read(asked._replace(kind=MetricKind.CHANGE), clock())
    assert found == Value(pytest.approx(-0.1), 30)
    assert isinstance(await source.read(query("accepted")._replace(kind=MetricKind.CHANGE), clock()), NoData)


@pytest.mark.parametrize(
    "asked",
    [
        query("csat"),
        query("accepted", Group.CONTROL),
        query("never_heard_of"),
        query("error_rate", Group.SHADOW),
        query("error_rate", flag="no.such"),
        query("error_rate", window=10),
    ],
)
async def test_what_was_not_measured_is_no_data_and_never_zero(source, clock, asked):
    assert isinstance(await source.read(asked, clock()), NoData)


async def test_old_data_is_stale(source, clock):
    clock.forward(seconds=61)
    assert isinstance(await source.read(query("error_rate"), clock()), Stale)


async def test_a_store_that_is_gone_is_a_failure(source, store, clock, monkeypatch):
    from flagconsole.domain.errors import StoreUnavailable

    async def gone(*_):
        raise StoreUnavailable(problem="disk\x1b[2J gone")

    monkeypatch.setattr(store.metrics, "widest", gone)
    found = await source.read(query("error_rate"), clock())
    assert isinstance(found, Failed)
    assert "\x1b" not in found.problem
