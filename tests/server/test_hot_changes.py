"""Flags are set and killed without the routes as with them, and whatever isn't the plain case is the routes'."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from flagconsole.domain.role import Role
from flagconsole.server.hot_changes import HotChanges

from ..live_server import LiveServer

SET, KILL = ("PUT", "/api/flags/{}"), ("POST", "/api/flags/{}/kill")
#: A query that changes nothing is not the plain case.
SLOWLY = "?dry_run=false"
ON = {"current_state": "on", "change_reason": "because"}
WHY = {"kill_reason": "it fails"}
#: What differs between two changes that are the same.
OWN = {
    "detail",
    "details",
    "hint",
    "revision",
    "flag_name",
    "updated_at",
    "created_at",
    "changed_at",
    "change_id",
    "hash",
    "previous_hash",
}
Headers = list[tuple[str, str]]


class Watched:
    """A server, and whether its last request was answered without the routes."""

    def __init__(self, server: LiveServer, answered: list[bool]) -> None:
        self.server = server
        self._answered = answered
        self._client = httpx.Client(timeout=60)
        self._flags = 0

    def close(self) -> None:
        self._client.close()

    def flag(self) -> str:
        """A new flag, that is off."""
        self._flags += 1
        name = f"a.flag{self._flags}"
        assert self.server.request("POST", "/api/flags", json={"flag_name": name}).status_code == 201
        return name

    def key(self, role: Role = Role.ADMIN) -> Headers:
        return [("Authorization", f"Bearer {self.server.keys[role]}"), ("Content-Type", "application/json")]

    def ask(
        self, call: tuple[str, str], name: str, body: Any, headers: Headers | None = None, query: str = ""
    ) -> tuple[httpx.Response, bool]:
        self._answered.clear()
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = self.server.url + call[1].format(name) + query
        answer = self._client.request(call[0], url, headers=headers or self.key(), content=content)
        return answer, bool(self._answered)


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[Watched]:
    answered: list[bool] = []
    real = HotChanges._answered

    async def noted(self: HotChanges, scope: Any, asked: Any, body: bytes, send: Any) -> bool:
        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                answered.append(True)  # before the client can know of it
            await send(message)

        return await real(self, scope, asked, body, noting)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HotChanges, "_answered", noted)
        with LiveServer(f"sqlite:{tmp_path_factory.mktemp('hot') / 'flags.db'}") as server:
            made = Watched(server, answered)
            yield made
            made.close()


def plain(value: Any) -> Any:
    """An answer without what differs between two changes that are the same."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if name not in OWN}
    return value


def told(answer: httpx.Response) -> tuple[int, Any, dict[str, str]]:
    of_its_own = {"date", "content-length"}
    headers = {name: value for name, value in answer.headers.items() if name not in of_its_own}
    return answer.status_code, plain(answer.json()), headers


@pytest.mark.parametrize(
    ("call", "body", "more", "status", "below"),
    [
        (SET, ON, [], 200, True),
        (SET, ON, [("If-Match", '"1"')], 200, True),
        (SET, ON, [("If-Match", 'W/"1"'), ("Idempotency-Key", "k-{}")], 200, True),
        (SET, {"current_state": "kill", "change_reason": "x"}, [], 200, True),
        (SET, {"change_reason": "x", "description": "größer"}, [], 200, True),
        (KILL, WHY, [], 200, True),
        (KILL, WHY, [("Idempotency-Key", "l-{}")], 200, True),
        (SET, ON, [("If-Match", '"7"')], 412, True),
        (SET, {"current_state": "canary", "change_reason": "x"}, [], 422, True),
        # Refused before anything is done, and so by the routes.
        (SET, ON, [("If-Match", "seven")], 422, False),
        (SET, ON, [("Idempotency-Key", "two words")], 422, False),
        (SET, {"current_state": "onn", "change_reason": "x"}, [], 422, False),
        (SET, b'{"current_state": "on", "current_state": "off", "change_reason": "x"}', [], 400, False),
        (SET, b"", [], 422, False),
        (KILL, {}, [], 422, False),
        (KILL, b"{", [], 400, False),
    ],
)
def test_both_ways_answer_alike(watched, call, body, more, status, below):
    found = []
    for number, query in enumerate(("", SLOWLY)):
        headers = [*watched.key(), *((name, value.format(number)) for name, value in more)]
        answer, was_below = watched.ask(call, watched.flag(), body, headers, query)
        assert was_below is (below and not query)
        found.append(told(answer))
    assert found[0] == found[1]
    assert found[0][0] == status


def test_an_answer_is_remembered_whichever_way_it_was_given(watched):
    for first, then in (("", SLOWLY), (SLOWLY, ""), ("", "")):
        name = watched.flag()
        headers = [*watched.key(), ("Idempotency-Key", f"once-{name}")]
        given, _ = watched.ask(KILL, name, WHY, headers, first)
        again, _ = watched.ask(KILL, name, WHY, headers, then)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.json() == given.json() | {"replayed": True}
        other, _ = watched.ask(KILL, name, {"kill_reason": "another"}, headers, then)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        (change, *_) = watched.server.request("GET", f"/api/flags/{name}/history").json()["changes"]
        assert change["change_id"] == given.json()["revision"]


def test_who_may_not_or_is_unknown_is_refused_by_the_routes(watched):
    name = watched.flag()
    unknown = [("Authorization", "Bearer fc_nobody"), ("Content-Type", "application/json")]
    twice = [*watched.key(), watched.key()[0]]
    for headers, status in ((watched.key(Role.VIEWER), 403), (unknown, 401), (watched.key()[1:], 401)):
        for call, body in ((SET, ON), (KILL, WHY)):
            answer, below = watched.ask(call, name, body, headers)
            assert (answer.status_code, below) == (status, False)
    assert not watched.ask(KILL, name, WHY, twice)[1]
    # An operator sets nothing, and kills everything.
    assert watched.ask(SET, name, ON, watched.key(Role.OPERATOR))[0].status_code == 403
    killed, below = watched.ask(KILL, watched.flag(), WHY, watched.key(Role.OPERATOR))
    assert (killed.status_code, below) == (200, True)
    assert killed.json()["change"]["changed_by"].startswith("operator")


def test_a_flag_that_is_not_there_and_a_dry_run(watched):
    missing, below = watched.ask(KILL, "a.nobody", WHY)
    assert (missing.status_code, missing.json()["code"], below) == (404, "flag_not_found", True)
    name = watched.flag()
    dry, below = watched.ask(KILL, name, WHY, query="?dry_run=true")
    assert (dry.json()["dry_run"], below) == (True, False)
    read = watched.server.request("GET", f"/api/flags/{name}").json()
    assert read["flag"]["current_state"] == "off"


def test_what_was_changed_is_read_at_once_and_counted_by_its_route(watched):
    name = watched.flag()
    assert watched.ask(SET, name, ON)[1]
    assert watched.server.request("GET", f"/api/flags/{name}").json()["flag"]["current_state"] == "on"
    assert watched.ask(KILL, name, WHY)[1]
    assert watched.server.request("GET", "/health").json()["feature_flags"][name] == "kill"
    metrics = watched.server.request("GET", "/metrics").text
    assert 'flagconsole_http_requests_total{route="/api/flags/{name}/kill",status="200"}' in metrics
