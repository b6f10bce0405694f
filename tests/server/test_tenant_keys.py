"""Another tenant's name is put wherever it can be, and no answer and no stream of a tenant's key has it."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from flagconsole.domain.payload import apply_event, parse_snapshot
from flagconsole.domain.role import Role
from flagconsole.operations.permissions import PERMISSIONS, Operation, Scope
from flagconsole.server.route_table import ROUTES

from ..live_server import LiveServer
from ..unleash_reference import Reference

OWN, OTHER = "tenant-own", "tenant-other"
#: Enough known tenants for a cohort to be drawn.
CROWD = [f"tenant-other-{number:02}" for number in range(40)]
FLAGS = ["a.on", "a.chosen", "a.drawn", "a.mine", "a.killed", "a.below"]


def change(server, method, path, body=None, **options):
    answer = server.request(method, path, json=body, **options)
    assert answer.status_code < 300, answer.text
    return answer.json()


def override(server, name, tenant, state, **options):
    body = {"override_state": state, "override_reason": f"{tenant} asked for it", "tenant_id": tenant}
    change(server, "PUT", f"/api/flags/{name}/override", body, **options)


def put(server, name, state, **more):
    reason = f"since {OTHER} complained"
    change(server, "PUT", f"/api/flags/{name}", {"change_reason": reason, "current_state": state, **more})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LiveServer(f"sqlite:{tmp_path_factory.mktemp('tenants') / 'flags.db'}") as running:
        well = {"users": 10, "risk_score": 0.1, "engagement_score": 0.9, "beta_participant": True}
        people = [{"tenant_id": name, "name": f"Shop of {name}", **well} for name in (OWN, OTHER, *CROWD)]
        change(running, "PUT", "/api/tenants", {"tenants": people})
        for name in FLAGS:
            needs = ["a.chosen"] if name == "a.below" else []
            change(running, "POST", "/api/flags", {"flag_name": name, "dependencies": needs})
        put(running, "a.on", "on")
        put(running, "a.below", "on")
        put(running, "a.chosen", "canary", canary_percentage=100, canary_tenant_ids=[OTHER, *CROWD])
        change(running, "POST", "/api/flags/a.drawn/cohort", {"change_reason": "x", "percentage": 10, "seed": 1})
        for name in FLAGS:
            override(running, name, OTHER, "off")
        override(running, "a.mine", OWN, "on")
        change(running, "POST", "/api/flags/a.killed/kill", {"kill_reason": f"{OTHER} is down"})
        change(running, "POST", "/api/keys", {"name": f"{OTHER}'s", "role": "sdk", "tenant_id": OTHER})
        receipt = {"service": f"for-{OTHER}", "sdk_version": "1", "epoch": "e", "receipts": []}
        change(running, "POST", f"/api/instances/{OTHER}-1/receipt", receipt)
        yield running


@pytest.fixture(scope="module")
def keys(server):
    """A key of each role, bound to the tenant."""
    made = {}
    for role in Role:
        body = {"name": f"own {role.value}", "role": role.value, "tenant_id": OWN}
        made[role] = change(server, "POST", "/api/keys", body)["secret"]
    return made


STREAMS = {"/api/stream", "/api/client/streaming", "/ofrep/v1/stream"}
READING = [
    call
    for call, operation in ROUTES.items()
    if operation is not None and call.startswith(("GET ", "POST /ofrep")) and call.split(" ")[1] not in STREAMS
]


@pytest.mark.parametrize("call", READING)
def test_no_answer_names_another_tenant(server, keys, call):
    method, path = call.split(" ")
    scope = PERMISSIONS[ROUTES[call]].scope
    answered = 0
    for secret in keys.values():
        for name in FLAGS if "{" in path else FLAGS[:1]:
            filled = path.replace("{name}", name).replace("{key:any_text}", name).replace("{incident_id}", "inc-1")
            answer = server.request(
                method,
                filled,
                headers={"Authorization": f"Bearer {secret}"},
                json={"context": {}} if method == "POST" else None,
            )
            assert OTHER not in answer.text, (filled, answer.text)
            assert OTHER not in str(answer.headers)
            answered += answer.status_code == 200
    assert (answered > 0) is (scope is Scope.OWN)


@pytest.mark.parametrize("path", ["/api/flags", "/api/flags/a.on", "/api/history", "/api/flags/a.on/history"])
def test_asking_for_another_tenant_is_answered_as_for_one_that_is_not_there(server, keys, path):
    headers = {"Authorization": f"Bearer {keys[Role.VIEWER]}"}
    answers = [
        server.request("GET", path, headers=headers, params={"tenant_id": tenant}) for tenant in (OTHER, "nobody-known")
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    texts = [answer.text.replace(OTHER, "X").replace("nobody-known", "X") for answer in answers]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMIN])
def test_changing_another_tenant_is_answered_as_for_one_that_is_not_there(server, keys, role):
    headers = {"Authorization": f"Bearer {keys[role]}"}
    answers = []
    for tenant in (OTHER, "nobody-known"):
        body = {"override_state": "off", "override_reason": "x", "tenant_id": tenant}
        answers.append(server.request("PUT", "/api/flags/a.on/override", json=body, headers=headers))
        answers.append(
            server.request("DELETE", "/api/flags/a.on/override", params={"tenant_id": tenant}, headers=headers)
        )
    assert {answer.status_code for answer in answers} == {422}
    texts = [answer.text.replace(OTHER, "X").replace("nobody-known", "X") for answer in answers]
    assert texts[:2] == texts[2:]


def test_what_the_key_changes_and_is_refused_names_nobody_else(server, keys):
    headers = {"Authorization": f"Bearer {keys[Role.ADMIN]}"}
    body = {"override_state": "on", "override_reason": "ours"}
    done = server.request("PUT", "/api/flags/a.chosen/override", json=body, headers=headers)
    assert (done.status_code, done.json()["override"]["tenant_id"]) == (200, OWN)
    removed = server.request("DELETE", "/api/flags/a.chosen/override", headers=headers)
    override(server, "a.chosen", OTHER, "off")
    refused = server.request("PUT", "/api/flags/a.chosen/override", json=body, headers={**headers, "If-Match": '"1"'})
    assert (removed.status_code, refused.status_code) == (200, 412)
    assert not [answer.text for answer in (done, removed, refused) if OTHER in answer.text]


def test_the_snapshot_and_the_answers_are_right_for_the_tenant(server, keys):
    headers = {"Authorization": f"Bearer {keys[Role.SDK]}"}
    whole = parse_snapshot(server.request("GET", "/api/snapshot").content)
    answer = server.request("GET", "/api/snapshot", headers=headers)
    seen = parse_snapshot(answer.content)
    listing = server.request("GET", "/api/flags", headers=headers).json()
    flags = server.request("POST", "/ofrep/v1/evaluate/flags", headers=headers, json={"context": {}}).json()["flags"]
    unleash = Reference()
    unleash.take(server.request("GET", "/api/client/features", headers=headers).text)
    for name in FLAGS:
        expected = whole.evaluate(name, OWN, time.time())
        assert seen.evaluate(name, OWN, time.time()) == expected
        assert listing["evaluations"][name]["state"] == expected.state
        assert {flag["key"]: flag["value"] for flag in flags}[name] is expected.enabled
        assert unleash.is_enabled(name, {"tenantId": OWN}, datetime.now(UTC)) is expected.enabled
    assert seen.evaluate("a.mine", OWN, time.time()).enabled
    again = {**headers, "If-None-Match": answer.headers["etag"]}
    assert server.request("GET", "/api/snapshot", headers=again).status_code == 304


def test_what_one_key_was_given_is_not_what_another_one_holds(server, keys):
    own = {"Authorization": f"Bearer {keys[Role.SDK]}"}
    for path in ("/api/snapshot", "/api/client/features"):
        tag = server.request("GET", path).headers["etag"]
        assert server.request("GET", path, headers={**own, "If-None-Match": tag}).status_code == 200
        tag = server.request("GET", path, headers=own).headers["etag"]
        assert server.request("GET", path, headers={**own, "If-None-Match": tag}).status_code == 304
        assert server.request("GET", path, headers={"If-None-Match": tag}).status_code == 200


@contextmanager
def lines(server, path, secret, **headers):
    headers["Authorization"] = f"Bearer {secret}"
    with httpx.stream("GET", server.url + path, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        yield answer.iter_lines()


def every_kind_of_change(server):
    """Changes that name the other tenant, each of another kind. The last one is the tenant's own."""
    put(server, "a.chosen", "canary", canary_tenant_ids=[OTHER, OWN])
    override(server, "a.on", OTHER, "on")
    change(server, "DELETE", f"/api/flags/a.on/override?tenant_id={OTHER}&override_reason={OTHER}-left")
    put(server, "a.chosen", "canary", canary_tenant_ids=[OTHER])
    change(server, "POST", "/api/flags/a.chosen/kill", {"kill_reason": f"{OTHER} again"})
    version = server.request("GET", "/api/flags/a.chosen").json()["flag"]["version"]
    revive = {"revive_reason": f"{OTHER} is well", "state": "off"}
    change(server, "POST", "/api/flags/a.chosen/revive", revive, headers={"If-Match": f'"{version}"'})
    new = f"b.new-{version}"
    change(server, "POST", "/api/flags", {"flag_name": new})
    change(server, "DELETE", f"/api/flags/{new}?change_reason={OTHER}")
    change(server, "POST", "/api/flags/a.drawn/cohort", {"change_reason": OTHER, "percentage": 20, "seed": 1})
    override(server, "a.on", OWN, "off")
    override(server, "a.on", OWN, "on")


