"""What is answered below routing is what the routes answer, byte for byte; and whatever they refuse, they refuse."""

from __future__ import annotations

import gzip
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from flagconsole.domain.requests import KeyCreate
from flagconsole.domain.role import Role
from flagconsole.domain.views import FlagListing
from flagconsole.operations.keys import key_hash
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.server import hot_request
from flagconsole.server.bounds import Bounds
from flagconsole.server.hot_reads import HotReads
from flagconsole.server.known_keys import KnownKeys
from flagconsole.store import open_store

from ..live_server import LiveServer

OWN, OTHER = "t-own", "t-other"
SNAPSHOT, FLAGS, FEATURES = "/api/snapshot", "/api/flags", "/api/client/features"
#: A body that is empty: the routes take no notice of it, and what is below leaves such a request to them.
SLOWLY = ("Content-Length", "0")
Headers = list[tuple[str, str]]


class Watched:
    """A server, and which of its requests were answered below routing."""

    def __init__(self, server: LiveServer, answered: list[str]) -> None:
        self.server = server
        self._answered = answered
        self.asked = 0
        self._client = httpx.Client(timeout=20)
        self.secrets: dict[str, str] = {role.value: secret for role, secret in server.keys.items()}
        for role in ("sdk", "admin"):
            self.secrets[f"own {role}"] = self.make_key(f"own {role}", role, tenant_id=OWN)["secret"]

    def make_key(self, name: str, role: str, **more: Any) -> dict[str, str]:
        made = self.server.request("POST", "/api/keys", json={"name": name, "role": role, **more})
        assert made.status_code == 201, made.text
        return {"id": made.json()["api_key"]["key_id"], "secret": made.json()["secret"]}

    def ask(self, path: str, headers: Headers, method: str = "GET") -> tuple[httpx.Response, bytes, bool]:
        """The answer, its body as it came over the wire, and whether it was answered below routing."""
        self._answered.clear()
        self.asked += 1
        plain = [("Host", "x"), *headers]
        request = httpx.Request(method, self.server.url + path, headers=plain)
        answer = self._client.send(request, stream=True)
        body = b"".join(answer.iter_raw())
        answer.close()
        return answer, body, bool(self._answered)

    def same(self, path: str, headers: Headers, method: str = "GET") -> tuple[httpx.Response, bytes, bool]:
        """The same, after a look that the routes answer alike, and that it is so at the first time, below routing, and later, when its
        bytes have been seen before. (Now and then the store changes meanwhile, and the key is looked up again.)"""
        answer, body, below = self.ask(path, headers, method)
        routes, expected, never = self.ask(path, [*headers, SLOWLY], method)
        assert not never
        later = self.ask(path, headers, method)
        for _ in range(100):
            if self._answered == (["at once"] if below else []):
                break
            later = self.ask(path, headers, method)
        else:
            raise AssertionError((path, headers, self._answered))
        for way, said in ((answer, body), later[:2]):
            assert way.status_code == routes.status_code, (path, headers)
            assert without_time(way, said) == without_time(routes, expected), (path, headers)
            assert without_now(said) == without_now(expected), (path, headers)
        return answer, body, below

    def close(self) -> None:
        self._client.close()

    def bearer(self, who: str) -> Headers:
        return [("Authorization", f"Bearer {self.secrets[who]}")]


def without_time(answer: httpx.Response, body: bytes) -> Headers:
    """The headers without the date, and without the length where a time is in the body: a whole second is shorter."""
    timed = without_now(body) != body
    assert not timed or int(answer.headers["content-length"]) == len(body)
    left_out = {"date", "content-length"} if timed else {"date"}
    return [(name, value) for name, value in answer.headers.multi_items() if name not in left_out]


def without_now(body: bytes) -> bytes:
    return re.sub(rb'"now":"[^"]*"', b'"now":"x"', body)


