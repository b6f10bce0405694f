"""Statements on a connection to PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, LiteralString, cast

import psycopg
from psycopg.rows import AsyncRowFactory, RowMaker

from flagconsole.store.session import ConstraintViolated, Row, Statement


class PostgresRow:
    """A row whose columns have numbers and names."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: dict[str, int], values: Sequence[Any]) -> None:
        self._names = names
        self._values = values

    def __getitem__(self, column: str | int, /) -> Any:
        return self._values[self._names[column] if isinstance(column, str) else column]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)


def postgres_row(cursor: psycopg.AsyncCursor[Any]) -> RowMaker[PostgresRow]:
    """A row factory for psycopg."""
    # Not by the cursor's description, which looks up what each column is.
    result = cursor.pgresult
    found = () if result is None else (result.fname(number) for number in range(result.nfields))
    names = {(name or b"").decode(): number for number, name in enumerate(found)}
    return lambda values: PostgresRow(names, values)


Connection = psycopg.AsyncConnection[PostgresRow]
ROW_FACTORY = cast("AsyncRowFactory[PostgresRow]", postgres_row)


class PostgresSession:
    """``Session`` on a connection that has a transaction open. ``clock`` replaces the database's time, for tests; ``now`` is
    that time where it is known already."""

    def __init__(
        self, connection: Connection, clock: Callable[[], datetime] | None, now: datetime | None = None
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._now = now

    async def now(self) -> datetime:
        if self._clock is not None:
            return self._clock()
        if self._now is None:
            row = await self.one("SELECT clock_timestamp()")
            assert row is not None
            self._now = row[0]
        return self._now

    async def all(self, sql: str, *values: Any) -> Sequence[Row]:
        cursor = await self._connection.execute(marked(sql), plain(values))
        return await cursor.fetchall()

    async def one(self, sql: str, *values: Any) -> Row | None:
        cursor = await self._connection.execute(marked(sql), plain(values))
        return await cursor.fetchone()

    async def run(self, sql: str, *values: Any) -> int:
        try:
            return (await self._connection.execute(marked(sql), plain(values))).rowcount
        except psycopg.IntegrityError as error:
            raise ConstraintViolated(str(error)) from error

    async def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        async with self._connection.cursor() as cursor:
            await cursor.executemany(marked(sql), [plain(row) for row in rows])

    async def run_all(self, statements: Sequence[Statement]) -> None:
        joined = _joined(tuple(sql for sql, _ in statements))
        await self.run(joined, *(value for _, values in statements for value in values))


@lru_cache(maxsize=100)
def _joined(statements: tuple[str, ...]) -> str:
    """Several statements as one: each message costs as much as what it has done."""
    *first, last = statements
    parts = ", ".join(f"part{number} AS ({statement})" for number, statement in enumerate(first))
    return f"WITH {parts} {last}" if first else last


@lru_cache(maxsize=500)
def marked(sql: str) -> LiteralString:
    """A statement with psycopg's marks for values. The statements are our own constants, never built from what is stored."""
    return sql.replace("%", "%%").replace("?", "%s")


def plain(values: Sequence[Any]) -> list[Any]:
    """Values as the columns have them: there are no booleans in the schema, which SQLite hasn't either."""
    return [int(value) if isinstance(value, bool) else value for value in values]
