"""Shadow executions over HTTP: taken once, and told as a report to who may see it."""

from __future__ import annotations

import time
import uuid

import pytest

from flagconsole.domain.role import Role

from ..live_server import LiveServer

FLAG = "invoices.write"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    with LiveServer(f"sqlite:{tmp_path_factory.mktemp('shadow') / 'live.db'}") as server:
        body = {"flag_name": "billing.calculate", "default_state": "on"}
        assert server.request("POST", "/api/flags", json=body).status_code == 201
        yield server


@pytest.fixture
def api(shared_server, monkeypatch):
    """The server, with a flag of the test's own in shadow."""
    monkeypatch.setitem(globals(), "FLAG", f"invoices.write_{uuid.uuid4().hex}")
    flag = {"flag_name": FLAG, "dependencies": ["billing.calculate", "mail.queue"]}
    assert shared_server.request("POST", "/api/flags", json=flag).status_code == 201
    body = {"current_state": "shadow", "change_reason": "try it"}
    assert shared_server.request("PUT", f"/api/flags/{FLAG}", json=body).status_code == 200
    return shared_server


def now():
    return int(time.time()) // 30 * 30 - 30


def bucket(**fields):
    numbers = {"executions": 10, "successes": 9, "errors": 1, "seconds": 1.0, "compared": 8, "consistent": 6}
    more = {"live_seconds": 1.6, "intents": 5, "effects": {"database": 7, "http": 2}, "skipped": 3}
    return {"start": now(), "flag_name": FLAG, "tenant_id": "t1", "execution_type": "dry_run"} | numbers | more | fields


def finding(**fields):
    return {
        "start": now(),
        "flag_name": FLAG,
        "finding": "mismatch",
        "name": "lines[].total",
        "detail": "value",
    } | fields


def batch(*buckets, findings=()):
    return {"batch_id": uuid.uuid4().hex, "instance": "i", "service": "s", "buckets": buckets, "findings": findings}


def post(api, body, role=Role.SDK, **options):
    return api.request("POST", "/api/shadow-executions", json=body, role=role, **options)


def report(api, query="", role=Role.VIEWER, **options):
    return api.request("GET", f"/api/flags/{FLAG}/shadow-report{query}", role=role, **options)


def test_executions_become_a_report(api):
    body = batch(
        bucket(),
        bucket(tenant_id="t2", compared=0, consistent=0, live_seconds=0.0, effects={}),
        findings=[
            finding(old="12.50", new="12.49", times=2),
            finding(finding="error", name="KeyError", detail="handler"),
            finding(finding="passed", name="mail.queue", detail="", times=9),
        ],
    )
    assert post(api, body).json()["taken"] == 2
    assert post(api, body).json()["duplicate"] is True
    found = report(api).json()
    assert (found["executions"], found["by_type"], found["skipped"]) == (20, {"dry_run": 20}, 6)
    assert (found["success_rate"], found["error_rate"], found["errors"]) == (0.9, 0.1, 2)
    assert (found["mean_ms"], found["baseline_ms"], found["baseline_source"]) == (100.0, 200.0, "compared")
    assert found["effects"] == {"database": 7, "http": 2, "notification": 0, "function": 0}
    assert (found["effects_avoided"], found["intents_per_execution"]) == (9, 0.5)
    assert (found["compared"], found["mismatch_rate"]) == (8, 0.25)
    assert found["readiness"]["score"] == pytest.approx(0.5 * 0.9 + 0.3 * 0.75 + 0.2 * 0.8)
    assert found["ready_for_canary"]["ready"] is False
    assert {issue["code"] for issue in found["blocking_issues"]} == {"success_rate", "error_rate"}
    assert found["fields"] == [
        {
            "field": "lines[].total",
            "kind": "value",
            "times": 2,
            "rate": 0.25,
            "old_sample": "12.50",
            "new_sample": "12.49",
        }
    ]
    assert [(row["tenant_id"], row["mismatches"], row["mismatch_rate"]) for row in found["tenants"]] == [
        ("t1", 2, 0.25),
        ("t2", 0, None),
    ]
    assert found["dependencies"] == [
        {"name": "billing.calculate", "state": "on", "validated": True},
        {"name": "mail.queue", "state": None, "validated": True},
    ]
    assert 0 <= found["age_seconds"] < 70


def test_a_feature_that_does_well_is_ready(api):
    good = bucket(executions=200, successes=200, errors=0, compared=200, consistent=200, live_seconds=40, seconds=20)
    post(api, batch(good, findings=[finding(finding="passed", name="mail.queue", detail="", times=9)]))
    found = report(api).json()
    assert found["ready_for_canary"] == found["ready_for_production"] == {"ready": True, "reasons": []}
    assert found["blocking_issues"] == []
    assert found["readiness"]["score"] == pytest.approx(1.0)


