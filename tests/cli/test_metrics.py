"""``metrics``: what an on-call engineer reads of a canary, on a store and on a server."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from flagconsole.domain.group import Group
from flagconsole.domain.role import Role
from flagconsole.domain.sketch import bin_of, packed
from flagconsole.domain.tally import Tally
from flagconsole.domain.telemetry import CustomKind
from flagconsole.store import open_store
from flagconsole.store.metric_store import GroupBucket, MetricWrite, TenantBucket, ValueBucket

FLAG = "pos.lite"


async def measure(path, start):
    store = await open_store(f"sqlite:{path}")
    groups, tenants = [], []
    for name, errors, seconds in ((Group.CANARY, 20, 0.4), (Group.CONTROL, 10, 0.2)):
        tally = Tally(1000, 1000 - errors, errors, timed=10, latency_seconds=10 * seconds)
        latency = packed([(bin_of(seconds), 10)])
        groups += [GroupBucket(FLAG, name, start + 30 * n, 30, tally, latency) for n in range(4)]
        tenants.append(TenantBucket(FLAG, f"t-{name}", name, start, 30, tally, latency))
    values = [ValueBucket(FLAG, Group.CANARY, "accepted", CustomKind.RATIO, start, 30, 3, 4)]
    await store.metrics.save([MetricWrite(uuid.uuid4().hex, start + 10**6, groups, tenants, values)])
    await store.close()


@pytest.fixture
def measured(flags, store_path):
    asyncio.run(measure(store_path, int(time.time()) // 30 * 30 - 600))
    return flags


def test_the_canary_stands_beside_the_control(measured):
    result = measured("metrics", FLAG)
    assert result.code == 0
    rows = {line.split()[0]: line.split() for line in reversed(result.out.splitlines()) if line.strip()}
    assert rows["error_rate"] == ["error_rate", "2.00", "%", "1.00", "%", "+100.0%"]
    assert rows["canary"][1:5] == ["1", "4000", "2.00", "%"]
    assert rows["accepted"][1:] == ["75.00", "%", "–", "–"]
    assert "8000 operations of 2 tenants, 300 ms on average" in result.out
    assert "error_rate (%)" in result.out
    assert "latency_p95 (ms)" in result.out
    # Without colours each group's line has a mark of its own, in the legend too.
    assert "** canary" in result.out
    assert "oo control" in result.out
    assert "\x1b" not in result.out


def test_what_neither_group_recorded_is_not_known(measured):
    result = measured("metrics", FLAG)
    rows = {line.split()[0]: line.split() for line in reversed(result.out.splitlines()) if line.strip()}
    assert rows["tickets"][1:] == rows["conversion_rate"][1:] == ["–"] * 3
    assert rows["control"][-1] == "–"
    assert "raw: of this window" in result.out


def test_json_is_what_the_server_answers(measured):
    found = measured("metrics", FLAG, "--json", "--window", "30m", "--step", "1m").json
    assert found["step_seconds"] == 60
    assert found["groups"]["canary"]["totals"]["error_rate"] == 0.02
    assert found["groups"]["canary"]["series"]["operations"].count(None) >= 27


def test_another_metric_can_be_drawn(measured):
    out = measured("metrics", FLAG, "--metric", "accepted").out
    assert "accepted (%)" in out
    assert "latency_p95 (ms)" not in out
    assert "never: no data" in measured("metrics", FLAG, "--metric", "never").out


def test_nothing_measured_is_said(measured):
    assert "none, ever" in measured("metrics", "pos.inventory_tracking").out
    assert "no data" in measured("metrics", FLAG, "--window", "1m").out


@pytest.mark.parametrize("arguments", [("--window", "1w"), ("--window", "1s"), ("--step", "2h"), ("--step", "x")])
def test_durations_that_make_no_sense_are_refused(measured, arguments):
    result = measured("metrics", FLAG, *arguments)
    assert result.code == 2
    assert arguments[0].removeprefix("--") in result.err
    assert arguments[1] in result.err


def test_an_unknown_flag_is_not_found(measured):
    result = measured("metrics", "pos.lit")
    assert result.code == 3
    assert "pos.lite" in result.err


def test_on_a_server(fc, live_server):
    live_server.request("POST", "/api/flags", json={"flag_name": FLAG})
    bucket = {"start": int(time.time()) // 30 * 30 - 60, "flag_name": FLAG, "tenant_id": "t1", "group": "on"}
    body = {"batch_id": "b", "instance": "i", "service": "s", "buckets": [{**bucket, "operations": 7}]}
    assert live_server.request("POST", "/api/telemetry", json=body).json()["taken"] == 1
    result = fc("metrics", FLAG, "--url", live_server.url, "--api-key", live_server.keys[Role.VIEWER])
    assert result.code == 0
    assert "7 operations of 1 tenant\n" in result.out
