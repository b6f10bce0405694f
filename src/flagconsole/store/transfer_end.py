"""What a store is to somebody who moves all of it: tables with columns and rows, whatever they mean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from flagconsole.store.session import Session

#: So many rows are in memory at a time.
BATCH = 1000

Values = Sequence[Any]


class Source(Protocol):
    """A store that is read from, while nobody else writes to it."""

    @property
    def session(self) -> Session:
        """For reading the store as a store."""

    async def tables(self) -> dict[str, tuple[str, ...]]:
        """The columns of every table. ``rowid``, the order in which rows were made, is one where the other backend has it."""

    async def count(self, table: str) -> int:
        """How many rows a table has."""

    def rows(self, table: str, columns: Sequence[str]) -> AsyncIterator[Sequence[Values]]:
        """All rows of a table, in batches."""


class Destination(Source, Protocol):
    """A store that is written to, all in one transaction."""

    async def fill(self, table: str, columns: Sequence[str], rows: AsyncIterator[Sequence[Values]]) -> None:
        """Replace what a table holds."""

    async def begin_partition(self, partition: str) -> None:
        """Go on with the partition of a further environment, which is made."""

    async def commit(self) -> None:
        """Keep everything, in all partitions. Without it nothing stays."""


def quoted(names: Sequence[str]) -> str:
    """Names of columns as SQL takes them; some are words of the language."""
    return ", ".join(f'"{name}"' for name in names)
