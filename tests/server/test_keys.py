"""Keys over HTTP: rotated, revoked, and what becomes of the streams that use them."""

from __future__ import annotations

import time

import httpx
import pytest

from flagconsole.domain.role import Role

from ..live_server import LiveServer


def made(server: LiveServer, name: str, role: str = "sdk", **more: object) -> dict[str, str]:
    answer = server.request("POST", "/api/keys", json={"name": name, "role": role, **more})
    assert answer.status_code == 201, answer.text
    return {"id": answer.json()["api_key"]["key_id"], "secret": answer.json()["secret"]}


def status(server: LiveServer, secret: str) -> int:
    return httpx.get(f"{server.url}/api/flags", headers={"Authorization": f"Bearer {secret}"}, timeout=10).status_code


@pytest.mark.parametrize("path", ["/api/stream", "/ofrep/v1/stream", "/api/client/streaming"])
def test_the_streams_of_a_key_end_within_five_seconds_of_its_end(live_server, path):
    revoked, rotated = made(live_server, "revoked"), made(live_server, "rotated")
    for key, end in (
        (revoked, ("DELETE", f"/api/keys/{revoked['id']}", {})),
        (rotated, ("POST", f"/api/keys/{rotated['id']}/rotate", {"json": {"overlap_seconds": 1}})),
    ):
        headers = {"Authorization": f"Bearer {key['secret']}"}
        with httpx.stream("GET", live_server.url + path, headers=headers, timeout=20) as stream:
            lines = stream.iter_lines()
            next(lines)
            method, call, body = end
            assert live_server.request(method, call, **body).status_code in {200, 201}
            begun = time.monotonic()
            assert all(line is not None for line in lines)  # to the end of the stream
            assert time.monotonic() - begun < 5
        assert status(live_server, key["secret"]) == 401


def test_a_key_is_rotated_over_http(live_server):
    old = made(live_server, "ci", "viewer")
    answer = live_server.request("POST", f"/api/keys/{old['id']}/rotate", json={"overlap_seconds": 60})
    new = answer.json()["secret"]
    assert new not in live_server.request("GET", "/api/keys").text
    assert (status(live_server, old["secret"]), status(live_server, new)) == (200, 200)
    again = live_server.request("POST", f"/api/keys/{old['id']}/rotate", json={})
    assert (again.status_code, again.json()["code"]) == (409, "key_ended")
    too_long = live_server.request("POST", f"/api/keys/{old['id']}/rotate", json={"overlap_seconds": 10**9})
    assert (too_long.status_code, too_long.json()["code"]) == (422, "invalid_input")


def test_the_last_admin_cannot_be_revoked(live_server):
    (admin,) = (k for k in live_server.request("GET", "/api/keys").json()["keys"] if k["role"] == Role.ADMIN)
    answer = live_server.request("DELETE", f"/api/keys/{admin['key_id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    made(live_server, "another", "admin")
    assert live_server.request("DELETE", f"/api/keys/{admin['key_id']}").status_code == 200
    assert status(live_server, live_server.keys[Role.ADMIN]) == 401
