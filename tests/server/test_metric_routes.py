"""Measurements over HTTP: taken once, answered when kept, and shown to who may see them."""

from __future__ import annotations

import time
import uuid

import pytest

from flagconsole.domain.role import Role
from flagconsole.domain.sketch import bin_of

FLAG = "pos.lite"


@pytest.fixture
def api(live_server):
    assert live_server.request("POST", "/api/flags", json={"flag_name": FLAG}).status_code == 201
    body = {"current_state": "canary", "canary_tenant_ids": ["in"], "change_reason": "go"}
    assert live_server.request("PUT", f"/api/flags/{FLAG}", json=body).status_code == 200
    return live_server


def a_batch(**fields):
    start = int(time.time()) // 30 * 30 - 60
    bucket = {"start": start, "flag_name": FLAG, "tenant_id": "in", "group": "canary", "operations": 4, "successes": 3}
    bucket |= {"errors": 1, "latency": [[bin_of(0.2), 4]], "latency_seconds": 0.8, **fields}
    return {"batch_id": uuid.uuid4().hex, "instance": "i", "service": "s", "buckets": [bucket]}


def metrics(api, query="", **options):
    return api.request("GET", f"/api/flags/{FLAG}/metrics{query}", **options)


def test_what_was_answered_is_kept_and_a_repeated_batch_counts_once(api):
    body = a_batch()
    first = api.request("POST", "/api/telemetry", json=body, role=Role.SDK)
    assert first.status_code == 200
    assert first.json() == {
        "batch_id": body["batch_id"], "duplicate": False, "taken": 1, "late": 0, "early": 0, "unknown": 0
    }  # fmt: skip
    again = api.request("POST", "/api/telemetry", json=body, role=Role.SDK)
    assert again.json()["duplicate"] is True
    found = metrics(api, "?window=10m", role=Role.VIEWER).json()
    totals = found["groups"]["canary"]["totals"]
    assert (totals["operations"], totals["error_rate"]) == (4, 0.25)
    assert totals["latency_p95"] == pytest.approx(200, rel=0.011)
    assert found["age_seconds"] < 70
    assert None in found["groups"]["canary"]["series"]["operations"]
    assert 4 in found["groups"]["canary"]["series"]["operations"]
    scraped = api.request("GET", "/metrics", role=None).text
    assert "flagconsole_telemetry_taken 1.0" in scraped


def test_events_are_taken_once(api):
    event = {"kind": "csat", "tenant_id": "in", "value": 0.5, "flag_name": FLAG}
    body = {"batch_id": "helpdesk-1", "events": [event]}
    assert api.request("POST", "/api/events", json=body, role=Role.SDK).json()["taken"] == 1
    assert api.request("POST", "/api/events", json=body, role=Role.SDK).json()["duplicate"] is True
    totals = metrics(api).json()["groups"]["canary"]["totals"]
    assert (totals["csat"], totals["csat_answers"]) == (0.5, 1)


def test_measuring_makes_no_revision(api):
    before = api.request("GET", "/health", role=None).json()["revision"]
    api.request("POST", "/api/telemetry", json=a_batch())
    assert api.request("GET", "/health", role=None).json()["revision"] == before


def test_an_sdk_reports_and_does_not_look(api):
    assert metrics(api, role=Role.SDK).status_code == 403
    assert metrics(api, role=None).status_code == 401
    assert api.request("POST", "/api/telemetry", json=a_batch(), role=None).status_code == 401


def test_mistakes_are_named(api):
    wrong = api.request("POST", "/api/telemetry", json=a_batch(successes=9)).json()
    assert wrong["code"] == "invalid_input"
    assert "successes and errors can't be more than operations" in wrong["detail"]
    assert metrics(api, "?window=1w").status_code == 422
    assert metrics(api, "?window=1d&step=1s").json()["details"]["field"] == "step"
    missing = api.request("GET", "/api/flags/no.such/metrics")
    assert (missing.status_code, missing.json()["code"]) == (404, "flag_not_found")
