"""A store on PostgreSQL, which any number of servers may share.

Every write transaction locks the head row first. So writers follow one another as they do in the embedded store, revisions
have no gap, and whoever reads a revision can read all before it. Kills have connections of their own and wait for nothing
but that row.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.instance import Instance
from flagconsole.store import rows
from flagconsole.store.clock import Clock, system_clock
from flagconsole.store.postgres_schema import migrate, refuse_unsafe
from flagconsole.store.postgres_session import ROW_FACTORY, Connection, PostgresSession, marked, plain
from flagconsole.store.session import insert
from flagconsole.store.sql_reader import SqlReader
from flagconsole.store.sql_transaction import SqlTransaction
from flagconsole.store.write_gate import WriteGate

if TYPE_CHECKING:
    from flagconsole.store.postgres_metrics import PostgresMetrics

#: The channel on which commits are told. The message is the revision and nothing else.
CHANNEL: Final = "flagconsole"
#: Without any message it is looked for changes so often (seconds).
POLL_SECONDS: Final = 2.0
#: After a lost connection the next try waits so long, at most (seconds).
_RECONNECT_SECONDS: Final = 1.0
_READERS: Final = 6
_KILLERS: Final = 2
_POOL_WAIT: Final = 5.0
#: A server that hangs in a transaction must not keep the head row from the others (milliseconds).
_LIMITS: Final = "-c lock_timeout=5000 -c statement_timeout=15000 -c idle_in_transaction_session_timeout=10000"


class PostgresStore:
    """``Store`` on one database. Opened by ``open_store``."""

    def __init__(self, url: str, listen_url: str, clock: Clock | None) -> None:
        self._url = url
        self._listen_url = listen_url
        self._clock = clock
        self._where = _without_secrets(url)
        self._gate = WriteGate()
        self._kills = _Kills()
        self._writers = self._pool(url, 1, 2)
        self._killers = self._pool(url, _KILLERS, _KILLERS)
        self._readers = self._pool(url, 1, _READERS)
        self._metrics: PostgresMetrics | None = None

    @classmethod
    async def open(cls, url: str, *, listen_url: str | None = None, clock: Clock = system_clock) -> PostgresStore:
        """Connect and migrate. ``listen_url`` is a direct way to the same database where ``url`` leads through a pooler.

        Raises ``StoreUnavailable`` where that can't be done, and for a database that isn't safe to write to.
        """
        # Deadlines are the database's, so that servers whose clocks differ agree; a test's clock replaces that.
        store = cls(url, listen_url or url, None if clock is system_clock else clock)
        try:
            with store._translated():
                async with await _connect(url) as connection:
                    await refuse_unsafe(connection)
                    await migrate(connection)
                for pool in (store._killers, store._writers, store._readers):
                    await pool.open(wait=True, timeout=_POOL_WAIT)
        except BaseException:
            await store.close()
            raise
        return store

    def _pool(self, url: str, least: int, most: int) -> AsyncConnectionPool[Connection]:
        return AsyncConnectionPool(
            url,
            min_size=least,
            max_size=most,
            open=False,
            timeout=_POOL_WAIT,
            reconnect_timeout=30.0,
            kwargs={"autocommit": True, "row_factory": ROW_FACTORY, "options": _LIMITS, "connect_timeout": 5},
            connection_class=psycopg.AsyncConnection,
        )

    @asynccontextmanager
    async def write(self, *, urgent: bool = False) -> AsyncIterator[SqlTransaction]:
        if urgent:
            async with self._kills.under_way(), self._transaction(self._killers) as transaction:
                yield transaction
            return
        # One at a time from here: more would only wait for the head row, each with a connection.
        async with self._gate.entered():
            await self._kills.over()
            async with self._transaction(self._writers) as transaction:
                yield transaction

    @asynccontextmanager
    async def _transaction(self, pool: AsyncConnectionPool[Connection]) -> AsyncIterator[SqlTransaction]:
        with self._translated():
            async with pool.connection() as connection:
                await connection.execute("BEGIN")
                await connection.execute("SELECT revision FROM store_head WHERE id = 1 FOR UPDATE")
                session = PostgresSession(connection, self._clock)
                transaction = SqlTransaction(session)
                yield transaction
                if transaction.discarded:
                    await connection.execute("ROLLBACK")
                    return
                await connection.execute(
                    "SELECT pg_notify(%s, revision::text) FROM store_head WHERE id = 1", (CHANNEL,)
                )
                await _to_the_end(connection.execute("COMMIT"))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlReader]:
        with self._translated():
            async with self._readers.connection() as connection:
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                yield SqlReader(PostgresSession(connection, self._clock))
                await connection.execute("COMMIT")

    async def save_instances(self, server_id: str, instances: Iterable[Instance], forget: Iterable[str] = ()) -> None:
        # In one order in every server, so that two of them can't wait for each other.
        saved = sorted((rows.instance_row(item) | {"reported_to": server_id} for item in instances), key=_instance_id)
        gone = sorted(forget)
        if not saved and not gone:
            return
        with self._translated():
            async with self._writers.connection() as connection, connection.transaction():
                async with connection.cursor() as cursor:
                    if saved:
                        statement = insert("instances", saved[0], or_replace=("instance_id",))
                        await cursor.executemany(marked(statement), [plain(tuple(row.values())) for row in saved])
                    await cursor.executemany(
                        "DELETE FROM instances WHERE instance_id = %s", [(instance_id,) for instance_id in gone]
                    )
                await connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))

    @property
    def metrics(self) -> PostgresMetrics:
        if self._metrics is None:
            from flagconsole.store.postgres_metrics import PostgresMetrics

            self._metrics = PostgresMetrics(self._readers, self._writers, self._translated)
        return self._metrics

    async def watch(self) -> AsyncIterator[None]:
        while True:
            try:
                async with await _connect(self._listen_url) as connection:
                    await connection.execute("LISTEN flagconsole")
                    # What was told before we listened is read now; after a lost connection too.
                    yield
                    while True:
                        async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                            pass
                        yield
            except (psycopg.Error, OSError):
                await asyncio.sleep(_RECONNECT_SECONDS)
                # Whoever follows notices that the store can't be read, and says so.
                yield

    async def close(self) -> None:
        for pool in (self._writers, self._killers, self._readers):
            with suppress(psycopg.Error):
                await pool.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns the driver's errors into ``StoreUnavailable``."""
        try:
            yield
        except (psycopg.Error, PoolTimeout, OSError) as error:
            said = str(error).strip().splitlines()
            raise StoreUnavailable(
                "Check that the database runs and can be reached.",
                problem=f"{self._where}: {said[0] if said else type(error).__name__}",
            ) from error


class _Kills:
    """The kills that are on their way from this process. They don't pass the gate, which a writer that hangs would keep
    shut; everybody else lets them go first."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        """For the length of a kill."""
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    async def over(self) -> None:
        """Return when there is none."""
        await self._none.wait()


async def _connect(url: str) -> Connection:
    return await psycopg.AsyncConnection.connect(
        url, autocommit=True, row_factory=ROW_FACTORY, connect_timeout=5, options=_LIMITS
    )


async def _to_the_end(work: Any) -> None:
    """Await a commit to its end even when the caller gives up: half of one can't be taken back."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        with suppress(Exception):
            await task
        raise


def _instance_id(row: dict[str, Any]) -> str:
    name: str = row["instance_id"]
    return name


def _without_secrets(url: str) -> str:
    """A database URL as it may be shown: host, port and database."""
    try:
        known = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "postgresql"
    host = known.get("host") or known.get("hostaddr") or "localhost"
    port = f":{known['port']}" if known.get("port") else ""
    return f"postgresql at {host}{port}, database {known.get('dbname') or known.get('user') or '?'}"
