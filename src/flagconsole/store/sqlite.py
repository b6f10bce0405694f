"""The embedded store: one SQLite file, write-ahead log, every commit synced before it is acknowledged.

Statements run inline on the event loop, since they only touch the page cache; what can wait (taking the write lock from
another process, the sync of a commit) runs in a thread. ``BEGIN IMMEDIATE`` takes the lock before anything is read.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.instance import Instance
from flagconsole.store import rows
from flagconsole.store.clock import Clock, system_clock
from flagconsole.store.group_commit import GroupCommit
from flagconsole.store.own_commits import OwnCommits
from flagconsole.store.protocol import Head, Presented, StoredEvent
from flagconsole.store.sql_break_glass import NEWEST_GRANT, grant_of
from flagconsole.store.sql_reader import KEY_BY_HASH, SqlReader
from flagconsole.store.sql_transaction import SqlTransaction
from flagconsole.store.sqlite_schema import migrate
from flagconsole.store.sqlite_session import SqliteSession
from flagconsole.store.write_gate import WriteGate

if TYPE_CHECKING:
    from flagconsole.store.sqlite_metrics import SqliteMetrics

#: How often another process's commits are looked for, seconds.
WATCH_INTERVAL: Final = 0.05
#: How long another process's commit may go unnoticed by ``version``, seconds. To ask costs as much as an answer from memory.
VERSION_HOLDS: Final = 0.001
_LOCK_WAIT_MS: Final = 10_000
_READERS: Final = 4

T = TypeVar("T")


class SqliteStore:
    """``Store`` on one SQLite file. Any number of processes may have it open."""

    def __init__(self, path: str, clock: Clock, *, durable: bool = True) -> None:
        self._path = path
        self._clock = clock
        self._gate = WriteGate()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="flagconsole-store")
        self._writer = _connect(path, durable=durable)
        migrate(self._writer)
        # It asks for the lock without waiting, on the event loop; who has to wait does it in a thread.
        self._writer.execute("PRAGMA busy_timeout = 0")
        self._own = OwnCommits()
        self._writing = GroupCommit(self._gate, self._open, self._own)
        self._reporter = _connect(path, durable=False)
        self._watcher = _connect(path)
        self._idle: asyncio.Queue[sqlite3.Connection] = asyncio.Queue()
        self._readers = [_connect(path) for _ in range(_READERS)]
        for connection in self._readers:
            self._idle.put_nowait(connection)
        self._metrics: SqliteMetrics | None = None
        self._version, self._version_holds_until = 0, 0.0

    @classmethod
    async def open(cls, path: str, *, clock: Clock = system_clock, durable: bool = True) -> SqliteStore:
        """Open the file, creating or migrating it. Not ``durable``, a commit that was acknowledged may be lost with the
        machine: only for what can be made anew. Raises ``StoreUnavailable`` where it can't be opened."""
        with _translated(path):
            create_private(path)
            return cls(path, clock, durable=durable)

    @property
    def path(self) -> str:
        """The database file."""
        return self._path

    async def _in_thread(self, work: Callable[[], T]) -> T:
        # Shielded: a caller that gives up must not leave a BEGIN or COMMIT half done behind the next writer's back.
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            with suppress(Exception):
                await future
            raise

    @asynccontextmanager
    async def write(self, *, urgent: bool = False, shares: bool = False) -> AsyncIterator[SqlTransaction]:
        # A full disk is met by any statement, not only by the commit.
        with _translated(self._path):
            async with self._writing.write(urgent=urgent, shares=shares) as transaction:
                yield transaction

    async def _open(self) -> _SqliteOpened:
        # Nearly always the lock is free and taking it costs microseconds; only waiting for another process is slow.
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            await self._in_thread(self._wait_for_lock)
        return _SqliteOpened(self)

    def _wait_for_lock(self) -> None:
        self._writer.execute(f"PRAGMA busy_timeout = {_LOCK_WAIT_MS}")
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        finally:
            self._writer.execute("PRAGMA busy_timeout = 0")

    def _transaction(self, head: Head | None = None) -> SqlTransaction:
        return SqlTransaction(SqliteSession(self._writer, self._clock), head)

    def committed_after(self, epoch: str, revision: int) -> list[StoredEvent]:
        return self._own.after(epoch, revision)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlReader]:
        connection = await self._idle.get()
        try:
            with _translated(self._path):
                connection.execute("BEGIN")
                yield SqlReader(SqliteSession(connection, self._clock))
        finally:
            with suppress(sqlite3.Error):
                connection.rollback()
            self._idle.put_nowait(connection)

    async def presented(self, key_hash: str) -> Presented:
        connection = await self._idle.get()
        try:
            with _translated(self._path):
                # Two looks, each at what is committed then.
                key = connection.execute(KEY_BY_HASH, (key_hash,)).fetchone()
                grant = connection.execute(NEWEST_GRANT, (key_hash,)).fetchone() if key is not None else None
        finally:
            self._idle.put_nowait(connection)
        return Presented(
            self._clock(), None if key is None else rows.key_of(key), None if grant is None else grant_of(grant)
        )

    async def save_instances(self, server_id: str, instances: Iterable[Instance], forget: Iterable[str] = ()) -> None:
        saved = [(*rows.instance_row(instance).values(), server_id) for instance in instances]
        gone = [(instance_id,) for instance_id in forget]
        if not saved and not gone:
            return
        columns = ", ".join((*rows.INSTANCE_COLUMNS, "reported_to"))
        marks = ", ".join("?" * (len(rows.INSTANCE_COLUMNS) + 1))
        insert = f"INSERT OR REPLACE INTO instances ({columns}) VALUES ({marks})"

        def work() -> None:
            self._reporter.execute("BEGIN IMMEDIATE")
            try:
                self._reporter.executemany(insert, saved)
                self._reporter.executemany("DELETE FROM instances WHERE instance_id = ?", gone)
                self._reporter.commit()
            finally:
                self._reporter.rollback()

        async with self._gate.entered():
            with _translated(self._path):
                await self._in_thread(work)

    @property
    def metrics(self) -> SqliteMetrics:
        if self._metrics is None:
            from flagconsole.store.sqlite_metrics import SqliteMetrics

            # What a power cut loses of them doesn't matter as much as what syncing each would cost.
            self._metrics = SqliteMetrics(
                _connect(self._path, durable=False), _connect(self._path), self._gate, lambda: _translated(self._path)
            )
        return self._metrics

    def time(self) -> datetime | None:
        return self._clock()

    def version(self) -> int:
        now = time.monotonic()
        if now >= self._version_holds_until:
            with _translated(self._path):
                self._version = self._data_version()
            self._version_holds_until = now + VERSION_HOLDS
        return self._version

    async def watch(self) -> AsyncIterator[None]:
        seen = self._data_version()
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            version = self._data_version()
            if version != seen:
                seen = version
                yield

    def _data_version(self) -> int:
        version: int = self._watcher.execute("PRAGMA data_version").fetchone()[0]
        return version

    async def close(self) -> None:
        async with self._gate.entered(urgent=True):
            if self._metrics is not None:
                self._metrics.close()
            self._thread.shutdown(wait=True)
            for connection in (self._watcher, self._reporter, *self._readers, self._writer):
                connection.close()


