"""Statements on a connection to the embedded store. They run inline, since they only touch the page cache."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flagconsole.store.clock import Clock
from flagconsole.store.session import ConstraintViolated, Row, Statement


class SqliteSession:
    """``Session`` on a connection that has a transaction open."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def now(self) -> datetime:
        return self._clock()

    async def all(self, sql: str, *values: Any) -> Sequence[Row]:
        return self._connection.execute(sql, values).fetchall()

    async def one(self, sql: str, *values: Any) -> Row | None:
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    async def run(self, sql: str, *values: Any) -> int:
        try:
            return self._connection.execute(sql, values).rowcount
        except sqlite3.IntegrityError as error:
            raise ConstraintViolated(str(error)) from error

    async def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(sql, rows)

    async def run_all(self, statements: Sequence[Statement]) -> None:
        for sql, values in statements:
            await self.run(sql, *values)
