"""Instances of our SDK over real sockets, many in this process, asked by lines of JSON (``bench.worker``).

Each is a client with everything that a service's has: its stream, its rules, its receipts. Only the thread is shared: a thousand
threads of one interpreter would be measured instead of them. And the collector looks for garbage between two kills only: amid one it would
go through the rules of five hundred instances, of which a service has one. ``watch`` a flag; ``killed`` says when each evaluated it to killed, by the
monotonic clock that all processes of this machine share; ``settled`` when all receipts have arrived.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from typing import Any

from bench.stream_readers import answering
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.states import FlagState
from flagconsole.sdk import FlagClient
from flagconsole.sdk.core import Core
from flagconsole.sdk.listeners import Listeners

#: How many connect at one time.
AT_ONCE = 20
_PATIENCE = 120.0


class Instance(Listeners):
    """One: it asks for the watched flag as soon as its rules are new, as a service that asks all the time would find it."""

    def __init__(self, url: str, key: str, number: int) -> None:
        self.client = FlagClient(url, key, f"bench-{number}", service="bench", cache_dir=False, start=False)
        inside = self.client
        super().__init__(inside._counters)
        self.core = Core(inside._settings, inside._held, None, self, inside._counters, inside._usage, inside._shadow)
        self.flag = ""
        self.killed_at: float | None = None
        self.task = asyncio.create_task(self.core.run())

    def tell(self, before: Ruleset | None, after: Ruleset) -> None:
        """The rules are new."""
        if self.flag and self.killed_at is None and self.client.state(self.flag, "tenant-0001") is FlagState.KILL:
            self.killed_at = time.monotonic()

    def watch(self, flag: str) -> bool:
        """Wait for this flag's kill from now on; whether it is enabled now, as it must be."""
        self.flag, self.killed_at = flag, None
        return self.client.is_enabled(flag, "tenant-0001")


class Instances:
    """All of them."""

    def __init__(self, url: str, key: str, first: int) -> None:
        self._url, self._key, self._first = url, key, first
        self._all: list[Instance] = []

    async def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """What was asked."""
        match question["do"]:
            case "open":
                return await self._open(question["count"])
            case "watch":
                gc.collect()
                gc.disable()
                return {"on": sum(one.watch(question["flag"]) for one in self._all)}
            case "killed":
                await self._until(lambda one: one.killed_at is not None)
                return {"at": [one.killed_at for one in self._all]}
            case _:
                await self._until(lambda one: not one.core._reporter._waiting)
                gc.enable()
                return {"settled": sum(not one.core._reporter._waiting for one in self._all)}

    async def _open(self, count: int) -> dict[str, Any]:
        while len(self._all) < count:
            some = range(len(self._all), min(len(self._all) + AT_ONCE, count))
            self._all += [Instance(self._url, self._key, self._first + number) for number in some]
            await self._until(lambda one: one.core.connected and one.client._held.ruleset is not None)
        gc.freeze()
        return {"open": sum(one.core.connected for one in self._all)}

    async def _until(self, condition: Any) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and not all(map(condition, self._all)):
            await asyncio.sleep(0.01)


async def main() -> None:
    """``python -m bench.sdk_instances URL KEY FIRST``."""
    await answering(Instances(sys.argv[1], sys.argv[2], int(sys.argv[3])).answer)


if __name__ == "__main__":
    asyncio.run(main())
