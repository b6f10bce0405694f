"""OFREP's evaluations are answered as the routes answer them, and refused by them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from flagconsole.domain.role import Role
from flagconsole.server.bounds import Bounds
from flagconsole.server.hot_evaluation import HotEvaluation
from flagconsole.server.hot_reads import HotReads

from ..live_server import LiveServer

ALL = "/ofrep/v1/evaluate/flags"
OWN, OTHER = "t-own", "t-other"
#: Two keys in different ways are the routes' business; which of them is taken is said there.
SLOWLY = ("Unleash-AppName", "x")
Headers = list[tuple[str, str]]


#: A request that is longer than those that a connection answers itself.
LONG = ("X-Long", "x" * 3000)


class Answer:
    """What a request was answered, and how."""

    def __init__(self, response: HTTPResponse, way: str) -> None:
        self.status_code, self.content, self.way = response.status, response.read(), way
        self.headers = [(name.lower(), value) for name, value in response.getheaders()]

    @property
    def without_date(self) -> Headers:
        return [(name, value) for name, value in self.headers if name != "date"]

    @property
    def tag(self) -> str:
        return dict(self.headers)["etag"]


class Watched:
    """A server, and how its last request was answered."""

    def __init__(self, server: LiveServer, ways: list[str]) -> None:
        self.server = server
        self._ways = ways
        address = urlsplit(server.url)
        self._address = (address.hostname, address.port)
        self.asked = 0
        made = server.request("POST", "/api/keys", json={"name": "own", "role": "sdk", "tenant_id": OWN})
        self.secrets = {"sdk": server.keys[Role.SDK], "admin": server.keys[Role.ADMIN], "own": made.json()["secret"]}

    def ask(self, path: str, headers: Headers, body: bytes) -> Answer:
        """Header and body are sent together, as most clients do."""
        self._ways.clear()
        self.asked += 1
        lines = [f"{name}: {value}\r\n" for name, value in [("Host", "x"), *headers, ("Content-Length", len(body))]]
        header = f"POST {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()
        with socket.create_connection(self._address, timeout=30) as connection:
            connection.sendall(header + body)
            with closing(HTTPResponse(connection, method="POST")) as response:
                response.begin()
                return Answer(response, "".join(self._ways))

    def same(self, path: str, headers: Headers, body: bytes) -> tuple[Answer, bool]:
        """The answer and whether it was made without the routes, after a look that they answer alike, and so does the connection. (Now and
        then the store changes meanwhile, and the key is looked up again.)"""
        answer = self.ask(path, [*headers, LONG], body)
        routes = self.ask(path, [*headers, SLOWLY, SLOWLY], body)
        assert routes.way == ""
        self.ask(path, headers, body)
        later = self.ask(path, headers, body)
        for _ in range(100):
            if later.way == ("at once" if answer.way else ""):
                break
            later = self.ask(path, headers, body)
        assert (answer.way, later.way) in {("", ""), ("below routing", "at once")}, (path, headers, body)
        for way in (answer, later):
            assert (way.status_code, way.content) == (routes.status_code, routes.content), (path, headers, body)
            assert way.without_date == routes.without_date, (path, headers, body)
        return answer, bool(answer.way)

    def headers(self, who: str, *more: tuple[str, str]) -> Headers:
        return [("Authorization", f"Bearer {self.secrets[who]}"), ("Content-Type", "application/json"), *more]


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[Watched]:
    ways: list[str] = []
    real, at_once = HotEvaluation._answered, HotReads.at_once

    async def noted(self: HotEvaluation, scope: Any, key: str, body: bytes, send: Any) -> bool:
        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                ways.append("below routing")  # before the client can know of it
            await send(message)

        return await real(self, scope, key, body, noting)

    def noted_at_once(*arguments: Any) -> Any:
        parts = at_once(*arguments)
        if parts is not None:
            ways.append("at once")
        return parts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HotEvaluation, "_answered", noted)
        patch.setattr(HotReads, "at_once", noted_at_once)
        # On a slow machine two requests may be a second apart, after which a key is looked up again.
        patch.setattr("flagconsole.server.known_keys._MOST_SECONDS", 600.0)
        with LiveServer(f"sqlite:{tmp_path_factory.mktemp('hot') / 'flags.db'}") as server:

            def done(method: str, path: str, body: object) -> None:
                assert server.request(method, path, json=body).status_code < 300

            for name in ("a.off", "a.on", "a.chosen", "a.killed", "a.below"):
                needs = ["a.chosen"] if name == "a.below" else []
                done("POST", "/api/flags", {"flag_name": name, "dependencies": needs})
            for name in ("a.on", "a.below"):
                done("PUT", f"/api/flags/{name}", {"change_reason": "x", "current_state": "on"})
            chosen = {"current_state": "canary", "canary_percentage": 50, "canary_tenant_ids": [OTHER, "t-3"]}
            done("PUT", "/api/flags/a.chosen", {"change_reason": "x", **chosen})
            done("POST", "/api/flags/a.killed/kill", {"kill_reason": "x"})
            body = {"override_state": "on", "override_reason": "x", "tenant_id": OWN}
            done("PUT", "/api/flags/a.off/override", body)
            yield Watched(server, ways)


def context(tenant: str, **more: object) -> bytes:
    return httpx.Request("POST", "http://x", json={"context": {"targetingKey": tenant, **more}}).content


FLAGS = ("a.off", "a.on", "a.chosen", "a.killed", "a.below")


@pytest.mark.parametrize("who", ["sdk", "admin", "own"])
def test_the_routes_answer(watched, who):
    for tenant in (OWN,) if who == "own" else (OWN, OTHER, "t-new", "größe"):
        for body in (context(tenant), context(tenant, plan="x", nested={"a": [1, 2.5, None]})):
            for path in (ALL, *(f"{ALL}/{flag}" for flag in FLAGS)):
                answer, below = watched.same(path, watched.headers(who), body)
                assert (answer.status_code, below) == (200, True), path
            tag = watched.ask(ALL, watched.headers(who), body).tag
            for shown in (tag, f"W/{tag}", f'"x", {tag}'):
                answer, below = watched.same(ALL, watched.headers(who, ("If-None-Match", shown)), body)
                assert (answer.status_code, below) == (304, True)
    # Without a tenant the key's, or what all get.
    for body in (b"", b"{}", b'{"context":{}}', b'{"context":{"targetingKey":""}}'):
        if body:
            watched.same(ALL, watched.headers(who), body)
            watched.same(f"{ALL}/a.killed", watched.headers(who), body)


def test_a_change_is_in_the_next_answer(watched):
    for percentage, value in ((0, False), (100, True), (0, False)):
        body = {"change_reason": "x", "canary_percentage": percentage, "canary_tenant_ids": []}
        assert watched.server.request("PUT", "/api/flags/a.chosen", json=body).status_code == 200
        for path in (ALL, f"{ALL}/a.chosen"):
            answer, below = watched.same(path, watched.headers("sdk"), context("t-9"))
            said = json.loads(answer.content)
            found = {one["key"]: one["value"] for one in said.get("flags", [said])}
            assert (found["a.chosen"], below) == (value, True)
    chosen = {"change_reason": "x", "canary_percentage": 50, "canary_tenant_ids": [OTHER, "t-3"]}
    assert watched.server.request("PUT", "/api/flags/a.chosen", json=chosen).status_code == 200


REFUSED: list[tuple[str, str, bytes, int]] = [
    ("sdk", f"{ALL}/a.nobody", context(OWN), 404),
    ("sdk", f"{ALL}/", context(OWN), 404),
    ("sdk", f"{ALL}x", context(OWN), 404),
    ("sdk", f"{ALL}/a.chosen", b"{}", 400),
    ("sdk", ALL, b"[]", 400),
    ("sdk", ALL, b'{"context":1}', 400),
    ("sdk", ALL, b'{"context":{"targetingKey":7}}', 400),
    ("sdk", ALL, b'{"context":{"targetingKey":"a\\nb"}}', 400),
    ("sdk", ALL, b'{"context":{},"context":{}}', 400),
    ("sdk", ALL, b"\xff", 400),
    ("own", ALL, context(OTHER), 400),
    ("own", f"{ALL}/a.on", context(OTHER), 400),
    ("sdk", f"{ALL}?flagConfigEtag=zzzz:1", context(OWN), 503),
    ("sdk", f"{ALL}?flagConfigEtag=nonsense", context(OWN), 400),
]


@pytest.mark.parametrize(("who", "path", "body", "status"), REFUSED)
def test_what_the_routes_refuse_is_refused_by_them(watched, who, path, body, status):
    answer, below = watched.same(path, watched.headers(who), body)
    assert (answer.status_code, below) == (status, False)


def test_keys_and_bodies_are_looked_at_as_ever(watched):
    secret, body = watched.secrets["sdk"], context(OWN)
    typed = ("Content-Type", "application/json")
    for headers in ([("Authorization", secret)], [("X-API-Key", secret)]):
        assert watched.same(ALL, [*headers, typed], body)[1]
    for headers, status in (
        ([typed], 401),
        ([("Authorization", "Bearer nobody"), typed], 401),
        ([("Authorization", f"Basic {secret}"), typed], 401),
        ([("X-API-Key", f"Bearer {secret}"), typed], 401),
        ([("Authorization", secret), ("Content-Type", "text/plain")], 415),
    ):
        answer, below = watched.same(ALL, headers, body)
        assert (answer.status_code, below) == (status, False), headers


def test_a_revoked_key_is_refused_at_once(watched):
    made = watched.server.request("POST", "/api/keys", json={"name": "leaver", "role": "sdk"}).json()
    headers = [("Authorization", f"Bearer {made['secret']}"), ("Content-Type", "application/json")]
    for path in (ALL, f"{ALL}/a.on"):
        assert watched.same(path, headers, context(OWN))[1]
    assert watched.server.request("DELETE", f"/api/keys/{made['api_key']['key_id']}").status_code == 200
    for path in (ALL, f"{ALL}/a.on"):
        answer, below = watched.same(path, headers, context(OWN))
        assert (answer.status_code, below) == (401, False)


def test_evaluations_are_counted_as_the_routes_count(watched):
    def counted(path: str) -> float:
        lines = watched.server.request("GET", "/metrics").text.splitlines()
        name = f'flagconsole_http_requests_total{{route="{path}",status="200"}} '
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    for route, path in ((ALL, ALL), (f"{ALL}/{{key:any_text}}", f"{ALL}/a.on")):
        before, asked = counted(route), watched.asked
        assert watched.same(path, watched.headers("sdk"), context(OWN))[1]
        assert counted(route) - before == watched.asked - asked >= 4


def test_revoked_keys_and_used_up_quotas_are_refused(tmp_path):
    with LiveServer(f"sqlite:{tmp_path / 'flags.db'}", bounds=Bounds(rate=0.001, burst=4)) as server:
        made = server.request("POST", "/api/keys", json={"name": "leaver", "role": "sdk"}).json()
        key = {"Authorization": f"Bearer {made['secret']}"}
        with httpx.Client(base_url=server.url, headers=key, timeout=20) as client:
            assert client.post(ALL, json={"context": {}}).status_code == 200
            assert server.request("DELETE", f"/api/keys/{made['api_key']['key_id']}").status_code == 200
            assert client.post(ALL, json={"context": {}}).status_code == 401
        other = {"Authorization": f"Bearer {server.keys[Role.SDK]}"}
        with httpx.Client(base_url=server.url, headers=other, timeout=20) as client:
            statuses = [client.post(ALL, json={"context": {}}).status_code for _ in range(6)]
            assert statuses == [200] * 4 + [429] * 2
