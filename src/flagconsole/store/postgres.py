"""A store on PostgreSQL, which any number of servers may share.

Every write transaction locks the head row first. So writers follow one another as they do in the embedded store, revisions
have no gap, and whoever reads a revision can read all before it. Kills have connections of their own and wait for nothing
but that row.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from flagconsole.domain.errors import OutcomeUnknown, StoreUnavailable
from flagconsole.domain.instance import Instance
from flagconsole.domain.store_environment import FIRST
from flagconsole.store import rows
from flagconsole.store.acting import acting_for
from flagconsole.store.clock import Clock, system_clock
from flagconsole.store.group_commit import GroupCommit
from flagconsole.store.own_commits import OwnCommits
from flagconsole.store.partition import channel_of
from flagconsole.store.postgres_address import Address
from flagconsole.store.postgres_schema import migrate, refuse_other, refuse_unsafe
from flagconsole.store.postgres_session import Connection, PostgresRow, PostgresSession, marked, plain
from flagconsole.store.protocol import Head, Presented, StoredEvent
from flagconsole.store.session import insert
from flagconsole.store.sql_break_glass import NEWEST_GRANT, grant_of
from flagconsole.store.sql_reader import KEY_BY_HASH, SqlReader
from flagconsole.store.sql_transaction import SqlTransaction
from flagconsole.store.write_gate import WriteGate

if TYPE_CHECKING:
    from flagconsole.store.postgres_metrics import PostgresMetrics

#: Without any message it is looked for changes so often (seconds).
POLL_SECONDS: Final = 2.0
#: What this process committed itself is known to it. That its own notice is looked into waits so long for further ones (seconds).
OWN_NOTICE_HOLDS: Final = 0.1
#: After a lost connection the next try waits so long, at most (seconds).
_RECONNECT_SECONDS: Final = 1.0
_READERS: Final = 6
_KILLERS: Final = 2
_POOL_WAIT: Final = 5.0
_TAKE_HEAD: Final = "SELECT epoch, revision, audit_hash FROM store_head WHERE id = 1 FOR UPDATE"


class PostgresStore:
    """``Store`` on one partition of a database. Opened by ``open_store``."""

    def __init__(self, address: Address, direct: Address, clock: Clock | None, channel: str) -> None:
        self._address = address
        self._direct = direct
        self._clock = clock
        #: On it commits are told. The message is the revision and nothing else.
        self._channel = channel
        # A schema's name, which has letters, digits and underscores only.
        self._listen: LiteralString = f"LISTEN {channel}"
        self._tell_and_commit: LiteralString = (
            f"SELECT pg_notify('{channel}', revision::text) FROM store_head WHERE id = 1; COMMIT"
        )
        self._kills = _Kills()
        self._own = OwnCommits()
        self._writing = GroupCommit(WriteGate(), self._open, self._own, hurried=self._kills.are_under_way)
        #: The database's processes behind our own connections, by which our own notices are known.
        self._backends: set[int] = set()
        self._writers = self._pool(1, 2)
        self._killers = self._pool(_KILLERS, _KILLERS)
        self._readers = self._pool(1, _READERS)
        self._metrics: PostgresMetrics | None = None
        self._version = 0

    @classmethod
    async def open(
        cls, url: str, *, listen_url: str | None = None, partition: str = FIRST, clock: Clock = system_clock
    ) -> PostgresStore:
        """Connect and migrate the partition. ``listen_url`` is a direct way to the same database where ``url`` leads through a pooler.

        Raises ``InvalidInput`` for a URL that can't be read, and ``StoreUnavailable`` where it can't be connected to, for a
        database that isn't safe to write to or lacks the partition, and where the two URLs lead to different ones.
        """
        address = Address(url, pooled=listen_url is not None and listen_url != url, partition=partition)
        direct = address if listen_url is None else Address(listen_url)
        # Deadlines are the database's, so that servers whose clocks differ agree; a test's clock replaces that.
        store = cls(address, direct, None if clock is system_clock else clock, channel_of(partition))
        try:
            with store._translated():
                # A single host may turn out to be a replica, which refuse_unsafe says more clearly than the driver.
                async with await address.connect(primary=address.hosts > 1) as connection:
                    await refuse_unsafe(connection)
                    address.role = await migrate(connection, address.schema)
                    if address.pooled:
                        with store._translated(direct):
                            async with await direct.connect() as other:
                                await refuse_other(connection, other)
                for pool in (store._killers, store._writers, store._readers):
                    await pool.open(wait=True, timeout=_POOL_WAIT)
        except BaseException:
            await store.close()
            raise
        return store

    def _pool(self, least: int, most: int) -> AsyncConnectionPool[Connection]:
        return AsyncConnectionPool(
            self._address.url,
            min_size=least,
            max_size=most,
            open=False,
            timeout=_POOL_WAIT,
            reconnect_timeout=30.0,
            kwargs=self._address.settings(),
            connection_class=psycopg.AsyncConnection,
        )

    @asynccontextmanager
    async def write(self, *, urgent: bool = False, shares: bool = False) -> AsyncIterator[SqlTransaction]:
        with self._translated():
            if urgent:
                async with self._kills.under_way(), self._alone() as transaction:
                    yield transaction
                return
            # One at a time from here: more would only wait for the head row, each with a connection.
            async with self._writing.write(urgent=False, shares=shares) as transaction:
                yield transaction

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[SqlTransaction]:
        """A transaction on a kill's own connection."""
        opened = await self._opened(self._killers)
        try:
            transaction = opened.first()
            yield transaction
        except BaseException:
            await opened.abandon()
            raise
        if transaction.discarded:
            await opened.abandon()
            return
        await opened.commit()
        self._own.add(transaction.events)

    async def _open(self) -> _PostgresOpened:
        await self._kills.over()
        return await self._opened(self._writers)

    async def _opened(self, pool: AsyncConnectionPool[Connection]) -> _PostgresOpened:
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(pool.connection())
            head, now = await self._begin(connection)
            self._backends.add(connection.info.backend_pid)
            return _PostgresOpened(self, connection, stack.pop_all(), head, now)

    def committed_after(self, epoch: str, revision: int) -> list[StoredEvent]:
        return self._own.after(epoch, revision)

    async def _begin(self, connection: Connection) -> tuple[Head, datetime]:
        """Begin, wait for the head row, and only then look at the time: in one message, since each costs as much as a statement."""
        begin = self._address.begin(acting_for())
        head, now = await _firsts(connection, f"{begin}; {_TAKE_HEAD}; SELECT clock_timestamp()")
        assert head is not None, "the head row is made by the first migration"
        assert now is not None
        return Head(*head), now[0]

    async def _commit(self, connection: Connection) -> None:
        """Tell, and commit. Raises ``OutcomeUnknown`` where the answer is lost, which says nothing of whether it was done."""
        try:
            await _to_the_end(connection.execute(self._tell_and_commit))
        except psycopg.OperationalError as error:
            if error.sqlstate is not None and not error.sqlstate.startswith(("57P", "08")):
                raise
            raise OutcomeUnknown(
                "Ask again with the same Idempotency-Key, or read it back.",
                problem=f"{self._address}: the connection was lost while it was committed",
            ) from error

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlReader]:
        async with self._begun(self._readers, self._address.begin_reading(acting_for())) as connection:
            yield SqlReader(PostgresSession(connection, self._clock))

    async def presented(self, key_hash: str) -> Presented:
        # Several statements in one message take no values beside them; a hash has nothing to quote.
        hashed = bytes.fromhex(key_hash).hex()
        asked = (sql.replace("?", f"'{hashed}'") for sql in (KEY_BY_HASH, NEWEST_GRANT))
        statements = "; ".join((self._address.begin_reading(None), "SELECT clock_timestamp()", *asked, "COMMIT"))
        with self._translated():
            async with self._readers.connection() as connection:
                now, key, grant = await _firsts(connection, statements)
        assert now is not None
        return Presented(
            now[0] if self._clock is None else self._clock(),
            None if key is None else rows.key_of(key),
            None if grant is None else grant_of(grant),
        )

    @asynccontextmanager
    async def _begun(self, pool: AsyncConnectionPool[Connection], begin: LiteralString) -> AsyncIterator[Connection]:
        """A transaction that isn't a change of a flag."""
        with self._translated():
            async with pool.connection() as connection:
                await connection.execute(begin)
                yield connection
                await connection.execute("COMMIT")

    async def save_instances(self, server_id: str, instances: Iterable[Instance], forget: Iterable[str] = ()) -> None:
        # In one order in every server, so that two of them can't wait for each other.
        saved = sorted((rows.instance_row(item) | {"reported_to": server_id} for item in instances), key=_instance_id)
        gone = sorted(forget)
        if not saved and not gone:
            return
        async with self._begun(self._writers, self._address.begin(None)) as connection:
            async with connection.cursor() as cursor:
                if saved:
                    statement = insert("instances", saved[0], or_replace=("instance_id",))
                    await cursor.executemany(marked(statement), [plain(tuple(row.values())) for row in saved])
                await cursor.executemany(
                    "DELETE FROM instances WHERE instance_id = %s", [(instance_id,) for instance_id in gone]
                )
            await connection.execute("SELECT pg_notify(%s, '')", (self._channel,))

    @property
    def metrics(self) -> PostgresMetrics:
        if self._metrics is None:
            from flagconsole.store.postgres_metrics import PostgresMetrics

            self._metrics = PostgresMetrics(
                # Each read is one statement. What several keys sent is written together, on our own account.
                lambda: self._begun(self._readers, self._address.begin(acting_for())),
                lambda: self._begun(self._writers, self._address.begin(None)),
                self._address.schema,
            )
        return self._metrics

    def time(self) -> datetime | None:
        return None if self._clock is None else self._clock()

    def version(self) -> int:
        # Our own commits, and what others' notices said: those arrive within milliseconds, or not at all.
        return self._version

    async def watch(self) -> AsyncIterator[None]:
        while True:
            try:
                async with await self._direct.connect() as connection:
                    await connection.execute(self._listen)
                    # What was told before we listened is read now; after a lost connection too.
                    self._version += 1
                    yield
                    async for _ in self._noticed(connection):
                        self._version += 1
                        yield
            except (psycopg.Error, OSError):
                await asyncio.sleep(_RECONNECT_SECONDS)
                # Whoever follows notices that the store can't be read, and says so.
                self._version += 1
                yield

    async def _noticed(self, connection: Connection) -> AsyncIterator[None]:
        """Yields for each notice of another process at once, for several of our own together, and without any for a poll."""
        due = time.monotonic() + POLL_SECONDS
        while True:
            elsewhere = False
            async for notice in connection.notifies(timeout=max(due - time.monotonic(), 0), stop_after=1):
                if notice.pid not in self._backends:
                    elsewhere = True
                else:
                    due = min(due, time.monotonic() + OWN_NOTICE_HOLDS)
            if elsewhere or time.monotonic() >= due:
                yield
                due = time.monotonic() + POLL_SECONDS

    async def close(self) -> None:
        for pool in (self._writers, self._killers, self._readers):
            with suppress(psycopg.Error):
                await pool.close()

    @contextmanager
    def _translated(self, address: Address | None = None) -> Iterator[None]:
        """Turns the driver's errors into ``StoreUnavailable``, which names the address that was being used."""
        try:
            yield
        except (psycopg.Error, PoolTimeout, OSError) as error:
            said = str(error).strip().splitlines()
            raise StoreUnavailable(
                "Check that the database runs and can be reached.",
                problem=f"{address or self._address}: {said[0] if said else type(error).__name__}",
            ) from error


