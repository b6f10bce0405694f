"""A scriptable server and clients of it, closed when the test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flagconsole.sdk import FlagClient

from ..fake_server import KEY, FakeServer, serving


@pytest.fixture
def server() -> Iterator[FakeServer]:
    yield from serving()


@pytest.fixture
def make_client(server: FakeServer, tmp_path: Path) -> Iterator[Callable[..., FlagClient]]:
    """Makes clients of the server; their cache lies in the test's folder."""
    made: list[FlagClient] = []

    def make(**options: Any) -> FlagClient:
        options = {"url": server.url, "api_key": KEY, "service": "billing", "cache_dir": tmp_path / "cache", **options}
        client = FlagClient(options.pop("url"), options.pop("api_key"), options.pop("instance", "i-1"), **options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.request_close()
    for client in made:
        client.close(0.5)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect and help out by polling within moments, as far as a test doesn't ask otherwise."""
    monkeypatch.setattr("flagconsole.client.backoff.Backoff.next", lambda self, least=0.0: 0.005)
    monkeypatch.setattr("flagconsole.sdk.core.FIRST_PATIENCE", 0.2)