def test_the_stream_names_nobody_else_and_stays_right_at_each_revision(server, keys):
    with lines(server, "/api/stream", keys[Role.SDK]) as stream:
        rules, event, position, text = None, "", "", []
        for line in stream:
            text.append(line)
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "id":
                position = value
            elif name == "data" and event == "snapshot":
                rules = parse_snapshot(value)
                every_kind_of_change(server)
                head = server.request("GET", "/health").json()["revision"]
            elif name == "data" and event == "change":
                before, rules = rules, apply_event(rules, value)
                assert rules is not None, "the event didn't follow"
                assert rules.revision == before.revision + 1 == int(position.split(":")[1])
                assert rules.tenant == OWN
                if rules.revision == head:
                    own_change = json.loads(value)["change"]
                    break
    assert OTHER not in "\n".join(text)
    assert (own_change["tenant_id"], own_change["change_reason"]) == (OWN, f"{OWN} asked for it")
    whole = parse_snapshot(server.request("GET", "/api/snapshot").content)
    for name in FLAGS:
        assert rules.evaluate(name, OWN, time.time()) == whole.evaluate(name, OWN, time.time())
    with lines(server, "/api/stream", keys[Role.SDK], **{"Last-Event-ID": f"{rules.epoch}:{head - 3}"}) as stream:
        again = [next(stream) for _ in range(7)]
    assert "event: snapshot" in again  # what is kept of the past is for keys that see all
    assert OTHER not in "\n".join(again)