def test_what_ran_nothing_succeeded_in_nothing(api):
    post(api, batch(bucket(execution_type="log_only", executions=50, successes=50, errors=0)))
    found = report(api).json()
    assert (found["executions"], found["by_type"], found["success_rate"]) == (0, {"log_only": 50}, None)
    assert found["blocking_issues"][0]["code"] == "no_executions"


def test_without_executions_nothing_is_claimed(api):
    found = report(api).json()
    assert (found["executions"], found["readiness"]["score"], found["age_seconds"]) == (0, None, None)
    assert all(found[name] is None for name in ("success_rate", "error_rate", "mean_ms", "consistency", "newest_at"))
    assert found["ready_for_canary"]["ready"] is False
    assert found["blocking_issues"][0]["code"] == "no_executions"


def test_the_baseline_is_what_services_measured_where_nothing_was_compared(api):
    telemetry = {"start": now(), "flag_name": FLAG, "tenant_id": "t1", "group": "shadow", "operations": 2}
    telemetry |= {"latency": [[1, 2]], "latency_seconds": 0.2}
    body = {"batch_id": uuid.uuid4().hex, "instance": "i", "service": "s", "buckets": [telemetry]}
    assert api.request("POST", "/api/telemetry", json=body, role=Role.SDK).json()["taken"] == 1
    post(api, batch(bucket(compared=0, consistent=0, live_seconds=0)))
    found = report(api).json()
    assert (found["baseline_ms"], found["baseline_source"], found["time_ratio"]) == (100.0, "measured", 1.0)


def test_a_clock_that_runs_fast_makes_nothing_look_fresher(api):
    post(api, batch(bucket(start=now() + 60), findings=[finding(start=now() + 60)]))
    found = report(api).json()
    assert (found["age_seconds"] >= 0, found["executions"], len(found["fields"])) == (True, 10, 1)
    post(api, batch(bucket(start=now() + 3600)))
    assert report(api).json()["executions"] == 10


def test_too_many_names_are_counted_together(api, monkeypatch):
    monkeypatch.setattr("flagconsole.server.telemetry_intake.NAMES_PER_BUCKET", 3)
    names = [finding(name=f"field_{number}", old="1") for number in range(9)]
    post(api, batch(bucket(), findings=names))
    found = {row["field"]: row["times"] for row in report(api).json()["fields"]}
    assert (len(found), found["other"]) == (4, 6)


def test_a_tenants_key_sees_its_own_numbers_and_nobodys_samples(api):
    post(api, batch(bucket(), bucket(tenant_id="t2"), findings=[finding(old="secret")]))
    made = api.request("POST", "/api/keys", json={"name": uuid.uuid4().hex, "role": "viewer", "tenant_id": "t2"}).json()
    found = report(api, role=None, headers={"Authorization": f"Bearer {made['secret']}"}).json()
    assert (found["executions"], [row["tenant_id"] for row in found["tenants"]], found["fields"]) == (10, ["t2"], [])


def test_who_may_report_and_who_may_look(api):
    assert post(api, batch(bucket()), role=None).status_code == 401
    assert report(api, role=Role.SDK).status_code == 403
    made = api.request("POST", "/api/keys", json={"name": uuid.uuid4().hex, "role": "sdk", "tenant_id": "t2"}).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert post(api, batch(bucket()), role=None, headers=headers).json()["details"]["field"] == "tenant_id"
    assert post(api, batch(bucket(tenant_id="t2")), role=None, headers=headers).status_code == 200
    refused = post(api, batch(findings=[finding()]), role=None, headers=headers)
    assert refused.json()["details"]["field"] == "findings"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"successes": 10}, "successes and errors can't be more than executions"),
        ({"consistent": 9}, "consistent can't be more than compared"),
        ({"start": 31}, "must start at multiples of 30 s"),
        ({"execution_type": "wet_run"}, "execution_type"),
        ({"effects": {"email": 1}}, "effects"),
    ],
)
def test_mistakes_are_named(api, wrong, said):
    answer = post(api, batch(bucket(**wrong)))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert said in str(answer.json())


def test_windows_and_flags_that_are_not_there(api):
    assert report(api, "?window=1m").json()["details"]["field"] == "window"
    missing = api.request("GET", "/api/flags/no.such/shadow-report")
    assert (missing.status_code, missing.json()["code"]) == (404, "flag_not_found")
    gone = post(api, batch(bucket(flag_name="no.such"))).json()
    assert (gone["unknown"], gone["taken"]) == (1, 0)
