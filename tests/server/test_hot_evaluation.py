"""OFREP's evaluations are answered as the routes answer them, and refused by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from flagconsole.domain.role import Role
from flagconsole.server.bounds import Bounds
from flagconsole.server.hot_evaluation import HotEvaluation

from ..live_server import LiveServer

ALL = "/ofrep/v1/evaluate/flags"
OWN, OTHER = "t-own", "t-other"
#: Two keys in different ways are the routes' business; which of them is taken is said there.
SLOWLY = ("Unleash-AppName", "x")
Headers = list[tuple[str, str]]


class Watched:
    """A server, and how its last request was answered."""

    def __init__(self, server: LiveServer, answered: list[bool]) -> None:
        self.server = server
        self._answered = answered
        self._client = httpx.Client(timeout=20)
        made = server.request("POST", "/api/keys", json={"name": "own", "role": "sdk", "tenant_id": OWN})
        self.secrets = {"sdk": server.keys[Role.SDK], "admin": server.keys[Role.ADMIN], "own": made.json()["secret"]}

    def close(self) -> None:
        self._client.close()

    def ask(self, path: str, headers: Headers, body: bytes) -> tuple[httpx.Response, bool]:
        self._answered.clear()
        return self._client.post(self.server.url + path, headers=headers, content=body), bool(self._answered)

    def same(self, path: str, headers: Headers, body: bytes) -> tuple[httpx.Response, bool]:
        """The answer and whether it was made without the routes, after a look that they answer alike."""
        answer, below = self.ask(path, headers, body)
        routes, never = self.ask(path, [*headers, SLOWLY, SLOWLY], body)
        assert not never
        assert (answer.status_code, answer.content) == (routes.status_code, routes.content), (path, headers, body)
        assert without_date(answer) == without_date(routes), (path, headers, body)
        return answer, below

    def headers(self, who: str, *more: tuple[str, str]) -> Headers:
        return [("Authorization", f"Bearer {self.secrets[who]}"), ("Content-Type", "application/json"), *more]


def without_date(answer: httpx.Response) -> Headers:
    return [(name, value) for name, value in answer.headers.multi_items() if name != "date"]


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[Watched]:
    answered: list[bool] = []
    real = HotEvaluation._answered

    async def noted(self: HotEvaluation, scope: Any, body: bytes, send: Any) -> bool:
        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                answered.append(True)  # before the client can know of it
            await send(message)

        return await real(self, scope, body, noting)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HotEvaluation, "_answered", noted)
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
            made = Watched(server, answered)
            yield made
            made.close()


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
            tag = watched.ask(ALL, watched.headers(who), body)[0].headers["etag"]
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
            found = {one["key"]: one["value"] for one in answer.json().get("flags", [answer.json()])}
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
