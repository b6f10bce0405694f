"""The HTTP face: field names, versions, idempotency, roles, and errors that say what would be right."""

from __future__ import annotations

import time

import pytest

from flagconsole.domain.role import Role
from flagconsole.operations.permissions import PERMISSIONS, Operation

from ..live_server import LiveServer

NEW = {"flag_name": "invoices.write", "flag_type": "domain", "dependencies": ["billing.calculate"]}


@pytest.fixture
def api(live_server):
    assert live_server.request("POST", "/api/flags", json=NEW).status_code == 201
    return live_server


def put(api, **body):
    headers = body.pop("headers", {})
    return api.request("PUT", "/api/flags/invoices.write", json={"change_reason": "go", **body}, headers=headers)


def kill(api, **options):
    return api.request("POST", "/api/flags/invoices.write/kill", json={"kill_reason": "errors"}, **options)


def test_the_bare_calls_of_runbooks_work(api):
    assert put(api, current_state="canary", canary_percentage=10).json()["flag"]["canary_percentage"] == 10
    override = {
        "override_state": "on",
        "override_reason": "pilot",
        "tenant_id": "t1",
        "expires_at": "2126-01-01T00:00:00Z",
    }
    assert api.request("PUT", "/api/flags/invoices.write/override", json=override).status_code == 200
    listing = api.request("GET", "/api/flags?tenant_id=t1").json()
    assert listing["effective_states"] == {"invoices.write": "on"}
    assert [o["tenant_id"] for o in listing["overrides"]] == ["t1"]
    detail = api.request("GET", "/api/flags/invoices.write?tenant_id=t1").json()
    assert detail["effective_state"] == "on"
    assert detail["override"]["override_reason"] == "pilot"
    gone = api.request("DELETE", "/api/flags/invoices.write/override?tenant_id=t1")
    assert gone.json()["override"] is None
    body = {"rollback_reason": "worse", "target_change_id": 1}
    assert api.request("POST", "/api/flags/invoices.write/rollback", json=body).json()["flag"]["current_state"] == "off"
    assert kill(api).json()["flag"]["current_state"] == "kill"
    assert api.request("GET", "/health", role=None).json()["feature_flags"] == {"invoices.write": "kill"}


def test_if_match_guards_a_raise_and_tells_who_moved_the_flag(api):
    version = api.request("GET", "/api/flags/invoices.write").headers["ETag"]
    assert version == '"1"'
    assert put(api, current_state="shadow", headers={"If-Match": version}).status_code == 200
    conflict = put(api, current_state="on", headers={"If-Match": version})
    assert conflict.status_code == 412
    problem = conflict.json()
    assert problem["code"] == "version_conflict"
    assert problem["details"]["changed_by"].startswith("admin-")
    assert problem["details"]["changed_at"]
    assert put(api, current_state="off", headers={"If-Match": version}).status_code == 200


def test_an_environment_may_demand_versions(tmp_path):
    with LiveServer(f"sqlite:{tmp_path / 'strict.db'}", requires_versions=True) as api:
        api.request("POST", "/api/flags", json=NEW)
        assert put(api, current_state="on").status_code == 428
        assert put(api, current_state="on", headers={"If-Match": '"1"'}).status_code == 200
        assert kill(api).status_code == 200