#: A tenant that there can't be.
_NOBODY: Final = "\0"


class _PostgresOpened:
    """``Opened`` on a connection, which ``stack`` gives back to its pool."""

    def __init__(
        self, store: PostgresStore, connection: Connection, stack: AsyncExitStack, head: Head, now: datetime
    ) -> None:
        self._store = store
        self._connection = connection
        self._stack = stack
        self._head = head
        self._now = now
        self._shared = False
        #: Whom the transaction acts for just now.
        self._acting = acting_for()

    def first(self) -> SqlTransaction:
        return self._transaction(self._head, self._now)

    async def another(self, head: Head | None) -> SqlTransaction:
        # In one message, as they begin; and for whom it acts is said anew.
        release = "RELEASE another; " if self._shared else ""
        acting = acting_for()
        whom = "" if acting == self._acting else f"{self._store._address.acting(acting)}; "
        statements = f"{release}SAVEPOINT another; {whom}SELECT clock_timestamp()"
        (row,) = await _firsts(self._connection, statements)
        self._shared, self._acting = True, acting
        assert row is not None
        return self._transaction(head, row[0])

    def _transaction(self, head: Head | None, now: datetime) -> SqlTransaction:
        return SqlTransaction(PostgresSession(self._connection, self._store._clock, now), head)

    async def undo(self) -> None:
        await self._connection.execute("ROLLBACK TO another")
        # It acts again for whom it did before, and whoever is next says so anew.
        self._acting = _NOBODY

    async def commit(self) -> None:
        async with self._stack:
            try:
                await self._store._commit(self._connection)
            finally:
                self._store._version += 1

    async def abandon(self) -> None:
        async with self._stack:
            # A connection that was lost rolls back by itself, and its pool sees what state it is in.
            with suppress(psycopg.Error):
                await self._connection.execute("ROLLBACK")


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

    def are_under_way(self) -> bool:
        """Whether there is any."""
        return self._count > 0

    async def over(self) -> None:
        """Return when there is none."""
        await self._none.wait()


async def _firsts(connection: Connection, statements: LiteralString) -> list[PostgresRow | None]:
    """The first row of each of several statements that has rows, all in one message."""
    cursor = await connection.execute(statements)
    found = []
    while True:
        if cursor.description is not None:
            found.append(await cursor.fetchone())
        if not cursor.nextset():
            return found


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
