"""A scriptable server for the SDK's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..fake_server import FakeServer, serving


@pytest.fixture
def server() -> Iterator[FakeServer]:
    yield from serving()
