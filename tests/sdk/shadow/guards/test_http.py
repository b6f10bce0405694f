"""The guard on outgoing HTTP, in front of a server that counts what reaches it."""

from __future__ import annotations

import httpx
import pytest

from flagconsole.sdk.shadow import EffectKind, Shadow
from flagconsole.sdk.shadow.guards.http import AsyncHttpGuard, HttpGuard

from ....fake_server import Answer


@pytest.fixture
def url(server):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
        server.answers[method, "/charges"] = lambda _: Answer(200, b'{"real": true}')
    server.answers["GET", "/away"] = lambda _: Answer(307, b"", {"Location": "/charges"})
    return f"{server.url}/charges"


def arrived(server):
    return [asked.method for asked in server.requests if asked.path.startswith(("/charges", "/away"))]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "post"])
def test_what_changes_something_is_kept_back_and_answered(server, url, method):
    guard = HttpGuard(always=True)
    with httpx.Client(transport=guard) as client:
        answer = client.request(method, url, json={"card": 4242}, params={"key": "secret"})
    assert (answer.status_code, answer.json()) == (202, {})
    assert (guard.prevented, arrived(server)) == (1, [])


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_pass_or_nothing_does(server, url, method):
    with httpx.Client(transport=HttpGuard(always=True)) as client:
        assert client.request(method, url).status_code == 200
    strict = HttpGuard(safe_methods=False, always=True)
    with httpx.Client(transport=strict) as client:
        assert client.request(method, url).status_code == 202
    assert (arrived(server), strict.prevented) == ([method], 1)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "Upgrade"])
def test_a_request_in_disguise_is_not_safe(server, url, header):
    with httpx.Client(transport=HttpGuard(always=True)) as client:
        assert client.get(url, headers={header: "DELETE"}).status_code == 202
    assert arrived(server) == []


def test_in_shadow_only_and_without_what_could_be_secret(server, url):
    guard = HttpGuard(answer=lambda request: httpx.Response(201, json={"id": "ch_1"}, request=request))
    with httpx.Client(transport=guard) as client:

        def handler():
            return client.post(url.replace("//", "//user:pass@"), params={"card": "4242"}).json()

        result = Shadow("invoices.write").execute("charge", handler, tenant="t1")
        assert (result.result, dict(result.effect_counts)) == ({"id": "ch_1"}, {EffectKind.HTTP: 1})
        assert result.effects[0].what == f"POST {url}"
        assert client.post(url).json() == {"real": True}
    assert arrived(server) == ["POST"]


async def test_asynchronous_clients_and_redirects(server, url):
    guard = AsyncHttpGuard()
    async with httpx.AsyncClient(transport=guard, follow_redirects=True) as client:

        async def handler():
            await client.get(url.replace("charges", "away"))
            await client.post(url)
            return (await client.get(url)).json()

        result = await Shadow("invoices.write").aexecute("charge", handler, tenant="t1")
    assert (result.result, guard.prevented) == ({"real": True}, 1)
    assert arrived(server) == ["GET", "GET", "GET"]
