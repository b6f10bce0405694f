"""Bodies: how large, from whom, and how many at once."""

from __future__ import annotations

import threading

import httpx
import pytest

from flagconsole.domain.role import Role
from flagconsole.server.bounds import Bounds
from flagconsole.server.limits import Limits

LARGE = {"tenants": [{"tenant_id": f"t{number}", "name": "x" * 100} for number in range(1_000)]}


def test_who_is_not_known_sends_no_large_body(live_server):
    headers = {"Authorization": "Bearer fc_admin_made-up"}
    refused = live_server.request("PUT", "/api/tenants", json=LARGE, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert live_server.request("PUT", "/api/tenants", json=LARGE).status_code == 200


@pytest.mark.parametrize("declared", [True, False])
def test_200_mebibytes_are_refused_long_before_they_are_there(live_server, declared):
    sent = 0

    def endless():
        nonlocal sent
        while sent < 200 * 2**20:
            sent += 65_536
            yield b" " * 65_536

    headers = {"Authorization": f"Bearer {live_server.keys[Role.ADMIN]}", "Content-Type": "application/json"}
    if declared:
        headers["Content-Length"] = str(200 * 2**20)
    try:
        answer = httpx.post(f"{live_server.url}/api/events", content=endless(), headers=headers, timeout=20)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    except (httpx.WriteError, httpx.ReadError):
        pass  # the server had closed while we were still sending
    assert sent < 50 * 2**20
    assert live_server.request("GET", "/health", role=None).status_code == 200


def test_large_bodies_that_are_too_many_at_once_come_again_and_a_kill_does_not_wait(live_server, monkeypatch):
    monkeypatch.setattr(Limits, "bounds", Bounds(held_bytes=150_000))
    live_server.request("POST", "/api/flags", json={"flag_name": "pos.lite"})
    half_sent, go_on = threading.Event(), threading.Event()

    def slowly():
        yield b" " * 120_000
        half_sent.set()
        assert go_on.wait(10)
        yield b"{}"

    headers = {"Authorization": f"Bearer {live_server.keys[Role.ADMIN]}", "Content-Type": "application/json"}

    def send() -> None:
        answers.append(httpx.put(f"{live_server.url}/api/tenants", content=slowly(), headers=headers, timeout=20))

    answers: list[httpx.Response] = []
    sender = threading.Thread(target=send)
    sender.start()
    assert half_sent.wait(10)
    busy = None
    while busy is None or busy.status_code == 200:  # the first body may not have been read yet
        busy = live_server.request("PUT", "/api/tenants", json=LARGE)
    assert (busy.status_code, busy.json()["code"], busy.headers["Retry-After"]) == (503, "server_busy", "2")
    killed = live_server.request("POST", "/api/flags/pos.lite/kill", json={"kill_reason": "now"})
    assert killed.status_code == 200
    go_on.set()
    sender.join(10)
    assert answers[0].status_code == 422
    monkeypatch.setattr(Limits, "bounds", Bounds(held_bytes=200_000))
    assert live_server.request("PUT", "/api/tenants", json=LARGE).status_code == 200
