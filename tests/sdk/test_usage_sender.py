"""What was recorded reaches the server: once, also after it was away, and at the end; against a fake and a real one."""

from __future__ import annotations

import json
import time

import pytest

from flagconsole.domain.role import Role
from flagconsole.domain.telemetry import TelemetryBatch
from flagconsole.sdk import FlagClient, batch_sender

from ..fake_server import Answer, until

TAKEN = Answer(200, b'{"batch_id": "b"}')


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(batch_sender, "LOOK_SECONDS", 0.01)


@pytest.fixture
def client(server, make_client):
    server.put("pos.lite", "on")
    server.answers["POST", "/api/telemetry"] = lambda _: TAKEN
    made = make_client(bucket_seconds=1)
    assert made.wait_ready(5)
    return made


def batches(server):
    return [TelemetryBatch.model_validate(asked.json()) for asked in server.asked_for("/api/telemetry")]


def operations(server):
    """Each batch once, as the server counts."""
    once = {batch.batch_id: batch for batch in batches(server)}
    return sum(bucket.operations for batch in once.values() for bucket in batch.buckets)


def test_recorded_operations_are_sent_soon_after_their_bucket(server, client):
    for _ in range(5):
        client.record("pos.lite", "t1", seconds=0.1)
    until(lambda: operations(server) == 5)
    [bucket, *_] = batches(server)[0].buckets
    assert (bucket.group, bucket.flag_name, bucket.tenant_id) == ("on", "pos.lite", "t1")
    assert batches(server)[0].instance == client.instance
    until(lambda: client.status.counters.usage_sent >= 1)


def test_nothing_recorded_is_nothing_sent(server, client):
    until(lambda: len(server.reports) >= 1)
    client.close()
    assert batches(server) == []


def test_what_was_not_answered_is_sent_again_as_the_same_batch(server, client):
    server.answers["POST", "/api/telemetry"] = lambda _: Answer(503, b"{}")
    client.record("pos.lite", "t1")
    until(lambda: len(batches(server)) >= 3)
    assert client.status.problem is not None
    server.answers["POST", "/api/telemetry"] = lambda _: TAKEN
    until(lambda: client.status.counters.usage_sent == 1)
    assert len({batch.batch_id for batch in batches(server)}) == 1
    until(lambda: client.status.problem is None)


def test_a_batch_that_is_refused_for_good_holds_up_no_other(server, client):
    server.answers["POST", "/api/telemetry"] = lambda _: Answer(422, b"{}")
    client.record("pos.lite", "t1")
    until(lambda: client.status.counters.usage_dropped == 1)
    server.answers["POST", "/api/telemetry"] = lambda _: TAKEN
    client.record("pos.lite", "t2")
    until(lambda: client.status.counters.usage_sent == 1)
    assert [bucket.tenant_id for bucket in batches(server)[-1].buckets] == ["t2"]
    assert batches(server)[-1].dropped == 1


def test_what_waits_is_bounded_and_the_oldest_goes(server, client, monkeypatch):
    monkeypatch.setattr(batch_sender, "MAX_WAITING_BYTES", 2000)
    monkeypatch.setattr(batch_sender, "BATCH", 1)
    server.answers["POST", "/api/telemetry"] = lambda _: Answer(503, b"{}")
    for number in range(50):
        client.record("pos.lite", f"t{number}")
    until(lambda: client.status.counters.usage_dropped > 30)
    server.answers["POST", "/api/telemetry"] = lambda _: TAKEN
    counters = client.status.counters
    until(lambda: client.status.counters.usage_sent + client.status.counters.usage_dropped >= 50)
    assert client.status.counters.usage_sent <= 50 - counters.usage_dropped + 1
    assert batches(server)[-1].buckets[0].tenant_id == "t49"


def test_many_tenants_are_cut_into_batches_that_the_server_takes(server, client):
    for number in range(450):
        client.record("pos.lite", f"t{number}")
    until(lambda: operations(server) == 450)
    assert max(len(batch.buckets) for batch in batches(server)) <= 200
    tenants = {bucket.tenant_id for batch in batches(server) for bucket in batch.buckets}
    assert len(tenants) == 450


def test_closing_sends_the_bucket_that_is_not_over(server, make_client):
    server.put("pos.lite", "on")
    server.answers["POST", "/api/telemetry"] = lambda _: TAKEN
    client = make_client()
    assert client.wait_ready(5)
    client.record("pos.lite", "t1")
    client.close()
    assert operations(server) == 1
    assert server.reports[-1]["leaving"] is True


def test_closing_waits_for_no_server_that_takes_no_usage(server, make_client):
    server.put("pos.lite", "on")
    server.answers["POST", "/api/telemetry"] = lambda _: Answer(503, b"{}")
    client = make_client()
    assert client.wait_ready(5)
    client.record("pos.lite", "t1")
    started = time.monotonic()
    client.close()
    assert time.monotonic() - started < 1.6


@pytest.mark.parametrize("arguments", [(None, None), (7, "t"), ("pos.lite", object()), ("no.such", "t1")])
def test_recording_raises_for_nothing(client, arguments):
    client.record(*arguments, ok="?", seconds="?", values=7, counts=[1], critical=object())


@pytest.mark.parametrize("seconds", [0, 7, 31, 60, "30"])
def test_buckets_that_do_not_fit_are_refused(seconds):
    with pytest.raises(ValueError, match="bucket_seconds"):
        FlagClient("http://localhost", "k", bucket_seconds=seconds, start=False)


def test_against_a_real_server(live_server, tmp_path):
    created = live_server.request("POST", "/api/flags", json={"flag_name": "pos.lite"})
    assert created.status_code == 201
    body = {"current_state": "canary", "canary_tenant_ids": ["in"], "change_reason": "go"}
    live_server.request("PUT", "/api/flags/pos.lite", json=body)
    with FlagClient(live_server.url, live_server.keys[Role.SDK], cache_dir=tmp_path, bucket_seconds=1) as client:
        assert client.wait_ready(5)
        for number in range(40):
            client.record("pos.lite", "in", seconds=0.3, ok=number % 4 != 0)
            client.record("pos.lite", f"out{number % 3}", seconds=0.2)

        def found():
            answer = live_server.request("GET", "/api/flags/pos.lite/metrics?window=10m", role=Role.VIEWER)
            groups = json.loads(answer.text)["groups"]
            return {name: group["totals"] for name, group in groups.items()}

        until(lambda: sum(totals["operations"] for totals in found().values()) == 80)
        totals = found()
    assert (totals["canary"]["error_rate"], totals["canary"]["active_tenants"]) == (0.25, 1)
    assert (totals["control"]["error_rate"], totals["control"]["active_tenants"]) == (0.0, 3)
    assert totals["canary"]["latency_p95"] == pytest.approx(300, rel=0.011)
