"""What the server refuses at its edge, and how it says so."""

from __future__ import annotations

import socket

import pytest

from flagconsole.domain.errors import MalformedBody
from flagconsole.server import strict_json
from flagconsole.server.bounds import Bounds

from ..live_server import LiveServer

KILL = "/api/flags/a.b/kill"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with LiveServer(f"sqlite:{tmp_path_factory.mktemp('bad') / 'flags.db'}") as server:
        server.request("POST", "/api/flags", json={"flag_name": "a.b"})
        yield server


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"kill_reason": "a", "kill_reason": "b"}', "twice"),
        (b'{"kill_reason": NaN}', "NaN"),
        (b'{"kill_reason": -Infinity}', "Infinity"),
        (b'{"kill_reason": 1e999}', "too large"),
        (b'{"kill_reason": "a\\u0000b"}', "NUL"),
        (b'{"kill_reason": "\\ud800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b'{"kill_reason": "\xff"}', "UTF-8"),
        (b'{"kill_reason": "a"', "line 1"),
        (b"[" * 100_000, "deeper"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "deeper"),
    ],
)
def test_json_that_two_parsers_could_read_differently_is_refused(api, body, problem):
    answer = api.request("POST", KILL, content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "malformed_body"
    assert problem in answer.json()["detail"]


def test_brackets_in_texts_are_not_depth():
    assert strict_json.parse(b'{"a": "' + b"[{" * 50 + b'\\"["}')["a"].startswith("[{")
    with pytest.raises(MalformedBody):
        strict_json.parse(b"[" * 33 + b"]" * 33)
    strict_json.parse(b"[" * 32 + b"]" * 32)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kill_reason"),
        ({"kill_reason": ""}, "kill_reason"),
        ({"kill_reason": "   "}, "kill_reason"),
        ({"kill_reason": "x" * 1001}, "kill_reason"),
        ({"kill_reason": 7}, "kill_reason"),
        ({"kill_reason": "a\x1b[2J"}, "kill_reason"),
        ({"kill_reason": "a", "force": True}, "force"),
    ],
)
def test_wrong_fields_are_named_with_what_they_were(api, body, field):
    answer = api.request("POST", KILL, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert answer.json()["details"]["field"] == field
    assert "\x1b" not in answer.text


@pytest.mark.parametrize("name", ["Invoices.Write", "invoices", "a..b", "a.b\u202e", "a" * 200, "-x.y", "a.b/c"])
def test_names_that_are_no_flag_names_make_no_flags(api, name):
    answer = api.request("POST", "/api/flags", json={"flag_name": name})
    assert answer.json()["details"]["field"] == "flag_name"


def test_too_much_is_refused_before_it_is_read(api):
    large = api.request("POST", "/api/keys", content=b" " * (Bounds().body_bytes + 1), headers=JSON)
    assert large.status_code == 413

    def chunks():
        for _ in range(20):
            yield b" " * 100_000

    assert api.request("POST", "/api/keys", content=chunks(), headers=JSON).status_code == 413
    headers = {"X-Padding": "x" * 40_000}
    assert api.request("GET", "/api/flags", headers=headers).status_code in {400, 422, 431}


def test_other_types_are_refused(api):
    answer = api.request("POST", KILL, content=b"kill_reason=x", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("header", "value", "right"),
    [
        ("If-Match", "abc", 'must be the version from the flag\'s ETag, such as "3"'),
        ("Idempotency-Key", "k" * 201, "at most 200 characters"),
        ("X-Flagconsole-Position", "1", "must be epoch:revision"),
    ],
)
def test_headers_are_checked_too(api, header, value, right):
    if header == "X-Flagconsole-Position":
        answer = api.request("GET", "/api/flags", headers={header: value})
    else:
        body = {"change_reason": "x", "owner": "me"}
        answer = api.request("PUT", "/api/flags/a.b", json=body, headers={header: value})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert right in answer.json()["detail"]


def test_a_boolean_is_no_percentage(api):
    body = {"change_reason": "x", "current_state": "canary", "canary_percentage": True}
    answer = api.request("PUT", "/api/flags/a.b", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "canary_percentage: must be a whole number from 0 to 100 (got 'True')."


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "/api/flags/a.b", {"change_reason": "x", "canary_percentage": "10"}, "canary_percentage"),
        ("PUT", "/api/flags/a.b", {"change_reason": "x", "canary_percentage": 10.0}, "canary_percentage"),
        ("POST", "/api/flags/a.b/rollback", {"rollback_reason": "x", "target_change_id": "1"}, "target_change_id"),
        ("POST", "/api/flags/a.b/rollback", {"rollback_reason": "x", "allow_raise": "yes"}, "allow_raise"),
        ("POST", "/api/flags/a.b/rollback", {"rollback_reason": "x", "allow_raise": 1}, "allow_raise"),
        ("PUT", "/api/tenants", {"tenants": [{"tenant_id": "t", "users": "5"}]}, "tenants.0.users"),
        (
            "POST",
            "/api/flags/a.b/rollout",
            {"start_reason": "x", "plan": {"name": "p", "phases": [{"name": "s", "kind": "shadow", "min_hours": "3"}]}},
            "plan.phases.0.min_hours",
        ),
    ],
)
def test_a_text_is_no_number_and_no_truth(api, method, path, body, field):
    answer = api.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert answer.json()["details"]["field"] == field


def test_unknown_paths_and_methods_are_problems(api):
    assert api.request("GET", "/api/nothing").json()["code"] == "route_not_found"
    answer = api.request("PATCH", "/api/flags")
    assert (answer.json()["code"], answer.status_code) == ("method_not_allowed", 405)
    assert "GET" in answer.headers["Allow"]


def test_garbage_on_the_socket_does_not_hurt_others(api):
    with socket.create_connection(("127.0.0.1", api.port)) as raw:
        raw.sendall(b"\x16\x03\x01 not http\r\n\r\n")
        raw.settimeout(5)
        assert b"400" in raw.recv(1000)
    assert api.request("GET", "/health").status_code == 200
