"""Receipts are answered as the routes answer them, written down as the routes write them down, and refused by the routes."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from flagconsole.domain.role import Role
from flagconsole.server.bounds import Bounds
from flagconsole.server.hot_receipts import MOST_BYTES, HotReceipts

from ..live_server import LiveServer

OWN = "t-own"
NOW = "2026-11-23T10:00:00Z"


class Watched:
    """A server, and whether its last request was answered below routing."""

    def __init__(self, server: LiveServer, answered: list[bool]) -> None:
        self.server = server
        self._answered = answered
        self._client = httpx.Client(timeout=20)
        made = server.request("POST", "/api/keys", json={"name": "own", "role": "sdk", "tenant_id": OWN})
        self.secrets = {"sdk": server.keys[Role.SDK], "own": made.json()["secret"]}
        self.epoch = server.request("GET", "/api/snapshot").json()["epoch"]

    def close(self) -> None:
        self._client.close()

    def post(self, path: str, body: bytes, who: str = "sdk", **headers: str) -> tuple[httpx.Response, bool]:
        headers = {
            "Authorization": f"Bearer {self.secrets.get(who, who)}",
            "Content-Type": "application/json",
        } | headers
        self._answered.clear()
        answer = self._client.post(self.server.url + path, content=body, headers=headers)
        return answer, bool(self._answered)

    def same(self, instance: str, body: bytes, who: str = "sdk", **headers: str) -> tuple[httpx.Response, bool]:
        """The answer and whether the routes were left out, after a look that they answer alike and write down the same."""
        answer, below = self.post(f"/api/instances/{instance}/receipt", body, who, **headers)
        saw = self.instances()
        routes, never = self.post(f"/api/instances/{instance}/receipt", body, who, **(headers | SLOWLY))
        assert not never
        assert (answer.status_code, answer.content) == (routes.status_code, routes.content), body
        if answer.status_code == 200:
            assert without_date(answer) == without_date(routes), body
            assert self.instances() == saw
        return answer, below

    def instances(self) -> list[dict[str, Any]]:
        """All, without the times of the server."""
        listed = self.server.request("GET", "/api/instances").json()["instances"]
        return [{k: v for k, v in one.items() if k not in {"last_seen", "received_at"}} for one in listed]

    def report(self, *revisions: int, **more: Any) -> bytes:
        receipts = [{"revision": revision, "applied_at": NOW} for revision in revisions]
        said = {"service": "billing", "sdk_version": "1", "epoch": self.epoch, "receipts": receipts}
        return json.dumps(said | more).encode()


#: Parameters of the type are the routes' business.
SLOWLY = {"Content-Type": "application/json; charset=utf-8"}


def without_date(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers.multi_items() if name != "date"]


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[Watched]:
    answered: list[bool] = []
    real = HotReceipts.left

    async def noted(self: HotReceipts, scope: Any, receive: Any, send: Any) -> Any:
        async def noting(message: Any) -> None:
            answered.append(True)  # before the client can know of it
            await send(message)

        return await real(self, scope, receive, noting)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HotReceipts, "left", noted)
        with LiveServer(f"sqlite:{tmp_path_factory.mktemp('hot') / 'flags.db'}") as server:
            assert server.request("POST", "/api/flags", json={"flag_name": "a.b"}).status_code == 201
            assert server.request("POST", "/api/flags/a.b/kill", json={"kill_reason": "x"}).status_code == 200
            watched = Watched(server, answered)
            yield watched
            watched.close()


def test_a_receipt_is_taken_without_the_routes(watched):
    answer, below = watched.same("i-1", watched.report(1, 2, status="stale", transport="polling"))
    assert (answer.json(), below) == ({"epoch": watched.epoch, "revision": 2}, True)
    (found,) = [one for one in watched.instances() if one["instance_id"] == "i-1"]
    said = (found["revision"], found["applied_at"], found["status"], found["transport"], found["presence"])
    assert said == (2, NOW, "stale", "polling", "live")
    assert watched.same("i-1", watched.report(leaving=True))[1]
    (found,) = [one for one in watched.instances() if one["instance_id"] == "i-1"]
    assert (found["revision"], found["presence"]) == (2, "left")
    text = watched.server.request("GET", "/metrics").text
    counted = 'flagconsole_http_requests_total{route="/api/instances/{instance_id}/receipt",status="200"} 4.0'
    assert counted in text


def test_a_tenants_key_speaks_for_its_own_instances_alone(watched):
    assert watched.same("i-2", watched.report(1), "own")[1]
    assert f"i-2@{OWN}" in {one["instance_id"] for one in watched.instances()}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lambda w: w.report(3), 503),
        (lambda w: w.report(1, epoch="9999-later"), 503),
        (lambda w: w.report(-1), 422),
        (lambda w: w.report(1, status="fine"), 422),
        (lambda w: w.report(1, more=1), 422),
        (lambda w: w.report(1)[:-1] + b',"epoch":"x"}', 400),
        (lambda w: w.report(1)[:-1], 400),
        (lambda w: b"", 422),
        (lambda w: b"[]", 422),
        (lambda w: b"\xff", 400),
        (lambda w: w.report(service="x\x00"), 400),
    ],
)
def test_what_the_routes_refuse_is_refused_by_them(watched, body, status):
    answer, below = watched.same("i-3", body(watched))
    assert (answer.status_code, below) == (status, False), answer.text
    assert "i-3" not in {one["instance_id"] for one in watched.instances()}


def test_what_is_not_the_plain_case_is_left_to_the_routes(watched):
    report = watched.report(1)
    for path, body, headers, who, status in (
        ("/api/instances/i-4/receipt", report, {}, "nobody", 401),
        ("/api/instances/i-4/receipt", report, {"Authorization": "Basic x"}, "sdk", 401),
        ("/api/instances/i-4/receipt", report, {"Content-Type": "text/plain"}, "sdk", 415),
        ("/api/instances/i-4/receipt?x=1", report, {}, "sdk", 422),
        ("/api/instances/i%204/receipt", report, {}, "sdk", 422),
        ("/api/instances/i-5/receipt", watched.report(*[1] * 999), {}, "sdk", 200),
    ):
        answer, below = watched.post(path, body, who, **headers)
        assert (answer.status_code, below) == (status, False), (path, answer.text)
    assert len(watched.report(*[1] * 999)) > MOST_BYTES


def test_a_body_in_pieces_is_read_whole(watched):
    report, address = watched.report(1), urlsplit(watched.server.url)
    head = (
        f"POST /api/instances/i-6/receipt HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {watched.secrets['sdk']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(report)}\r\n\r\n"
    ).encode()
    for pieces in ((head + report,), (head, report), (head, report[:20], report[20:])):
        with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
            for piece in pieces:
                connection.sendall(piece)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 "), pieces


def test_a_used_up_quota_is_refused(tmp_path):
    with LiveServer(f"sqlite:{tmp_path / 'flags.db'}", bounds=Bounds(rate=0.001, burst=3)) as server:
        key = {"Authorization": f"Bearer {server.keys[Role.SDK]}"}
        body = {"service": "s", "sdk_version": "1", "epoch": "", "receipts": []}
        with httpx.Client(base_url=server.url, headers=key, timeout=20) as client:
            statuses = [client.post("/api/instances/i/receipt", json=body).status_code for _ in range(5)]
    assert statuses == [200] * 3 + [429] * 2
