"""Counting in the service's own threads: complete, bounded, quick, and never in its way."""

from __future__ import annotations

import math
import threading
import time

import pytest

from flagconsole.domain.evaluation import Evaluation, Reason
from flagconsole.domain.group import Group
from flagconsole.domain.sketch import LatencySketch
from flagconsole.domain.states import FlagState
from flagconsole.domain.telemetry import TelemetryBatch
from flagconsole.sdk import usage as usage_module
from flagconsole.sdk.usage import MAX_CELLS, MAX_TABLES, OTHER, Usage

NOW = 1_763_870_400.0
IN = Evaluation("pos.lite", FlagState.CANARY, Reason.COHORT, 1)
OUT = Evaluation("pos.lite", FlagState.OFF, Reason.OUTSIDE_COHORT, 1)


@pytest.fixture
def usage() -> Usage:
    return Usage(30)


def written(usage, now=NOW + 30, **options):
    """The buckets as the server understands them."""
    rows = [
        cell.written(table.start, *key) for table in usage.take(now, **options) for key, cell in table.cells.items()
    ]
    return TelemetryBatch.model_validate({"batch_id": "b", "instance": "i", "service": "s", "buckets": rows}).buckets


def test_all_that_is_recorded_arrives(usage):
    usage.record(IN, "t1", NOW + 1, seconds=0.2)
    usage.record(IN, "t1", NOW + 2, seconds=0.4, ok=False, critical=ValueError("x"))
    usage.record(IN, "t1", NOW + 3, conversion=True, values={"accepted": True, "gap": 2.5}, counts={"retries": 3})
    usage.record(IN, "t1", NOW + 4, values={"accepted": False, "gap": -0.5}, critical="TaxTable")
    [bucket] = written(usage)
    assert (bucket.start, bucket.flag_name, bucket.tenant_id, bucket.group) == (NOW, "pos.lite", "t1", Group.CANARY)
    assert (bucket.operations, bucket.successes, bucket.errors, bucket.conversions) == (4, 3, 1, 1)
    assert bucket.criticals == {"ValueError": 1, "TaxTable": 1}
    assert bucket.latency_seconds == pytest.approx(0.6)
    assert LatencySketch(bucket.latency).quantile(1.0) == pytest.approx(0.4, rel=0.011)
    custom = {name: (item.kind, item.total, item.count) for name, item in bucket.custom.items()}
    assert custom == {"accepted": ("ratio", 1, 2), "gap": ("gauge", 2, 2), "retries": ("count", 3, 1)}


def test_tenants_outside_are_counted_as_control(usage):
    usage.record(OUT, "t1", NOW)
    usage.record(IN, "t2", NOW)
    assert {(bucket.tenant_id, bucket.group) for bucket in written(usage)} == {
        ("t1", Group.CONTROL),
        ("t2", Group.CANARY),
    }


def test_a_bucket_is_taken_when_it_is_over_and_once(usage):
    usage.record(IN, "t1", NOW)
    assert written(usage, NOW + 29.9) == ()
    assert len(written(usage, NOW + 30)) == 1
    assert written(usage, NOW + 60) == ()
    usage.record(IN, "t1", NOW + 61)
    assert [bucket.start for bucket in written(usage, NOW + 62, everything=True)] == [NOW + 60]


def test_operations_fall_into_the_bucket_of_their_time(usage):
    for seconds in (0, 29.9, 30, 95):
        usage.record(IN, "t1", NOW + seconds)
    assert {bucket.start - NOW: bucket.operations for bucket in written(usage, NOW + 120)} == {0: 2, 30: 1, 90: 1}


@pytest.mark.parametrize("seconds", [None, -1, math.nan, math.inf, "fast", object()])
def test_latencies_that_are_none_leave_the_operation_counted(usage, seconds):
    usage.record(IN, "t1", NOW, seconds=seconds)
    [bucket] = written(usage)
    assert (bucket.operations, bucket.latency, bucket.latency_seconds) == (1, (), 0)


@pytest.mark.parametrize("tenant", ["", "   ", "a\nb", "a\x00", "\ud800", "x" * 129, None, 7])
def test_tenants_that_the_server_would_refuse_cost_nobody_elses_batch(usage, tenant):
    usage.record(IN, tenant, NOW)
    usage.record(IN, "t1", NOW)
    assert [bucket.tenant_id for bucket in written(usage)] == ["t1"]
    assert usage.ignored == 1


@pytest.mark.parametrize("reason", [Reason.STALE, Reason.FLAG_NOT_FOUND])
def test_what_nobody_evaluated_is_not_counted(usage, reason):
    usage.record(Evaluation("pos.lite", FlagState.OFF, reason, -1), "t1", NOW)
    assert written(usage) == ()
    assert usage.ignored == 1


def test_custom_metrics_that_the_server_would_refuse_are_left_out(usage):
    bad = {"Not-A-Name": 1, "x" * 65: 1, "nan": math.nan, "text": "many", "huge": 1e300, 7: 1, "gap": 1}
    usage.record(IN, "t1", NOW, values=bad, counts={"negative": -1, "gap": 3})
    [bucket] = written(usage)
    assert {name: item.kind for name, item in bucket.custom.items()} == {"gap": "gauge"}


def test_names_within_a_bucket_are_bounded(usage):
    for number in range(50):
        usage.record(IN, "t1", NOW, critical=f"error {number}\n", values={f"m{number}": 1})
    [bucket] = written(usage)
    assert len(bucket.criticals) == 20
    assert bucket.criticals[OTHER] == 31
    assert len(bucket.custom) == 20


def test_memory_is_bounded_whatever_the_number_of_tenants(usage):
    for number in range(MAX_CELLS * (MAX_TABLES + 3)):
        usage.record(IN, f"t{number}", NOW)
    tables = usage.take(NOW + 30)
    assert len(tables) == MAX_TABLES
    assert usage.dropped == 3 * MAX_CELLS
    # The oldest went.
    assert (f"t{3 * MAX_CELLS}", IN.flag_name) in {(key[1], key[0]) for key in tables[0].cells}


def test_threads_lose_no_count(usage):
    def work():
        for _ in range(5000):
            usage.record(IN, "t1", NOW, seconds=0.1, ok=False)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [bucket] = written(usage)
    assert (bucket.operations, bucket.errors, bucket.timed) == (30_000,) * 3


def test_a_forked_child_sends_nothing_of_its_parents(usage):
    usage.record(IN, "t1", NOW)
    usage._lock.acquire()
    usage.after_fork()
    usage.record(IN, "t2", NOW)
    assert [bucket.tenant_id for bucket in written(usage)] == ["t2"]


def test_recording_takes_microseconds(usage):
    usage.record(IN, "t1", NOW, seconds=0.1)
    started = time.thread_time()
    for _ in range(20_000):
        usage.record(IN, "t1", NOW, seconds=0.1)
    assert (time.thread_time() - started) / 20_000 < 20e-6


def test_a_hostile_fingerprint_raises_nothing(usage):
    class Hostile:
        def __str__(self):
            raise RuntimeError("no")

    usage.record(IN, "t1", NOW, critical=Hostile())
    usage.record(IN, "t1", NOW, critical=" \n ")
    assert written(usage)[0].criticals == {"Hostile": 1, OTHER: 1}
    assert usage_module.OTHER == "other"