def create_private(path: str) -> None:
    """Create the file readable by its owner only; SQLite gives its side files the same mode."""
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _connect(path: str, *, durable: bool = True) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_LOCK_WAIT_MS / 1000)
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {_LOCK_WAIT_MS}")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    connection.execute("PRAGMA cache_size = -16000")
    return connection


class _SqliteOpened:
    """``Opened`` on the writer's connection."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._shared = False

    def first(self) -> SqlTransaction:
        return self._store._transaction()

    async def another(self, head: Head | None) -> SqlTransaction:
        writer = self._store._writer
        self._refuse_undone()
        if self._shared:
            writer.execute("RELEASE another")
        writer.execute("SAVEPOINT another")
        self._shared = True
        return self._store._transaction(head)

    async def undo(self) -> None:
        self._refuse_undone()
        self._store._writer.execute("ROLLBACK TO another")

    async def commit(self) -> None:
        writer = self._store._writer
        try:
            self._refuse_undone()
            await self._store._in_thread(writer.commit)
        finally:
            await self.abandon()

    def _refuse_undone(self) -> None:
        """A full disk, among others, makes the database undo all that was written, not only what the newest writer did."""
        if not self._store._writer.in_transaction:
            raise sqlite3.OperationalError("the whole transaction was undone")

    async def abandon(self) -> None:
        self._store._version_holds_until = 0.0
        if self._store._writer.in_transaction:
            self._store._writer.rollback()


class _translated:  # noqa: N801  # reads as a phrase where it is used
    """Turns SQLite's and the file system's errors into ``StoreUnavailable``."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error | OSError):
            raise StoreUnavailable(
                "Check the path, its permissions and the free space.", problem=f"{self._path}: {error}"
            ) from error