def done(server: LiveServer, method: str, path: str, body: object) -> None:
    answer = server.request(method, path, json=body)
    assert answer.status_code < 300, answer.text


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[Watched]:
    answered: list[str] = []
    real, at_once = hot_request.send_answer, HotReads.at_once

    async def noted(answer: Any, send: Any) -> None:
        answered.append("below routing")  # before the client can know of it
        await real(answer, send)

    def noted_at_once(reads: HotReads, *arguments: Any) -> Any:
        parts = at_once(reads, *arguments)
        if parts is not None:
            answered.append("at once")
        return parts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hot_request, "send_answer", noted)
        patch.setattr(HotReads, "at_once", noted_at_once)
        # On a slow machine two requests may be a second apart, after which a key is looked up again.
        patch.setattr("flagconsole.server.known_keys._MOST_SECONDS", 600.0)
        with LiveServer(f"sqlite:{tmp_path_factory.mktemp('hot') / 'flags.db'}") as server:
            for name in ("a.off", "a.on", "a.chosen", "a.killed", "a.below", "b.x"):
                needs = ["a.off"] if name == "a.below" else []
                body = {"flag_name": name, "dependencies": needs, "description": "größer als „1“ & <2>\u2028"}
                done(server, "POST", "/api/flags", body)
            for name in ("a.on", "a.below"):
                done(server, "PUT", f"/api/flags/{name}", {"change_reason": "x", "current_state": "on"})
            chosen = {"canary_percentage": 50, "canary_tenant_ids": [OTHER, "t-3"]}
            done(server, "PUT", "/api/flags/a.chosen", {"change_reason": "x", "current_state": "canary", **chosen})
            done(server, "POST", "/api/flags/a.killed/kill", {"kill_reason": "x"})
            for tenant, state in ((OWN, "on"), (OTHER, "shadow")):
                body = {"override_state": state, "override_reason": "x", "tenant_id": tenant}
                done(server, "PUT", "/api/flags/a.off/override", body)
            ends = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
            body = {"override_state": "off", "override_reason": "x", "tenant_id": OWN, "expires_at": ends}
            done(server, "PUT", "/api/flags/a.on/override", body)
            made = Watched(server, answered)
            yield made
            made.close()


KEYS = [*(role.value for role in Role), "own sdk", "own admin"]
PLAIN: list[Headers] = [
    [],
    [("Accept-Encoding", "gzip, deflate, br")],
    [("Accept-Encoding", "*")],
    [("Accept-Encoding", "gzip;q=0, *")],
    [("Accept-Encoding", "br;q=1.0, x-gzip;q=0.1")],
    [("Accept-Encoding", "zebra, gzip;q=oops")],
    [("If-None-Match", '"nonsense"')],
    [("If-None-Match", "*")],
    [("X-Flagconsole-Position", "0:0")],
    [("Accept", "text/plain"), ("Cookie", "a=b"), ("X-Forwarded-For", "1.2.3.4"), ("Cache-Control", "no-cache")],
    [("Unleash-AppName", "shop"), ("Unleash-InstanceId", "i-1"), ("Unleash-SDK", "x:1")],
]


@pytest.mark.parametrize("path", [SNAPSHOT, FLAGS, FEATURES, f"{FLAGS}?tenant_id={OWN}"])
def test_every_key_gets_the_routes_answer(watched, path):
    for who in KEYS:
        # All keys of a kind are alike here; each is asked with once.
        for headers in PLAIN if who in {"sdk", "own sdk"} else PLAIN[:1]:
            answer, body, below = watched.same(path, [*watched.bearer(who), *headers])
            assert (answer.status_code, below) == (200, True), (who, headers)
            if answer.headers.get("content-encoding") == "gzip":
                assert gzip.decompress(body) == watched.ask(path, watched.bearer(who))[1]
            elif path != FEATURES:  # of a tenant's key nobody else is named, whatever others were answered before
                assert (OTHER.encode() in body) is (not who.startswith("own")) or "tenant_id" in path
                assert OTHER.encode() not in body or not who.startswith("own")
            # What the client has it isn't sent again, with or without other tags beside.
            tag = answer.headers.get("etag")
            for shown in () if tag is None else (tag, f'"0:0:0", {tag}', tag.removeprefix("W/"), f"W/{tag}"):
                again, empty, below = watched.same(path, [*watched.bearer(who), *headers, ("If-None-Match", shown)])
                if not any(name == "If-None-Match" for name, _ in headers):
                    assert below, (who, headers, shown)
                    assert (again.status_code, empty) == (304, b"") or shown.startswith("W/W/"), (headers, shown)


def test_the_listing_is_the_model_as_json(watched):
    for who in ("viewer", "own sdk"):
        for path in (FLAGS, f"{FLAGS}?tenant_id={OWN}"):
            _, body, below = watched.ask(path, watched.bearer(who))
            assert below
            assert FlagListing.model_validate_json(body).model_dump_json().encode() == body


