"""How does the cost grow with what a store holds: flags, overrides, tenants, instances, and the history?

Each call is measured on stores of growing size, and the exponent fitted over the larger half of the sizes: 0 says that it costs the same
however much there is, 1 that twice as much costs twice. CPU time, so that the disk's sync is not in it. What is there before the first question
is not looked through for garbage, as in a server that runs. And of the calls that read the log SQLite is asked how it finds what they ask
for: none may read all of it.
"""

from __future__ import annotations

import asyncio
import gc
import math
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from bench.growth_world import FLAG, LEAST_FLAGS, RARE_FLAG, World, flag_name, tenant_name
from bench.rounds import Measured, summary
from bench.table import Table, shown
from flagconsole.console.rows import flag_row
from flagconsole.domain.requests import FlagUpdate, Kill
from flagconsole.operations.reading import ruleset_of
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.sdk import FlagClient
from flagconsole.server.projection import Projection
from flagconsole.store import Store, open_store
from flagconsole.store.sqlite_session import SqliteSession

#: The sizes of a whole run and of a quick one.
WHOLE = {
    "flags": (10, 100, 1_000, 10_000, 100_000),
    "overrides": (10, 1_000, 10_000, 100_000),
    "tenants": (10, 1_000, 10_000, 100_000, 1_000_000),
    "instances": (10, 100, 1_000, 10_000),
    "history": (10_000, 100_000, 1_000_000, 10_000_000),
}
QUICK = {
    "flags": (10, 100, 1_000, 5_000),
    "overrides": (10, 1_000, 10_000),
    "tenants": (10, 1_000, 20_000),
    "instances": (10, 100, 1_000),
    "history": (1_000, 10_000, 100_000),
}
#: The most that a call's exponent may be. What gives all of something is linear, whatever isn't about it must not notice.
LINEAR, CONSTANT = 1.15, 0.15
#: What grows with what; anything else must not.
GROWS = {
    ("list", "flags"),
    ("one flag", "flags"),
    ("list", "overrides"),
    ("snapshot", "flags"),
    ("snapshot", "overrides"),
    ("next snapshot", "flags"),
    ("next snapshot", "overrides"),
    ("console rows", "flags"),
    ("blast radius", "tenants"),
    ("instances", "instances"),
}
_AT_LEAST, _AT_MOST, _SECONDS = 3, 15, 2.0


class Place:
    """A store of some size, and the calls that are measured on it, each as often as it is asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._operations = Operations(store)
        self._numbers = count()
        self._alive = iter(range(1, LEAST_FLAGS))

    def calls(self, about: str) -> dict[str, Callable[[], Awaitable[object]]]:
        """What users wait for. ``about`` is what grows."""
        operations = self._operations
        found: dict[str, Callable[[], Awaitable[object]]] = {
            "evaluate": self.evaluate,
            "kill": self.kill,
            "one flag": lambda: operations.flag(SYSTEM, FLAG, tenant_name(1)),
            "history page": lambda: operations.history(SYSTEM, None),
        }
        if about == "history":
            found |= {
                "history of a flag": lambda: operations.history(SYSTEM, FLAG),
                "history of a domain that has most": lambda: operations.history(SYSTEM, None, domain="team"),
                "history of a domain that has little": lambda: operations.history(SYSTEM, None, domain="rare"),
                "history of a flag that has little": lambda: operations.history(SYSTEM, RARE_FLAG),
                "audit page, in the middle": self.middle,
            }
        if about in ("flags", "overrides", "history"):
            found |= {
                "list": lambda: operations.flags(SYSTEM),
                "snapshot": self.snapshot,
                "next snapshot": self.next_snapshot,
            }
        if about == "flags":
            found |= {"console rows": self.rows}
        if about == "tenants":
            found |= {"blast radius": lambda: operations.blast_radius(SYSTEM, FLAG)}
        if about == "instances":
            found |= {"instances": lambda: operations.instances(SYSTEM)}
        return found

    async def begin(self) -> None:
        """What a process has ready before it is asked."""
        async with self._store.read() as reader:
            self._head = await reader.head()
            self._views, self._overrides = await reader.flag_views(), await reader.overrides()
        self._client = FlagClient("http://127.0.0.1:9", "fc_bench", cache_dir=False, start=False)
        self._client._held.offer(ruleset_of(self._head, self._views, self._overrides), whole=True)
        self._listing = (await self._operations.flags(SYSTEM)).model_dump(mode="json")["flags"]
        await self._change()

    async def _change(self) -> None:
        """Change a flag as often as the next snapshot is asked for, and keep what a server hears of it."""
        self._projection = Projection(self._head, self._views, self._overrides)
        for number in range(_AT_MOST + 1):
            update = FlagUpdate(canary_percentage=11 + number, change_reason="benchmark")
            await self._operations.update(SYSTEM, FLAG, update)
        async with self._store.read() as reader:
            self._events = iter(await reader.events_after(self._head.revision, _AT_MOST + 1) or ())

    async def evaluate(self) -> None:
        """Ask for a flag a thousand times, each for another tenant that wasn't asked for yet."""
        first = next(self._numbers) * 1000
        for number in range(first, first + 1000):
            self._client.state(FLAG, f"asking-{number}")

    async def kill(self) -> None:
        """Kill a flag, whole but for HTTP; another one each time."""
        await self._operations.kill(SYSTEM, flag_name(next(self._alive)), Kill(kill_reason="benchmark"))

    async def middle(self) -> None:
        """A page from the middle of the log."""
        await self._operations.history(SYSTEM, None, before=self._head.revision // 2)

    async def snapshot(self) -> None:
        """All rules as they are sent, as a server makes them when it starts."""
        Projection(self._head, self._views, self._overrides).snapshot()

    async def next_snapshot(self) -> None:
        """The same as a running server makes it once for each revision: it hears of a change, and sends all anew."""
        assert self._projection.apply(next(self._events)) is not None
        self._projection.snapshot()

    async def rows(self) -> None:
        """All flags as the console's rows."""
        for data in self._listing:
            flag_row(data)


class Plan(NamedTuple):
    """How SQLite finds what a statement asks for."""

    statement: str
    steps: str

    @property
    def reads_all_of_the_log(self) -> bool:
        """Whether it goes through the whole log. One that walks it in its order until it has a page is none."""
        sorts = "TEMP B-TREE" in self.steps
        walks = "SCAN flag_change_log" in self.steps
        return (walks and ("LIMIT" not in self.statement or sorts)) or (sorts and "flag_change_log" in self.steps)


@contextmanager
def explained() -> Iterator[list[Plan]]:
    """The plans of all statements that the embedded store is asked for in the block, each once."""
    plans: dict[str, Plan] = {}
    before = SqliteSession.all, SqliteSession.one

    def explain(session: SqliteSession, sql: str, values: tuple[object, ...]) -> None:
        if sql not in plans:
            found = session._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)
            plans[sql] = Plan(sql, "; ".join(str(row["detail"]) for row in found))

    async def all_of(session: SqliteSession, sql: str, *values: object) -> object:
        explain(session, sql, values)
        return await before[0](session, sql, *values)

    async def one_of(session: SqliteSession, sql: str, *values: object) -> object:
        explain(session, sql, values)
        return await before[1](session, sql, *values)

    SqliteSession.all, SqliteSession.one = all_of, one_of  # type: ignore[method-assign,assignment]
    found: list[Plan] = []
    try:
        yield found
    finally:
        SqliteSession.all, SqliteSession.one = before  # type: ignore[method-assign]
        found += plans.values()


