"""How many changes a second? Each is a whole one: rights, validation, the flag, the chained log entry, the event, the revision, synced.

Eight writers at once, each changing a flag of its own. In process (what the store takes) and over HTTP (what users get), on SQLite and
PostgreSQL; beside Unleash's admin switch, and a bare synced transaction of the same database as the bound. Wall time.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psycopg
from tests.postgres_server import PostgresServer, running_postgres

from bench import unleash_server
from bench.propagation import Requester
from bench.rounds import interleaved
from bench.served import fill, flag_name, serving
from bench.table import OURS, Table
from flagconsole.domain.requests import FlagUpdate
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.store import open_store

WRITERS = 8
BOUND = "bound: a bare synced transaction"
ORDERED = "bound: the same, each taking one head row as ours do"
HTTP = "over HTTP"
UNLEASH = "Unleash's admin switch"
_STATES = (FlagState.ON, FlagState.SHADOW)
_BODY = "x" * 1500


def writing(seconds: float, write: Callable[[int, int], object], writers: int = WRITERS) -> float:
    """Let so many threads write for so long; writes a second. ``write`` gets who writes and the number of the write."""
    counts, failures = [0] * writers, []
    begun = time.perf_counter()

    def work(who: int) -> None:
        try:
            while time.perf_counter() - begun < seconds:
                write(who, counts[who])
                counts[who] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(who,)) for who in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(counts) / (time.perf_counter() - begun)


def connected(many: Sequence[Requester], seconds: float, write: Callable[[int, int], None]) -> float:
    """The same over connections that a server may have given up since the round before."""
    for one in many:
        one.ready()
    return writing(seconds, write)


class InProcess:
    """Our operations on one store. ``acknowledged`` counts what they said was done."""

    def __init__(self, store_url: str) -> None:
        self._url = store_url
        self.acknowledged = 0
        self.wrong: list[str] = []

    def measure(self, seconds: float) -> float:
        """Changes a second."""
        return asyncio.run(self._measure(seconds))

    async def _measure(self, seconds: float) -> float:
        store = await open_store(self._url)
        try:
            operations = Operations(store)
            async with store.read() as reader:
                before = (await reader.head()).revision
            begun = time.perf_counter()
            counts = await asyncio.gather(*(self._writer(operations, who, begun + seconds) for who in range(WRITERS)))
            took = time.perf_counter() - begun
            async with store.read() as reader:
                after = (await reader.head()).revision
            if after - before != sum(counts):
                self.wrong.append(f"{sum(counts)} changes were acknowledged and {after - before} are in the store")
            verified = await operations.verify_audit(SYSTEM)
            if not verified.verified:
                self.wrong.append(f"the log's chain is broken after {self.acknowledged} changes")
        finally:
            await store.close()
        self.acknowledged += sum(counts)
        return sum(counts) / took

    async def _writer(self, operations: Operations, who: int, until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            # Whatever the flag is, one of two changes it.
            for state in _STATES:
                update = FlagUpdate(current_state=state, change_reason=f"benchmark {done}")
                done += (await operations.update(SYSTEM, flag_name(who), update)).changed
        return done


@contextmanager
def bare_sqlite(folder: str) -> Iterator[Callable[[float], float]]:
    """Insert a row and commit, synced as our store is. One writer: SQLite has one at a time, and others would only get in its way."""
    connection = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE change (body TEXT)")

    def write(who: int, number: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO change VALUES (?)", (_BODY,))
        connection.execute("COMMIT")

    yield lambda seconds: writing(seconds, write, 1)
    connection.close()


@contextmanager
def bare_postgres(server: PostgresServer, *, ordered: bool) -> Iterator[Callable[[float], float]]:
    """Insert a row and commit, eight at once; ``ordered``: each counts up one row first, as a feed without gaps must."""
    url = server.database()
    with ExitStack() as stack:
        many = [stack.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(WRITERS)]
        many[0].execute("CREATE TABLE change (body TEXT)")
        many[0].execute("CREATE TABLE head (revision BIGINT)")
        many[0].execute("INSERT INTO head VALUES (0)")

        def write(who: int, number: int) -> None:
            with many[who].transaction():
                if ordered:
                    many[who].execute("UPDATE head SET revision = revision + 1")
                many[who].execute("INSERT INTO change VALUES (%s)", (_BODY,))

        yield partial(writing, write=write)


@contextmanager
def over_http(store_url: str | None) -> Iterator[Callable[[float], float]]:
    """Our server, changed by eight connections."""
    with serving(WRITERS, limits=("rate=100000", "burst=100000"), store_url=store_url) as server, ExitStack() as stack:
        many = [Requester(server.url, {"Authorization": f"Bearer {server.key}"}) for _ in range(WRITERS)]
        for one in many:
            stack.callback(one.close)
        written = [0] * WRITERS

        def write(who: int, number: int) -> None:
            written[who] += 1
            state = _STATES[written[who] % 2].value
            body = {"current_state": state, "change_reason": f"benchmark {number}"}
            many[who].ask("PUT", f"/api/flags/{flag_name(who)}", body)

        yield partial(connected, many, write=write)


@contextmanager
def unleash() -> Iterator[Callable[[float], float]]:
    """Unleash's server, switched by eight connections. Raises ``unleash_server.NotThere``."""
    with unleash_server.unleash() as server, ExitStack() as stack:
        many = [Requester(server.url, {"Authorization": unleash_server.ADMIN}) for _ in range(WRITERS)]
        for one in many:
            stack.callback(one.close)
        for who in range(WRITERS):
            server.make(flag_name(who))
        written = [0] * WRITERS

        def write(who: int, number: int) -> None:
            written[who] += 1
            onto = "off" if written[who] % 2 else "on"
            path = f"/api/admin/projects/default/features/{flag_name(who)}/environments/development/{onto}"
            many[who].ask("POST", path, None)

        yield partial(connected, many, write=write)