def test_a_repeated_request_is_answered_and_not_repeated(api):
    headers = {"Idempotency-Key": "attempt-1"}
    first, again = kill(api, headers=headers), kill(api, headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == {**first.json(), "replayed": True}
    other = {"kill_reason": "another reason"}
    reused = api.request("POST", "/api/flags/invoices.write/kill", json=other, headers=headers)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


def test_a_dry_run_changes_nothing(api):
    assert kill(api, params={"dry_run": "true"}).json()["flag"]["current_state"] == "kill"
    assert api.request("GET", "/api/flags/invoices.write").json()["flag"]["current_state"] == "off"


def test_history_and_last_change_tell_who_and_why(api):
    kill(api)
    [newest, first] = api.request("GET", "/api/flags/invoices.write/history").json()["changes"]
    assert (newest["change_reason"], newest["change_type"], newest["previous"]["current_state"]) == (
        "errors",
        "kill_switch",
        "off",
    )
    assert newest["previous_hash"] == first["hash"]
    [flag] = api.request("GET", "/api/flags").json()["flags"]
    assert flag["last_change"]["change_reason"] == "errors"
    assert api.request("GET", "/api/history?domain=invoices&limit=1").json()["next_before"] == 2
    assert api.request("GET", "/api/audit/verify").json()["verified"]


def test_archived_names_stay_taken(api):
    assert api.request("DELETE", "/api/flags/invoices.write").status_code == 422
    assert api.request("DELETE", "/api/flags/invoices.write?change_reason=done").status_code == 200
    assert api.request("GET", "/api/flags/invoices.write").json()["code"] == "flag_not_found"
    assert api.request("POST", "/api/flags", json=NEW).json()["code"] == "flag_name_retired"


def test_snapshots_are_not_sent_twice(api):
    first = api.request("GET", "/api/snapshot", role=Role.SDK)
    assert [f["flag_name"] for f in first.json()["flags"]] == ["invoices.write"]
    headers = {"If-None-Match": first.headers["ETag"]}
    assert api.request("GET", "/api/snapshot", headers=headers).status_code == 304
    kill(api)
    second = api.request("GET", "/api/snapshot", headers=headers)
    assert (second.status_code, second.json()["revision"]) == (200, 2)


def test_a_client_that_is_ahead_is_never_given_older_data(api):
    epoch = api.request("GET", "/api/status").json()["epoch"]
    for path in ("/api/snapshot", "/api/flags", "/api/flags/invoices.write", "/api/status", "/api/instances"):
        same = api.request("GET", path, headers={"X-Flagconsole-Position": f"{epoch}:1"})
        ahead = api.request("GET", path, headers={"X-Flagconsole-Position": f"{epoch}:2"})
        assert same.status_code == 200
        assert (ahead.status_code, ahead.json()["code"]) == (503, "replica_behind")


def test_receipts_tell_who_has_applied_what(api):
    revision = kill(api).json()["revision"]
    epoch = api.request("GET", "/api/status").json()["epoch"]

    def report(instance, applied, **fields):
        body = {
            "service": "billing",
            "sdk_version": "1",
            "epoch": epoch,
            "receipts": [{"revision": r, "applied_at": "2026-11-22T03:14:00Z"} for r in applied],
            **fields,
        }
        answer = api.request("POST", f"/api/instances/{instance}/receipt", json=body, role=Role.SDK)
        assert answer.json() == {"epoch": epoch, "revision": revision}

    report("i1", [1, revision])
    report("i2", [1])
    report("i3", [], leaving=True)
    found = api.request("GET", f"/api/instances?revision={revision}").json()
    assert (found["expected"], found["confirmed"]) == (2, 1)
    assert {i["instance_id"]: (i["revision"], i["presence"]) for i in found["instances"]} == {
        "i1": (2, "live"),
        "i2": (1, "live"),
        "i3": (0, "left"),
    }
    report("i1", [1])  # late and out of order: what was confirmed stays confirmed
    assert api.request("GET", "/api/instances").json()["confirmed"] == 1


def test_when_a_receipt_was_is_a_written_time_and_no_bare_number(api):
    body = {"service": "billing", "sdk_version": "1", "epoch": "e", "receipts": [{"revision": 1, "applied_at": 0}]}
    answer = api.request("POST", "/api/instances/i1/receipt", json=body, role=Role.SDK)
    assert answer.status_code == 422
    assert "must be a time such as" in answer.text
    assert api.request("GET", "/api/instances").json()["instances"] == []


def test_blast_radius_counts_tenants_and_dependents(api):
    dependent = {"flag_name": "invoices.auto_send", "dependencies": ["invoices.write"]}
    api.request("POST", "/api/flags", json=dependent)
    api.request("PUT", "/api/tenants", json={"tenants": [{"tenant_id": f"t{n}"} for n in range(5)]})
    put(api, current_state="on")
    api.request("PUT", "/api/flags/invoices.auto_send", json={"change_reason": "x", "current_state": "on"})
    blast = api.request("GET", "/api/flags/invoices.write/blast-radius").json()
    assert (blast["losing"], blast["tenants"]) == (5, 5)
    assert blast["dependents"] == [{"flag_name": "invoices.auto_send", "tenants": 5, "after": "off"}]


ROUTES = [
    (Operation.READ, "GET", "/api/status", None),
    (Operation.READ, "GET", "/api/history", None),
    (Operation.READ, "GET", "/api/instances", None),
    (Operation.READ, "GET", "/api/tenants", None),
    (Operation.READ, "GET", "/api/audit/verify", None),
    (Operation.READ, "GET", "/api/flags/invoices.write/history", None),
    (Operation.READ, "GET", "/api/flags/invoices.write/blast-radius", None),
    (Operation.READ_RULES, "GET", "/api/flags", None),
    (Operation.READ_RULES, "GET", "/api/flags/invoices.write", None),
    (Operation.READ_RULES, "GET", "/api/snapshot", None),
    (Operation.CREATE, "POST", "/api/flags", {"flag_name": "a.b"}),
    (Operation.UPDATE, "PUT", "/api/flags/invoices.write", {"change_reason": "x", "owner": "me"}),
    (Operation.KILL, "POST", "/api/flags/invoices.write/kill", {"kill_reason": "x"}),
    (Operation.REVIVE, "POST", "/api/flags/invoices.write/revive", {"revive_reason": "x"}),
    (Operation.ROLLBACK, "POST", "/api/flags/invoices.write/rollback", {"rollback_reason": "x"}),
    (
        Operation.OVERRIDE,
        "PUT",
        "/api/flags/invoices.write/override",
        {"override_state": "off", "override_reason": "x", "tenant_id": "t"},
    ),
    (Operation.OVERRIDE, "DELETE", "/api/flags/invoices.write/override?tenant_id=t", None),
    (Operation.ARCHIVE, "DELETE", "/api/flags/invoices.write?change_reason=x", None),
    (Operation.PUT_TENANTS, "PUT", "/api/tenants", {"tenants": []}),
    (Operation.KEYS, "GET", "/api/keys", None),
    (Operation.KEYS, "POST", "/api/keys", {"name": "n", "role": "sdk"}),
    (Operation.KEYS, "DELETE", "/api/keys/key-1", None),
    (
        Operation.REPORT,
        "POST",
        "/api/instances/i/receipt",
        {"service": "s", "sdk_version": "1", "epoch": "e"},
    ),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with LiveServer(f"sqlite:{tmp_path_factory.mktemp('roles') / 'flags.db'}") as server:
        server.request("POST", "/api/flags", json=NEW)
        yield server


@pytest.mark.parametrize(("operation", "method", "path", "body"), ROUTES)
def test_each_role_may_do_what_the_table_says(shared, operation, method, path, body):
    ladder = [Role.VIEWER, Role.OPERATOR, Role.ADMIN]
    least = PERMISSIONS[operation].least_role
    nobody = shared.request(method, path, role=None, json=body)
    assert (nobody.status_code, nobody.headers["WWW-Authenticate"]) == (401, "Bearer")
    stranger = shared.request(method, path, role=None, json=body, headers={"Authorization": "Bearer fc_admin_guess"})
    assert stranger.status_code == 401
    for role in Role:
        allowed = least is Role.SDK or (role in ladder and ladder.index(role) >= ladder.index(least))
        asked = path
        if method != "GET" and not path.startswith("/api/keys"):
            asked += f"{'&' if '?' in path else '?'}dry_run=true"
        answer = shared.request(method, asked, role=role, json=body)
        assert (answer.status_code != 403) == allowed, (role, answer.text)


def test_a_revoked_key_opens_nothing_more(api):
    made = api.request("POST", "/api/keys", json={"name": "temp", "role": "viewer"}).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert api.request("GET", "/api/flags", role=None, headers=headers).status_code == 200
    assert api.request("DELETE", f"/api/keys/{made['api_key']['key_id']}").status_code == 200
    assert api.request("GET", "/api/flags", role=None, headers=headers).status_code == 401


def test_an_expired_override_disappears_by_itself(api):
    put(api, current_state="on")
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    body = {"override_state": "off", "override_reason": "x", "tenant_id": "t1", "expires_at": soon}
    assert api.request("PUT", "/api/flags/invoices.write/override", json=body).status_code == 200
    deadline = time.monotonic() + 10
    while api.request("GET", "/api/flags").json()["overrides"]:
        assert time.monotonic() < deadline
    while (newest := api.request("GET", "/api/history").json()["changes"][0])["action"] != "override_expired":
        assert time.monotonic() < deadline
    assert newest["change_type"] == "automated"


def test_metrics_are_prometheus_text(api):
    kill(api)
    text = api.request("GET", "/metrics", role=None).text
    assert 'flagconsole_changes_total{action="killed"} 1.0' in text
    assert "flagconsole_revision 2.0" in text
