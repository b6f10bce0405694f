"""A server of ours in a process of its own, on a new store with so many flags."""

from __future__ import annotations

import asyncio
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from tests.server_process import ServerProcess

from flagconsole.domain.requests import FlagCreate, FlagUpdate, KeyCreate
from flagconsole.domain.role import Role
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.store import open_store

FLAG = "team.flag_00015"
#: As many of the flags are in a canary; the others stay off. Each change is a synced commit.
CANARIES = 30


class Served(NamedTuple):
    """Where it listens, an administrator's key, its process, and how many seconds it took until it was healthy."""

    url: str
    key: str
    process: int
    started: float


def flag_name(number: int) -> str:
    """The name of one of the flags."""
    return f"team.flag_{number:05}"


async def fill(store_url: str, flags: int, on: int = 0) -> str:
    """Make the flags; the first ``on`` are on, as many after them as ``CANARIES`` allows in a canary. Returns an administrator's key."""
    store = await open_store(store_url)
    try:
        operations = Operations(store)
        for number in range(flags):
            name = flag_name(number)
            await operations.create(SYSTEM, FlagCreate(flag_name=name, description=f"Flag {number} of the benchmark"))
            if number < on:
                update = FlagUpdate(current_state=FlagState.ON, change_reason="benchmark")
            elif number < CANARIES:
                update = FlagUpdate(current_state=FlagState.CANARY, canary_percentage=10, change_reason="benchmark")
            else:
                continue
            await operations.update(SYSTEM, name, update)
        return (await operations.create_key(SYSTEM, KeyCreate(name="bench", role=Role.ADMIN))).secret
    finally:
        await store.close()


@contextmanager
def serving(flags: int, *, on: int = 0, limits: Sequence[str] = (), store_url: str | None = None) -> Iterator[Served]:
    """A server while the block runs; ``limits`` as ``serve --limit`` takes them, ``store_url`` another store than a new SQLite file."""
    with ExitStack() as stack:
        if store_url is None:
            store_url = f"sqlite:{stack.enter_context(tempfile.TemporaryDirectory())}/bench.db"
        key = asyncio.run(fill(store_url, flags, on))
        arguments = [word for limit in limits for word in ("--limit", limit)]
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        began = time.perf_counter()
        server = stack.enter_context(
            ServerProcess(store_url, *arguments, environment={"XDG_DATA_HOME": folder, "XDG_STATE_HOME": folder})
        ).wait()
        with urllib.request.urlopen(f"{server.url}/health", timeout=30) as answer:
            answer.read()
        started = time.perf_counter() - began
        yield Served(server.url, key, server.process.pid, started)
