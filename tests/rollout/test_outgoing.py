"""Where a configured address may lead, and that it leads nowhere else afterwards."""

from __future__ import annotations

import httpx
import pytest

from flagconsole.rollout.outgoing import AddressRefused, GuardedTransport, guarded_client, is_public


class Recorded(httpx.AsyncBaseTransport):
    """Takes what would be sent."""

    def __init__(self) -> None:
        self.sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return httpx.Response(302, headers={"Location": "http://169.254.169.254/latest"})


def client_of(recorded: Recorded, *answers: list[str], private: tuple[str, ...] = ()) -> httpx.AsyncClient:
    """A client whose name server gives these answers, one after the other."""
    left = list(answers)

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0)

    return httpx.AsyncClient(transport=GuardedTransport(private, resolve=resolve, transport=recorded))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "fe80::1%eth0",
        "fd00::1",
    ],
)
async def test_private_addresses_are_refused_also_beside_public_ones(address):
    assert not is_public(address)
    recorded = Recorded()
    async with client_of(recorded, [address], ["93.184.216.34", address]) as client:
        for _ in range(2):
            with pytest.raises(AddressRefused, match="private"):
                await client.post("https://hook.example/x")
    assert not recorded.sent


async def test_it_connects_to_the_address_that_was_checked_and_follows_no_redirect():
    recorded = Recorded()
    async with client_of(recorded, ["93.184.216.34"], ["127.0.0.1"]) as client:
        answer = await client.post("https://hook.example/x")
        assert answer.status_code == 302
        with pytest.raises(AddressRefused):  # the name server has changed its mind
            await client.post("https://hook.example/x")
    (sent,) = recorded.sent
    assert (sent.url.host, sent.headers["Host"]) == ("93.184.216.34", "hook.example")
    assert sent.extensions["sni_hostname"] == "hook.example"


async def test_what_is_allowed_may_be_private_and_in_the_clear_and_nothing_else():
    recorded = Recorded()
    async with client_of(recorded, ["10.0.0.5"], private=("Mesh.internal",)) as client:
        await client.post("http://mesh.internal/x")
        with pytest.raises(AddressRefused, match="https"):
            await client.post("http://other.internal/x")
    assert len(recorded.sent) == 1


async def test_no_proxy_is_asked(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with guarded_client() as client:
        with pytest.raises(AddressRefused, match=r"127\.0\.0\.1"):
            await client.get("https://127.0.0.1:1/")
