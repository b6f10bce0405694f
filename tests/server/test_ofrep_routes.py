"""OFREP: our answers against its own description, the mapping of states, and the stream that says when to ask again."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from ruamel.yaml import YAML
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from flagconsole.domain.role import Role

from ..live_server import LiveServer

BULK = "/ofrep/v1/evaluate/flags"


def contract():
    """The description, with what it says in words of an answer without a value: else every answer would count for one too."""
    document = YAML(typ="safe").load(Path(__file__).parent.parent / "contracts" / "ofrep-openapi.yaml")
    document["components"]["schemas"]["codeDefaultFlag"]["not"] = {"required": ["value"]}
    return document


def schema_of(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}", "components": contract()["components"]})


SINGLE, ANSWERS, FAILURE = (
    schema_of(name) for name in ("serverEvaluationSuccess", "bulkEvaluationSuccess", "evaluationFailure")
)
NOT_FOUND, EVENT = schema_of("flagNotFound"), schema_of("sseEventData")


def furnished(live_server):
    """A server with a flag in each state."""
    for name in ("a.off", "a.shadow", "a.canary", "a.on", "a.killed", "a.dependent"):
        body = {"flag_name": name, "dependencies": ["a.off"] if name == "a.dependent" else []}
        assert live_server.request("POST", "/api/flags", json=body).status_code == 201
    put(live_server, "a.shadow", "shadow")
    put(live_server, "a.canary", "canary", canary_tenant_ids=["t-in"])
    put(live_server, "a.on", "on")
    put(live_server, "a.dependent", "on")
    put(live_server, "a.killed", "on")
    kill(live_server, "a.killed")
    return live_server


@pytest.fixture
def api(live_server):
    return furnished(live_server)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """For tests that change nothing."""
    with LiveServer(f"sqlite:{tmp_path_factory.mktemp('ofrep') / 'flags.db'}") as server:
        yield furnished(server)


def put(api, name, state, **more):
    body = {"change_reason": "x", "current_state": state, **more}
    answer = api.request("PUT", f"/api/flags/{name}", json=body)
    assert answer.status_code == 200, answer.text


def kill(api, name):
    assert api.request("POST", f"/api/flags/{name}/kill", json={"kill_reason": "x"}).status_code == 200


def ask(api, key, context, **options):
    return api.request("POST", f"{BULK}/{key}", role=Role.SDK, json={"context": context}, **options)


def ask_all(api, context, **options):
    return api.request("POST", BULK, role=Role.SDK, json={"context": context}, **options)


@pytest.mark.parametrize(
    ("key", "tenant", "value", "reason", "variant"),
    [
        ("a.off", "t", False, "DISABLED", "off"),
        ("a.shadow", "t", False, "STATIC", "shadow"),
        ("a.canary", "t-in", True, "SPLIT", "canary"),
        ("a.canary", "t-out", False, "SPLIT", "off"),
        ("a.on", "t", True, "STATIC", "on"),
        ("a.killed", "t", False, "DISABLED", "kill"),
        ("a.dependent", "t", False, "DISABLED", "off"),
    ],
)
def test_each_state_has_its_value_reason_and_variant(shared, key, tenant, value, reason, variant):
    answer = ask(shared, key, {"targetingKey": tenant})
    body = answer.json()
    assert answer.status_code == 200
    SINGLE.validate(body)
    assert (body["key"], body["value"], body["reason"], body["variant"]) == (key, value, reason, variant)
    assert body["metadata"]["state"] == variant
    assert body["metadata"].get("dependency") == ("a.off" if key == "a.dependent" else None)


@pytest.mark.parametrize(("state", "value"), [("on", True), ("shadow", False), ("off", False)])
def test_an_override_is_a_targeting_match(api, state, value):
    body = {"override_state": state, "override_reason": "x", "tenant_id": "t"}
    assert api.request("PUT", "/api/flags/a.off/override", json=body).status_code == 200
    body = ask(api, "a.off", {"targetingKey": "t"}).json()
    assert (body["value"], body["reason"], body["variant"]) == (value, "TARGETING_MATCH", state)


def test_a_kill_says_false_and_never_leaves_the_value_to_the_clients_code(api):
    kill(api, "a.on")
    for body in (ask(api, "a.on", {}).json(), *ask_all(api, {}).json()["flags"]):
        if body["key"] in ("a.on", "a.killed"):
            assert body["value"] is False
            assert body["reason"] == "DISABLED"


def test_keys_may_be_percent_encoded(shared):
    assert ask(shared, "a%2Eon", {"targetingKey": "t"}).json()["key"] == "a.on"
    assert ask(shared, "%61.on", {"targetingKey": "t"}).json()["key"] == "a.on"
    unknown = ask(shared, "a%2Fon", {"targetingKey": "t"})
    assert (unknown.status_code, unknown.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")
    NOT_FOUND.validate(unknown.json())


def test_without_a_tenant_what_is_the_same_for_all_is_answered(shared):
    for key, status in (("a.off", 200), ("a.on", 200), ("a.killed", 200), ("a.dependent", 200), ("a.canary", 400)):
        for body in ({"context": {}}, {}, {"context": {"targetingKey": ""}}):
            answer = shared.request("POST", f"{BULK}/{key}", role=Role.SDK, json=body)
            assert answer.status_code == status, (key, body)
            if status == 400:
                FAILURE.validate(answer.json())
                assert answer.json()["errorCode"] == "TARGETING_KEY_MISSING"
                assert "targetingKey" in answer.json()["errorDetails"]


def test_without_a_tenant_an_override_of_a_dependency_is_not_passed_over(api):
    put(api, "a.off", "on")
    assert ask(api, "a.dependent", {}).json()["value"] is True
    body = {"override_state": "off", "override_reason": "x", "tenant_id": "t"}
    assert api.request("PUT", "/api/flags/a.off/override", json=body).status_code == 200
    assert ask(api, "a.dependent", {}).json()["errorCode"] == "TARGETING_KEY_MISSING"
    assert ask(api, "a.dependent", {"targetingKey": "t"}).json()["value"] is False


def test_a_tenants_key_needs_no_targeting_key_and_takes_no_other(api):
    made = api.request("POST", "/api/keys", json={"name": "t-in's", "role": "sdk", "tenant_id": "t-in"}).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    mine = ask(api, "a.canary", {}, headers=headers)
    assert mine.json()["value"] is True
    others = ask(api, "a.canary", {"targetingKey": "t-out"}, headers=headers)
    assert (others.status_code, others.json()["errorCode"]) == (400, "INVALID_CONTEXT")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b"", "PARSE_ERROR"),
        (b'{"context": {"a": 1, "a": 2}}', "PARSE_ERROR"),
        (b'{"context": {"n": NaN}}', "PARSE_ERROR"),
        (b"[]", "INVALID_CONTEXT"),
        (b'{"context": []}', "INVALID_CONTEXT"),
        (b'{"context": null}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": 7}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": "a\\u001bb"}}', "INVALID_CONTEXT"),
    ],
)
@pytest.mark.parametrize("path", [BULK, f"{BULK}/a.on"])
def test_a_bad_request_is_400_with_its_details(shared, path, body, code):
    answer = shared.request("POST", path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert answer.json()["errorDetails"]
    assert "\x1b" not in answer.text
    assert answer.json().get("key") == (None if path == BULK else "a.on")


def test_keys_are_taken_as_the_contract_says_and_bad_ones_refused(shared):
    secret = shared.keys[Role.SDK]
    for headers in ({"X-API-Key": secret}, {"Authorization": f"Bearer {secret}"}, {"Authorization": secret}):
        assert shared.request("POST", BULK, role=None, json={"context": {}}, headers=headers).status_code == 200
    for headers in ({}, {"X-API-Key": "fc_sdk_wrong"}, {"Authorization": "Basic abc"}):
        assert shared.request("POST", BULK, role=None, json={"context": {}}, headers=headers).status_code == 401


def test_all_flags_come_at_once_with_a_stream_and_a_tag(shared):
    answer = ask_all(shared, {"targetingKey": "t-in"})
    ANSWERS.validate(answer.json())
    flags = {flag["key"]: flag["value"] for flag in answer.json()["flags"]}
    assert flags == {
        "a.canary": True, "a.dependent": False, "a.killed": False, "a.off": False, "a.on": True, "a.shadow": False,
    }  # fmt: skip
    (stream,) = answer.json()["eventStreams"]
    assert stream["type"] == "sse"
    assert stream["endpoint"]["requestUri"].startswith("/ofrep/v1/stream?ticket=")
    assert shared.keys[Role.SDK] not in answer.text


def test_without_a_tenant_each_flag_that_needs_one_says_so(shared):
    answer = ask_all(shared, {})
    ANSWERS.validate(answer.json())
    failed = {flag["key"]: flag["errorCode"] for flag in answer.json()["flags"] if "errorCode" in flag}
    assert failed == {"a.canary": "TARGETING_KEY_MISSING"}


def test_the_tag_covers_the_answers_and_the_context(api):
    tag = ask_all(api, {"targetingKey": "t"}).headers["etag"]
    again = ask_all(api, {"targetingKey": "t"}, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert ask_all(api, {"targetingKey": "t"}, headers={"If-None-Match": f'"x", W/{tag}'}).status_code == 304
    # The same answers, of somebody else.
    other = ask_all(api, {"targetingKey": "t2"}, headers={"If-None-Match": tag})
    assert other.status_code == 200
    kill(api, "a.on")
    after = ask_all(api, {"targetingKey": "t"}, headers={"If-None-Match": tag})
    assert after.status_code == 200
    assert after.headers["etag"] != tag


def test_what_leaves_the_answers_alone_leaves_the_tag_alone(api):
    tag = ask_all(api, {"targetingKey": "t"}).headers["etag"]
    kill(api, "a.killed")  # for the second time
    assert api.request("POST", "/api/keys", json={"name": "n", "role": "sdk"}).status_code == 201
    assert ask_all(api, {"targetingKey": "t"}, headers={"If-None-Match": tag}).status_code == 304


def test_a_client_that_knows_of_a_later_position_is_not_answered_from_before_it(shared):
    head = shared.request("GET", "/health").json()
    ahead = f"{head['epoch']}:{head['revision'] + 5}"
    assert ask_all(shared, {}, params={"flagConfigEtag": f"{head['epoch']}:{head['revision']}"}).status_code == 200
    assert ask_all(shared, {}, params={"flagConfigEtag": ahead}).status_code == 503
    assert ask_all(shared, {}, params={"flagConfigEtag": "nonsense"}).json()["errorCode"] == "INVALID_CONTEXT"


def events(response):
    deadline = time.monotonic() + 30
    for line in response.iter_lines():
        assert time.monotonic() < deadline, "the stream neither told anything nor ended"
        if line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
            EVENT.validate(data)
            yield data


def stream_of(api):
    return ask_all(api, {}).json()["eventStreams"][0]["endpoint"]["requestUri"]


def test_the_stream_says_at_once_and_after_each_change_when_to_ask_again(api):
    with httpx.stream("GET", api.url + stream_of(api), timeout=10) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        told = events(response)
        first = next(told)
        kill(api, "a.on")
        second = next(told)
    assert first["type"] == second["type"] == "refetchEvaluation"
    assert int(second["etag"].rpartition(":")[2]) == int(first["etag"].rpartition(":")[2]) + 1
    assert ask_all(api, {}, params={"flagConfigEtag": second["etag"]}).status_code == 200


def test_the_stream_needs_its_ticket_and_ends_with_the_key_and_with_the_server(api):
    assert httpx.get(f"{api.url}/ofrep/v1/stream").status_code == 401
    assert httpx.get(f"{api.url}/ofrep/v1/stream", params={"ticket": "0" * 64}).status_code == 401
    made = api.request("POST", "/api/keys", json={"name": "page", "role": "sdk"}).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    address = ask_all(api, {}, headers=headers).json()["eventStreams"][0]["endpoint"]["requestUri"]
    with httpx.stream("GET", api.url + address, timeout=10) as response, ThreadPoolExecutor() as pool:
        told = events(response)
        next(told)
        rest = pool.submit(list, told)
        api.request("DELETE", f"/api/keys/{made['api_key']['key_id']}")
        assert rest.result(timeout=10) == []
    assert httpx.get(api.url + address).status_code == 401
    with httpx.stream("GET", api.url + stream_of(api), timeout=10) as response:
        told = events(response)
        next(told)
        begun = time.monotonic()
        api.stop()
        assert list(told) == []
        assert time.monotonic() - begun < 8


@pytest.mark.parametrize("path", [BULK, BULK + "/{key}"])
def test_it_keeps_to_the_contract_whatever_it_is_sent(shared, path):
    schema = schemathesis.openapi.from_dict(contract())
    schema.config.update(base_url=shared.url)

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path]["POST"].as_strategy())
    def check(case):
        if "key" in (case.path_parameters or {}) and len(case.path_parameters["key"]) % 2:
            case.path_parameters["key"] = "a.canary"
        case.query.pop("flagConfigEtag", None)  # its values are ours
        answer = case.call(headers={"Authorization": f"Bearer {shared.keys[Role.SDK]}"}, timeout=10)
        for verify in (status_code_conformance, content_type_conformance, response_schema_conformance):
            case.validate_response(answer, checks=[verify])

    check()
