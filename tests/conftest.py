"""What many tests need: a clock that stands still, a store of each backend, operations on it, and a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings

from flagconsole.domain.requests import FlagCreate
from flagconsole.domain.role import Actor, Role
from flagconsole.operations.service import Operations
from flagconsole.store import Store, open_store

from .live_server import LiveServer

# The same examples in every run: what fails, fails for everybody. New ones are looked for with --hypothesis-profile=search.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("same")


class StandingClock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 22, 3, 14, 7, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **duration: float) -> None:
        self.at += timedelta(**duration)


ADMIN = Actor(name="ada", role=Role.ADMIN)
OPERATOR = Actor(name="olu", role=Role.OPERATOR)
VIEWER = Actor(name="vic", role=Role.VIEWER)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


#: Store URLs in a test's own folder, by backend. The contract tests run on each of them.
BACKENDS: dict[str, Callable[[Path], str]] = {"sqlite": lambda folder: f"sqlite:{folder / 'flags.db'}"}


@pytest.fixture(params=sorted(BACKENDS))
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return BACKENDS[request.param](tmp_path)


@pytest.fixture
async def store(store_url: str, clock: StandingClock) -> AsyncIterator[Store]:
    opened = await open_store(store_url, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def operations(store: Store) -> Operations:
    return Operations(store)


@pytest.fixture
async def flag(operations: Operations) -> str:
    """A flag that is off, at version 1."""
    await operations.create(ADMIN, FlagCreate(flag_name="pos.lite"))
    return "pos.lite"


@pytest.fixture
def live_server(tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(f"sqlite:{tmp_path / 'live.db'}") as server:
        yield server