def test_large_answers_are_compressed_and_small_ones_are_not(watched, tmp_path):
    takes = [*watched.bearer("sdk"), ("Accept-Encoding", "gzip")]
    answer, body, _ = watched.ask(SNAPSHOT, takes)
    whole = watched.ask(SNAPSHOT, watched.bearer("sdk"))[1]
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["etag"].startswith("W/")
    assert len(body) < len(whole) / 2
    with LiveServer(f"sqlite:{tmp_path / 'empty.db'}") as server:
        small = server.request("GET", SNAPSHOT, headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in small.headers
        assert not small.headers["etag"].startswith("W/")


REFUSED: list[tuple[str, Headers, int]] = [
    (SNAPSHOT, [], 401),
    (SNAPSHOT, [("Authorization", "Bearer fc_sdk_nobody")], 401),
    (SNAPSHOT, [("Authorization", "Bearer")], 401),
    (SNAPSHOT, [("Authorization", "Basic c2RrOg==")], 401),
    (SNAPSHOT, [("Authorization", "{sdk}")], 401),
    (SNAPSHOT, [("X-API-Key", "{sdk}")], 401),
    (SNAPSHOT, [("Authorization", "Bearer nobody"), ("Authorization", "Bearer {sdk}")], 401),
    (FEATURES, [("Authorization", "Basic {sdk}")], 401),
    (FEATURES, [("Authorization", "nobody"), ("X-API-Key", "{sdk}")], 401),
    (FEATURES, [("X-API-Key", "Bearer {sdk}")], 401),
    (SNAPSHOT, [("Authorization", "Bearer {sdk}"), ("X-Flagconsole-Position", "{epoch}:999999")], 503),
    (FLAGS, [("Authorization", "Bearer {sdk}"), ("X-Flagconsole-Position", "{epoch}:999999")], 503),
    (SNAPSHOT, [("Authorization", "Bearer {sdk}"), ("X-Flagconsole-Position", "zzzz:1")], 503),
    (SNAPSHOT, [("Authorization", "Bearer {sdk}"), ("X-Flagconsole-Position", "nonsense")], 422),
    (FEATURES, [("Authorization", "{sdk}"), ("If-None-Match", '"{epoch}:999999:1"')], 503),
    (SNAPSHOT, [("Authorization", "Bearer {sdk}"), ("If-None-Match", "x" * 301)], 422),
    (f"{SNAPSHOT}?revision=1", [("Authorization", "Bearer {sdk}")], 422),
    (f"{FLAGS}?tenant=t", [("Authorization", "Bearer {sdk}")], 422),
    (f"{FLAGS}?tenant_id=", [("Authorization", "Bearer {sdk}")], 422),
    (f"{FLAGS}?tenant_id=a%00b", [("Authorization", "Bearer {sdk}")], 422),
    (f"{FLAGS}?tenant_id={OTHER}", [("Authorization", "Bearer {own sdk}")], 422),
    (f"{FLAGS}?tenant_id={OWN}&dry_run=true", [("Authorization", "Bearer {sdk}")], 422),
    (f"{SNAPSHOT}/", [("Authorization", "Bearer {sdk}")], 307),
    (SNAPSHOT, [("Authorization", "Bearer {sdk}"), ("X-Much", "x" * 33_000)], 422),
]


@pytest.mark.parametrize(("path", "headers", "status"), REFUSED)
def test_what_the_routes_refuse_is_refused_by_them(watched, path, headers, status):
    epoch = watched.server.request("GET", "/health").json()["epoch"]
    filled = []
    for name, value in headers:
        for who, secret in watched.secrets.items():
            value = value.replace(f"{{{who}}}", secret)
        filled.append((name, value.replace("{epoch}", epoch)))
    answer, _, below = watched.same(path, filled)
    assert (answer.status_code, below) == (status, False)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_the_routes(watched, method):
    for path in (SNAPSHOT, FEATURES):
        answer, _, below = watched.same(path, watched.bearer("sdk"), method)
        assert (answer.status_code, below) == (405, False)


def test_protocols_keys_come_in_their_ways(watched):
    secret = watched.secrets["sdk"]
    for headers in ([("Authorization", secret)], [("X-API-Key", secret)], [("Authorization", f"Bearer {secret}")]):
        answer, _, below = watched.same(FEATURES, headers)
        assert (answer.status_code, below) == (200, True)


def test_answers_keep_their_order_and_end_when_the_client_says_so(watched):
    """Several requests are sent at once, the last with a wish to close: the answers come whole, one after the other."""
    address = urlsplit(watched.server.url)
    key = watched.secrets["sdk"]
    asked = [(SNAPSHOT, ""), (FLAGS, ""), (SNAPSHOT, 'If-None-Match: "x"\r\n'), (FEATURES, "Connection: close\r\n")]
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        lines = (f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{more}\r\n" for path, more in asked)
        connection.sendall("".join(lines).encode())
        said = b""
        while part := connection.recv(65_536):
            said += part
    for path, more in asked:
        head, _, said = said.partition(b"\r\n\r\n")
        lines_of = (line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        headers = {name.lower(): value for name, value in lines_of}
        length = int(headers[b"content-length"])
        body, said = said[:length], said[length:]
        assert head.startswith(b"HTTP/1.1 200 ")
        assert without_now(body) == without_now(watched.ask(path, watched.bearer("sdk"))[1])
        assert (headers.get(b"connection") == b"close") is more.startswith("Connection")
    assert said == b""


def test_a_change_is_in_the_next_answer(watched):
    for number in range(5):
        done(watched.server, "PUT", "/api/flags/b.x", {"change_reason": "x", "description": f"now {number}"})
        head = watched.server.request("GET", "/health").json()["revision"]
        for path in (SNAPSHOT, FLAGS):
            _, body, below = watched.same(path, watched.bearer("sdk"))
            assert below
            assert f'"revision":{head}'.encode() in body
        assert f"now {number}".encode() in body


def test_an_override_that_is_over_is_not_in_force(watched):
    ends = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    body = {"override_state": "on", "override_reason": "x", "tenant_id": "t-short", "expires_at": ends}
    done(watched.server, "PUT", "/api/flags/b.x/override", body)
    path = f"{FLAGS}?tenant_id=t-short"
    deadline = time.monotonic() + 30
    while True:
        _, answer, below = watched.ask(path, watched.bearer("sdk"))
        listing = FlagListing.model_validate_json(answer)
        assert below
        over = listing.now >= datetime.fromisoformat(ends)
        assert (listing.effective_states["b.x"] == "off") is over
        assert (listing.overrides == ()) is over
        if over:
            break
        assert time.monotonic() < deadline


def test_a_revoked_key_is_refused_at_once(watched):
    made = watched.make_key("leaver", "sdk")
    headers = [("Authorization", f"Bearer {made['secret']}")]
    for path in (SNAPSHOT, FLAGS, FEATURES):
        assert watched.same(path, headers)[2]
    assert watched.server.request("DELETE", f"/api/keys/{made['id']}").status_code == 200
    for path in (SNAPSHOT, FLAGS, FEATURES):
        answer, _, below = watched.same(path, headers)
        assert (answer.status_code, below) == (401, False)


def test_requests_are_counted_as_the_routes_count(watched):
    def counted() -> float:
        lines = watched.server.request("GET", "/metrics").text.splitlines()
        name = 'flagconsole_http_requests_total{route="/api/snapshot",status="200"} '
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before, asked = counted(), watched.asked
    watched.same(SNAPSHOT, watched.bearer("sdk"))
    assert counted() - before == watched.asked - asked >= 3


def test_the_quota_counts_both(tmp_path):
    with LiveServer(f"sqlite:{tmp_path / 'flags.db'}", bounds=Bounds(rate=0.001, burst=6)) as server:
        key = {"Authorization": f"Bearer {server.keys[Role.SDK]}"}
        slowly = dict([SLOWLY])
        with httpx.Client(base_url=server.url, timeout=20) as client:
            statuses = [client.get(SNAPSHOT, headers=key | (slowly if n % 2 else {})).status_code for n in range(8)]
            assert statuses == [200] * 6 + [429] * 2
            refused = client.get(SNAPSHOT, headers=key)
            assert refused.json()["code"] == "too_many_requests"
            # Left to the routes, a request counts once.
            other = {"Authorization": f"Bearer {server.keys[Role.VIEWER]}"}
            answers = [client.get(f"{SNAPSHOT}?x=1", headers=other).status_code for _ in range(7)]
            assert answers == [422] * 6 + [429]


async def test_a_key_is_looked_up_again_after_every_commit_and_when_its_time_is_over(tmp_path, monkeypatch):
    now = [100.0]
    store = await open_store(f"sqlite:{tmp_path / 'flags.db'}")
    other = await open_store(f"sqlite:{tmp_path / 'flags.db'}")
    monkeypatch.setattr("flagconsole.store.sqlite.VERSION_HOLDS", 0.0)
    monkeypatch.setattr("flagconsole.server.known_keys._MOST_SECONDS", 1.0)
    try:
        operations, elsewhere = Operations(store), Operations(other)
        ends = datetime.now(UTC) + timedelta(seconds=3600)
        made = await operations.create_key(SYSTEM, KeyCreate(name="a", role=Role.SDK, expires_at=ends))
        hashed = key_hash(made.secret)
        keys = KnownKeys(store, clock=lambda: now[0])
        first = await keys.of(hashed)
        assert first is not None
        assert first is await keys.of(hashed)
        now[0] += 1
        second = await keys.of(hashed)
        assert second is not None
        assert second is not first
        await elsewhere.revoke_key(SYSTEM, made.api_key.key_id)
        assert await keys.of(hashed) is None
        assert await keys.of("nobody") is None
    finally:
        await store.close()
        await other.close()
