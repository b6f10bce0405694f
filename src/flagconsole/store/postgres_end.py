"""A whole store on PostgreSQL, read from or written to by somebody who moves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from flagconsole.domain.errors import StoreInUse, StoreNotFound, StoreUnavailable
from flagconsole.store.partition import schema_of
from flagconsole.store.postgres_address import Address
from flagconsole.store.postgres_schema import SCHEMA_VERSION, enter, migrate, refuse_unsafe, version_of
from flagconsole.store.postgres_session import Connection, PostgresSession, marked
from flagconsole.store.transfer_end import BATCH, Values, quoted

#: This backend's own note of its schema; the other one keeps it elsewhere.
_OWN = "schema_version"


@asynccontextmanager
async def postgres_source(url: str, partition: str) -> AsyncIterator[PostgresEnd]:
    """A partition of the store at ``url``, locked for writing while the block runs. Raises ``StoreNotFound``,
    ``StoreInUse`` and ``StoreUnavailable``, also where its schema isn't this version's."""
    async with _opened(url) as (address, connection):
        # Once nobody can write any more, every statement sees the same; a snapshot from before the lock might lack something.
        await connection.execute("BEGIN")
        await enter(connection, schema_of(partition))
        end = PostgresEnd(connection, address)
        if _OWN not in await _names(connection):
            raise StoreNotFound("Check the database's name.", path=str(address))
        if (found := await version_of(connection)) != SCHEMA_VERSION:
            raise StoreUnavailable(
                "Let this version serve it once.",
                problem=f"{address}: its schema is version {found}, not {SCHEMA_VERSION}",
            )
        await _lock(connection, await end.tables(), "SHARE", address)
        yield end
        await connection.execute("ROLLBACK")


@asynccontextmanager
async def postgres_destination(url: str) -> AsyncIterator[PostgresEnd]:
    """The database at ``url`` with its tables, which are made in the same transaction where there are none. Raises
    ``StoreInUse`` and ``StoreUnavailable``."""
    async with _opened(url) as (address, connection):
        await refuse_unsafe(connection)
        await connection.execute("BEGIN")
        end = PostgresEnd(connection, address)
        await end.begin(None)
        yield end
        if not end.committed:
            await connection.execute("ROLLBACK")


class PostgresEnd:
    """``Source`` and ``Destination`` on a connection that has a transaction open."""

    def __init__(self, connection: Connection, address: Address) -> None:
        self._connection = connection
        self._address = address
        self.session = PostgresSession(connection, None)
        self.committed = False

    async def tables(self) -> dict[str, tuple[str, ...]]:
        columns = (
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
            "ORDER BY attnum"
        )
        found = {}
        for name in await _names(self._connection):
            if name != _OWN:
                rows = await (await self._connection.execute(columns, (quoted([name]),))).fetchall()
                found[name] = tuple(row[0] for row in rows)
        return found

    async def count(self, table: str) -> int:
        row = await self.session.one(f"SELECT COUNT(*) FROM {quoted([table])}")
        return 0 if row is None else int(row[0])

    async def rows(self, table: str, columns: Sequence[str]) -> AsyncIterator[Sequence[Values]]:
        async with self._connection.cursor("moved", row_factory=tuple_row) as cursor:
            await cursor.execute(marked(f"SELECT {quoted(columns)} FROM {quoted([table])}"))
            while batch := await cursor.fetchmany(BATCH):
                yield batch

    async def fill(self, table: str, columns: Sequence[str], rows: AsyncIterator[Sequence[Values]]) -> None:
        await self._connection.execute(marked(f"DELETE FROM {quoted([table])}"))
        held = await self.session.one("SELECT row_security_active(?::regclass)", quoted([table]))
        if held is not None and held[0]:
            # COPY can't ask a policy. Nobody else is in the table until this transaction ends, which holds its owner again.
            await self._connection.execute(marked(f"ALTER TABLE {quoted([table])} NO FORCE ROW LEVEL SECURITY"))
        # COPY takes the numbers that the rows have, also in columns that count by themselves.
        statement = marked(f"COPY {quoted([table])} ({quoted(columns)}) FROM STDIN")
        async with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            async for batch in rows:
                for row in batch:
                    await copy.write_row(row)
        if held is not None and held[0]:
            await self._connection.execute(marked(f"ALTER TABLE {quoted([table])} FORCE ROW LEVEL SECURITY"))
        for column in columns:
            await self._count_on(table, column)

    async def _count_on(self, table: str, column: str) -> None:
        """Let the database number rows on from the highest, where it numbers the column by itself."""
        asked = "SELECT pg_get_serial_sequence(%s, %s)"
        row = await (await self._connection.execute(asked, (quoted([table]), column))).fetchone()
        if row is not None and row[0] is not None:
            newest = f"SELECT setval(?::regclass, max({quoted([column])})) FROM {quoted([table])}"
            # Without any row it stays where it is: setval of null does nothing.
            await self._connection.execute(marked(newest), (row[0],))

    async def begin(self, schema: str | None) -> None:
        """Work in this schema from now on, with its tables made and nobody else in them."""
        await enter(self._connection, schema)
        await migrate(self._connection, schema)
        await _lock(self._connection, await self.tables(), "ACCESS EXCLUSIVE", self._address)

    async def begin_partition(self, partition: str) -> None:
        schema = schema_of(partition)
        assert schema is not None, "the first partition is there from the beginning"
        await self._connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        await self.begin(schema)

    async def commit(self) -> None:
        await self._connection.execute("COMMIT")
        self.committed = True


async def _names(connection: Connection) -> list[str]:
    """The tables of the schema that the connection works in."""
    asked = (
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY 1"
    )
    return [row[0] for row in await (await connection.execute(asked)).fetchall()]


async def _lock(connection: Connection, tables: dict[str, tuple[str, ...]], mode: str, address: Address) -> None:
    try:
        await connection.execute(marked(f"LOCK TABLE {quoted(list(tables))} IN {mode} MODE NOWAIT"))
    except psycopg.errors.LockNotAvailable as error:
        raise StoreInUse("Stop what works on it, and try again.", place=str(address)) from error


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[tuple[Address, Connection]]:
    address = Address(url)
    with _told(address):
        async with await address.connect(limits=False) as connection:
            yield address, connection


@contextmanager
def _told(address: Address) -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, OSError) as error:
        said = str(error).strip().splitlines()
        raise StoreUnavailable(
            "Check that the database runs and can be reached.",
            problem=f"{address}: {said[0] if said else type(error).__name__}",
        ) from error