def test_unleashs_stream_names_nobody_else_and_stays_right(server, keys):
    client, text = Reference(), []
    with lines(server, "/api/client/streaming", keys[Role.SDK]) as stream:
        head = None
        for line in stream:
            text.append(line)
            name, _, value = line.partition(": ")
            if name == "id" and head is not None and int(value.split(":")[1]) >= head:
                client.take(next(stream).removeprefix("data: "))
                break
            if name == "data":
                client.take(value)
                if head is None:
                    every_kind_of_change(server)
                    head = server.request("GET", "/health").json()["revision"]
    assert OTHER not in "\n".join(text)
    whole = parse_snapshot(server.request("GET", "/api/snapshot").content)
    for name in FLAGS:
        expected = whole.evaluate(name, OWN, time.time()).enabled
        assert client.is_enabled(name, {"tenantId": OWN}, datetime.now(UTC)) is expected
        assert not client.is_enabled(name, {"tenantId": OTHER}, datetime.now(UTC))


@pytest.mark.parametrize("topics", ["receipts", "incidents", "rollouts"])
def test_more_on_the_stream_is_refused(server, keys, topics):
    headers = {"Authorization": f"Bearer {keys[Role.ADMIN]}"}
    refused = server.request("GET", f"/api/stream?include={topics}", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "beyond_tenant")


def test_keys_that_are_bound_to_none_still_see_all(server):
    answer = server.request("GET", "/api/snapshot", role=Role.SDK)
    assert OTHER in answer.text
    assert OTHER in server.request("GET", "/api/history").text
    assert PERMISSIONS[Operation.READ_RULES].scope is Scope.OWN


def test_a_tenants_key_confirms_for_nobody_else(server, keys):
    """Else a tenant could make a kill look confirmed that isn't."""
    head = server.request("GET", "/health").json()
    receipts = [{"revision": head["revision"], "applied_at": "2026-11-22T03:14:00Z"}]
    body = {"service": "x", "sdk_version": "1", "epoch": head["epoch"], "receipts": receipts}
    headers = {"Authorization": f"Bearer {keys[Role.SDK]}"}
    change(server, "POST", f"/api/instances/{OTHER}-1/receipt", body, headers=headers)
    who = {**headers, "UNLEASH-APPNAME": "x", "UNLEASH-INSTANCEID": f"{OTHER}-1"}
    assert server.request("GET", "/api/client/features", headers=who).status_code == 200
    with lines(server, "/api/stream", keys[Role.SDK], **{"X-Flagconsole-Instance": "of-the-stream"}) as stream:
        next(stream)
    instances = {item["instance_id"]: item for item in server.request("GET", "/api/instances").json()["instances"]}
    assert instances[f"{OTHER}-1"]["revision"] == 0
    assert instances[f"{OTHER}-1@{OWN}"]["revision"] == head["revision"]
    assert {f"unleash:{OTHER}-1@{OWN}", f"of-the-stream@{OWN}"} <= set(instances)


def test_nobody_confirms_what_is_not_there_yet(server):
    head = server.request("GET", "/health").json()
    receipts = [{"revision": head["revision"] + 1, "applied_at": "2026-11-22T03:14:00Z"}]
    body = {"service": "x", "sdk_version": "1", "epoch": head["epoch"], "receipts": receipts}
    refused = server.request("POST", "/api/instances/early/receipt", json=body, role=Role.SDK)
    assert (refused.status_code, refused.json()["code"]) == (503, "replica_behind")
    assert "early" not in {item["instance_id"] for item in server.request("GET", "/api/instances").json()["instances"]}
