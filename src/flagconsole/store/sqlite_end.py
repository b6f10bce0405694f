"""A whole embedded store, read from or written to by somebody who moves it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

from flagconsole.domain.errors import StoreInUse, StoreUnavailable, TargetNotEmpty
from flagconsole.store.clock import system_clock
from flagconsole.store.opening import refuse_missing, sqlite_path
from flagconsole.store.partition import file_of
from flagconsole.store.sqlite import create_private
from flagconsole.store.sqlite_schema import SCHEMA_VERSION, migrate, version_of
from flagconsole.store.sqlite_session import SqliteSession
from flagconsole.store.transfer_end import BATCH, Values, quoted


@asynccontextmanager
async def sqlite_source(url: str, partition: str) -> AsyncIterator[SqliteEnd]:
    """A partition of the store at ``url``, locked for writing while the block runs. Raises ``StoreNotFound``, ``StoreInUse`` and
    ``StoreUnavailable``, also where its schema isn't this version's."""
    path = file_of(sqlite_path(url), partition)
    refuse_missing(f"sqlite:{path}")
    with _told(path), closing(_opened(path)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise StoreInUse("Stop what works on it, and try again.", place=path) from error
        if version_of(connection) != SCHEMA_VERSION:
            raise StoreUnavailable(
                "Let this version serve it once.",
                problem=f"{path}: its schema is version {version_of(connection)}, not {SCHEMA_VERSION}",
            )
        yield SqliteEnd(connection)


@asynccontextmanager
async def sqlite_destination(url: str) -> AsyncIterator[SqliteDestination]:
    """A store that comes to be at ``url`` when it is committed, whole; until then it lies beside, and goes when that doesn't
    happen. Raises ``TargetNotEmpty`` where there is a file already, and ``StoreUnavailable``."""
    path = sqlite_path(url)
    with _told(path), ExitStack() as stack:
        yield SqliteDestination(path, stack)


class SqliteEnd:
    """``Source`` and ``Destination`` on a connection that has a transaction open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def session(self) -> SqliteSession:
        """For reading the store as a store."""
        return SqliteSession(self._connection, system_clock)

    async def tables(self) -> dict[str, tuple[str, ...]]:
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        found = [row[0] for row in self._connection.execute(names) if not row[0].startswith("_")]
        columns = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
        return {table: tuple(row[0] for row in self._connection.execute(columns, (table,))) for table in found}

    async def count(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT COUNT(*) FROM {quoted([table])}").fetchone()[0])

    async def rows(self, table: str, columns: Sequence[str]) -> AsyncIterator[Sequence[Values]]:
        found = self._connection.execute(f"SELECT {quoted(columns)} FROM {quoted([table])} ORDER BY rowid")
        while batch := found.fetchmany(BATCH):
            yield [tuple(row) for row in batch]

    async def fill(self, table: str, columns: Sequence[str], rows: AsyncIterator[Sequence[Values]]) -> None:
        self._connection.execute(f"DELETE FROM {quoted([table])}")
        marks = ", ".join("?" * len(columns))
        async for batch in rows:
            self._connection.executemany(f"INSERT INTO {quoted([table])} ({quoted(columns)}) VALUES ({marks})", batch)


class SqliteDestination(SqliteEnd):
    """A new file for each partition. The first one's gets its name last: where it isn't there, no store is."""

    def __init__(self, path: str, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._parts: list[tuple[sqlite3.Connection, str, str]] = []
        self._begin(path)
        super().__init__(self._parts[0][0])

    def _begin(self, path: str) -> None:
        part = f"{path}.part-{os.getpid()}"
        _refuse_existing(path)
        self._stack.callback(_forget, part)
        create_private(part)
        connection = self._stack.enter_context(closing(_opened(part)))
        migrate(connection)
        connection.execute("BEGIN")
        self._parts.append((connection, part, path))

    async def begin_partition(self, partition: str) -> None:
        self._begin(file_of(self._path, partition))
        self._connection = self._parts[-1][0]

    async def commit(self) -> None:
        for connection, _, _ in self._parts:
            connection.execute("COMMIT")
        with ExitStack() as undo:
            for _, part, path in reversed(self._parts):
                _appear(part, path)
                undo.callback(_forget, path)
            undo.pop_all()


def _forget(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _refuse_existing(path: str) -> None:
    if os.path.lexists(path):
        raise TargetNotEmpty("Give the name of a file that doesn't exist.", place=path, found="the file exists")


def _appear(part: str, path: str) -> None:
    """Give the finished file its name; never over another one that came to be meanwhile."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise TargetNotEmpty(
            "Give the name of a file that doesn't exist.", place=path, found="the file exists"
        ) from None
    descriptor = os.open(Path(path).parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _opened(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(
            "Check the path, its permissions and the free space.", problem=f"{path}: {error}"
        ) from error