def measured(*, rounds: int, seconds: float, peers: bool = True, postgres: bool = True) -> Table:
    """The table."""
    table = Table("write", (__doc__ or "").partition("\n\n")[2].strip())
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sqlite = InProcess(f"sqlite:{folder}/flags.db")
        asyncio.run(fill(f"sqlite:{folder}/flags.db", WRITERS))
        works: dict[str, dict[str, Callable[[float], float]]] = {
            "SQLite": {
                OURS: sqlite.measure,
                f"{OURS} {HTTP}": stack.enter_context(over_http(None)),
                BOUND: stack.enter_context(bare_sqlite(folder)),
            }
        }
        stores = [sqlite]
        server = stack.enter_context(running_postgres()) if postgres else None
        if server is None:
            table.notes.append("left out: PostgreSQL, of which there are no programs here")
        else:
            url = server.database()
            asyncio.run(fill(url, WRITERS))
            stores.append(InProcess(url))
            works["PostgreSQL"] = {
                OURS: stores[-1].measure,
                f"{OURS} {HTTP}": stack.enter_context(over_http(server.database())),
                BOUND: stack.enter_context(bare_postgres(server, ordered=False)),
                ORDERED: stack.enter_context(bare_postgres(server, ordered=True)),
            }
        if peers:
            try:
                works.setdefault("PostgreSQL", {})[UNLEASH] = stack.enter_context(unleash())
                table.versions["Unleash"] = unleash_server.version()
            except unleash_server.NotThere as error:
                table.notes.append(f"left out: {error}")
        for work, who in works.items():
            for name, found in interleaved({name: partial(run, seconds) for name, run in who.items()}, rounds).items():
                table.add(f"{work}, {WRITERS} writers", name, found, "/s", "high")
        wrong = [line for one in stores for line in one.wrong]
    table.correct = not wrong
    table.notes += [f"wrong: {line}" for line in wrong[:5]]
    _judge(table)
    return table


def _judge(table: Table) -> None:
    sqlite, postgres = f"SQLite, {WRITERS} writers", f"PostgreSQL, {WRITERS} writers"
    table.goal("SQLite, of the bound", table.times(sqlite, BOUND), 0.5, "×", "high", why=_COST)
    table.goal(
        "PostgreSQL, of the bound that keeps an order", table.times(postgres, ORDERED), 0.5, "×", "high", why=_COST
    )
    table.goal("PostgreSQL, of the bound without any order", table.times(postgres, BOUND), 0.5, "×", "high", why=_ORDER)
    table.goal(
        "over HTTP, faster than Unleash's switch",
        table.times(postgres, UNLEASH, f"{OURS} {HTTP}"),
        1,
        "×",
        "high",
        why=_COST,
    )


_COST = (
    "a change costs its writer's thread more CPU than the bound takes for everything: on the profile of eight writers on SQLite a sixth of it is "
    "statements and the shared commit, an eighth its entry in the log with the hash, a twelfth the flag's row read and written, a twentieth the "
    "event, and the rest the checks, the hand-over from writer to writer and the event loop, all in one thread; on PostgreSQL more than half is "
    "the driver's, for three messages a change"
)
_ORDER = (
    "a revision without gaps means that one writer follows the other, each with three messages of its own to the database (its part with the "
    "time, the flag, the change), where the bound's eight have theirs under way at once"
)


def table(*, quick: bool) -> Table:
    """The table of a quick or a whole run."""
    return measured(rounds=3, seconds=1.0) if quick else measured(rounds=9, seconds=3.0)