async def timed(call: Callable[[], Awaitable[object]]) -> Measured:
    """CPU milliseconds of a call, as often as two seconds allow; the first one isn't counted."""
    await call()
    found: list[float] = []
    begun = time.monotonic()
    while len(found) < _AT_LEAST or (len(found) < _AT_MOST and time.monotonic() - begun < _SECONDS):
        cpu = time.process_time()
        await call()
        found.append((time.process_time() - cpu) * 1000)
    return summary(found)


async def at_size(folder: Path, about: str, size: int) -> tuple[dict[str, Measured], list[Plan]]:
    """Every call on a store with so many of them."""
    world = World(folder / f"{about}-{size}.db")
    await world.begin()
    getattr(world, about)(size)
    store = await open_store(world.url)
    try:
        place = Place(store)
        await place.begin()
        found = {}
        gc.collect()
        gc.freeze()
        with explained() as plans:
            for name, call in place.calls(about).items():
                found[name] = await timed(call)
    finally:
        gc.unfreeze()
        await store.close()
        for file in folder.glob(f"{about}-{size}.db*"):
            file.unlink()
    return found, plans


def exponent(costs: Sequence[tuple[int, float]]) -> float:
    """The slope of the cost against the size, both as logarithms, over the larger half of the sizes (three at least)."""
    used = list(costs)[-max(3, math.ceil(len(costs) / 2)) :]
    logs = [(math.log(size), math.log(max(cost, 1e-6))) for size, cost in used]
    return statistics.linear_regression([x for x, _ in logs], [y for _, y in logs]).slope


def measured(sizes: dict[str, tuple[int, ...]]) -> Table:
    """The table."""
    table = Table("growth", (__doc__ or "").partition("\n\n")[2].strip(), correct=True)
    scans: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        for about, steps in sizes.items():
            costs: dict[str, list[tuple[int, float]]] = {}
            for size in steps:
                found, plans = asyncio.run(at_size(Path(name), about, size))
                for call, took in found.items():
                    table.add(f"{call}", f"{size:,} {_said(about)}", took, "ms")
                    costs.setdefault(call, []).append((size, took.median))
                scans |= {plan.statement: plan.steps for plan in plans if plan.reads_all_of_the_log}
            for call, points in costs.items():
                bound = LINEAR if (call, about) in GROWS else CONSTANT
                kind = "at most linear" if bound == LINEAR else "does not notice"
                what = f"{call} against {_said(about)} ({kind}), exponent"
                table.goal(what, exponent(points), bound, "", why=_WHY.get((call, about), ""))
    table.goal(
        "statements that read the whole log or the most of it", float(len(scans)), 0, "", why="; ".join(scans.values())
    )
    longest = max((row for row in table.rows if row.who.endswith("of history")), key=lambda row: row.measured.median)
    table.notes.append(
        f"slowest on the longest histories: {longest.work}, {shown(longest.measured.median)} ms ({longest.who})"
    )
    return table


def _said(about: str) -> str:
    return "entries of history" if about == "history" else about


_SNAPSHOT = (
    "it is linear in the objects that it makes, but those of ten thousand flags don't fit the processor's cache any more: half as much again for "
    "each, without any collection of garbage"
)
_WHY = dict.fromkeys(
    ((call, about) for call in ("snapshot", "next snapshot") for about in ("flags", "overrides")), _SNAPSHOT
)


def table(*, quick: bool) -> Table:
    """The table of a quick or a whole run."""
    return measured(QUICK if quick else WHOLE)
