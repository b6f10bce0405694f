"""What the statements of every backend run on: one open transaction of one connection.

The statements are written once, in the SQL that SQLite and PostgreSQL share; ``?`` marks a value. A backend's session runs
them and turns its driver's errors into these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol


class ConstraintViolated(Exception):
    """A statement broke a unique index or another constraint of the schema. The transaction can't be used any more."""


#: A statement with its values.
Statement = tuple[str, Sequence[Any]]


class Row(Protocol):
    """One row: its columns by name or number, or one after the other."""

    def __getitem__(self, column: str | int, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


class Session(Protocol):
    """Runs statements in the transaction that is open."""

    async def now(self) -> datetime:
        """The store's time."""

    async def all(self, sql: str, *values: Any) -> Sequence[Row]:
        """Every row."""

    async def one(self, sql: str, *values: Any) -> Row | None:
        """The first row, if there is one."""

    async def run(self, sql: str, *values: Any) -> int:
        """Carry out a statement. Returns how many rows it wrote. Raises ``ConstraintViolated``."""

    async def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Carry out one statement for each of ``rows``."""

    async def run_all(self, statements: Sequence[Statement]) -> None:
        """Carry out statements that write, no two of them the same row, and of which none sees what another wrote. Raises
        ``ConstraintViolated``."""


@lru_cache(maxsize=200)
def _insert(table: str, columns: tuple[str, ...], or_replace: tuple[str, ...], or_ignore: bool) -> str:
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    if or_ignore:
        return f"{statement} ON CONFLICT DO NOTHING"
    if or_replace:
        changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in or_replace)
        return f"{statement} ON CONFLICT ({', '.join(or_replace)}) DO UPDATE SET {changes}"
    return statement


def insert(table: str, row: Mapping[str, Any], *, or_replace: Sequence[str] = (), or_ignore: bool = False) -> str:
    """The statement that inserts ``row``. Where one with the same ``or_replace`` columns (the primary key) is there, it is
    replaced; with ``or_ignore`` it is left alone."""
    return _insert(table, tuple(row), tuple(or_replace), or_ignore)
