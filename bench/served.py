"""A server of ours in a process of its own, on a new store with so many flags."""

from __future__ import annotations

import asyncio
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from flagconsole.cli.own_server import own_server
from flagconsole.domain.requests import FlagCreate, FlagUpdate
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.store import open_store

FLAG = "team.flag_00015"
#: As many of the flags are in a canary; the others stay off. Each change is a synced commit.
CANARIES = 30


class Served(NamedTuple):
    """Where it listens, an administrator's key, and how many seconds it took until it was healthy."""

    url: str
    key: str
    started: float


async def fill(store_url: str, flags: int) -> None:
    """Make the flags."""
    store = await open_store(store_url)
    try:
        operations = Operations(store)
        for number in range(flags):
            name = f"team.flag_{number:05}"
            await operations.create(SYSTEM, FlagCreate(flag_name=name, description=f"Flag {number} of the benchmark"))
            if number < CANARIES:
                update = FlagUpdate(current_state=FlagState.CANARY, canary_percentage=10, change_reason="benchmark")
                await operations.update(SYSTEM, name, update)
    finally:
        await store.close()


@contextmanager
def serving(flags: int) -> Iterator[Served]:
    """A server while the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        store_url = f"sqlite:{folder}/bench.db"
        asyncio.run(fill(store_url, flags))
        began = time.perf_counter()
        with own_server(store_url) as server:
            with urllib.request.urlopen(f"{server.url}/health", timeout=30) as answer:
                answer.read()
            yield Served(server.url, server.api_key, time.perf_counter() - began)
