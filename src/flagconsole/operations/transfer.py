"""Moving a whole store to another place, or to the other kind of database: everything, or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from flagconsole.domain.audit_report import AuditReport
from flagconsole.domain.errors import ChainBroken, StoreInUse, StoreUnavailable, TargetNotEmpty
from flagconsole.domain.store_environment import FIRST
from flagconsole.operations.auditing import verify
from flagconsole.store.opening import is_postgres
from flagconsole.store.sql_reader import SqlReader
from flagconsole.store.sql_transaction import SqlTransaction
from flagconsole.store.sqlite_end import SqliteEnd, sqlite_destination, sqlite_source
from flagconsole.store.sqlite_schema import migrate
from flagconsole.store.transfer_end import Destination, Source, Values


class Transfer(NamedTuple):
    """What was moved: the position that both stores are at, the log's length, and the rows of each table; and the same of each
    further environment."""

    epoch: str
    revision: int
    entries: int
    tables: dict[str, int]
    further: dict[str, Transfer] = {}  # noqa: RUF012  # never changed


class _Sum:
    """Counts rows and adds up their digests, in whatever order they come."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0

    async def passing(self, batches: AsyncIterator[Sequence[Values]]) -> AsyncIterator[Sequence[Values]]:
        """The rows, counted on their way."""
        async for batch in batches:
            for row in batch:
                self.count += 1
                self.total += int.from_bytes(blake2b(repr(tuple(row)).encode(), digest_size=16).digest())
            yield batch

    def same(self, other: _Sum) -> bool:
        return (self.count, self.total) == (other.count, other.total)


async def transfer(from_url: str, to_url: str, *, new_lineage: bool = False, dry_run: bool = False) -> Transfer:
    """Move the store at ``from_url``, with its environments, their logs, keys and measurements, into the empty one at ``to_url``, at the same
    position of the same lineage. The first one stays as it is. A backup that is put back needs a ``new_lineage``, or clients
    that know later changes would take nothing from it. With ``dry_run`` everything is done and then undone.

    Raises ``StoreInUse`` where a server tends either, ``TargetNotEmpty``, ``ChainBroken``, ``StoreUnavailable`` and
    ``StoreNotFound``; then nothing has changed.
    """
    further: dict[str, Transfer] = {}
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(_source(from_url, FIRST))
        await _refuse_tended(source, from_url)
        environments = [one for one in await SqlReader(source.session).environments() if one.partition != FIRST]
        # Locked before anything is moved; they stay so to the end.
        sources = [await stack.enter_async_context(_source(from_url, one.partition)) for one in environments]
        for part in sources:
            await _refuse_tended(part, from_url)
        chain = await _verified(source, from_url)
        destination = await stack.enter_async_context(_destination(to_url))
        first = await _move_partition(source, chain, destination, to_url, new_lineage)
        for environment, part in zip(environments, sources, strict=True):
            chain = await _verified(part, from_url)
            await destination.begin_partition(environment.partition)
            further[environment.name] = await _move_partition(part, chain, destination, to_url, new_lineage)
        if not dry_run:
            await destination.commit()
    return first._replace(further=further)


async def _move_partition(
    source: Source, chain: AuditReport, destination: Destination, to_url: str, new_lineage: bool
) -> Transfer:
    """Move one environment."""
    await _refuse_full(destination, to_url)
    tables = await _tables(source, destination)
    moved = {table: await _move(source, destination, table, columns) for table, columns in tables.items()}
    if await _verified(destination, to_url) != chain:
        raise StoreUnavailable(problem="the log isn't the same at its new place; nothing was moved")
    if new_lineage:
        await SqlTransaction(destination.session).begin_lineage()
    head = await SqlReader(destination.session).head()
    return Transfer(head.epoch, head.revision, chain.entries, moved)


async def _move(source: Source, destination: Destination, table: str, columns: Sequence[str]) -> int:
    """Move one table, read it back and compare."""
    sent, kept = _Sum(), _Sum()
    await destination.fill(table, columns, sent.passing(source.rows(table, columns)))
    async for _ in kept.passing(destination.rows(table, columns)):
        pass
    if not sent.same(kept):
        raise StoreUnavailable(
            problem=f"{table} isn't the same at its new place ({sent.count} rows, {kept.count} kept); nothing was moved"
        )
    return sent.count


async def _tables(source: Source, destination: Destination) -> dict[str, tuple[str, ...]]:
    """The columns to move of each table. Both are at the same schema, so what differs would be lost."""
    here, there = await source.tables(), await destination.tables()
    # What is a column of its own on one backend is there without one in every table of the other.
    plain = [{table: set(columns) - {"rowid"} for table, columns in end.items()} for end in (here, there)]
    if plain[0] != plain[1]:
        different = sorted(set(here) ^ set(there)) or sorted(name for name in here if plain[0][name] != plain[1][name])
        raise StoreUnavailable(problem=f"the stores' tables differ: {', '.join(different)}")
    return {table: tuple(dict.fromkeys((*here[table], *there[table]))) for table in here}


async def _verified(end: Source, url: str) -> AuditReport:
    report = await verify(SqlReader(end.session))
    if not report.verified:
        raise ChainBroken("See flagconsole audit verify.", place=_place(url), problem=report.fault)
    return report


async def _refuse_tended(source: Source, url: str) -> None:
    """A server that runs holds the lease, or one on the same store does; one that ended gave it up, or it has expired."""
    now = await source.session.now()
    for row in await source.session.all("SELECT holder, expires_at FROM leases"):
        if row["holder"] and datetime.fromisoformat(row["expires_at"]) > now:
            hint = "Stop its servers; one that was killed counts as running for 15 s."
            raise StoreInUse(hint, place=_place(url))


async def _refuse_full(destination: Destination, url: str) -> None:
    """Refuse a store that has more in it than a new one."""
    head = await SqlReader(destination.session).head()
    new = await _new_store()
    counts = {table: await destination.count(table) for table in await destination.tables()}
    full = [table for table, count in counts.items() if count != new.get(table, 0)]
    if head.revision or full:
        found = f"revision {head.revision}; rows in {', '.join(full) or 'no table'}"
        raise TargetNotEmpty("Give a database without anything in it.", place=_place(url), found=found)


async def _new_store() -> dict[str, int]:
    """How many rows each table of a new store has."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        end = SqliteEnd(connection)
        return {table: await end.count(table) for table in await end.tables()}


def _source(url: str, partition: str) -> AbstractAsyncContextManager[Source]:
    if not is_postgres(url):
        return sqlite_source(url, partition)
    from flagconsole.store.postgres_end import postgres_source

    return postgres_source(url, partition)


def _destination(url: str) -> AbstractAsyncContextManager[Destination]:
    if not is_postgres(url):
        return sqlite_destination(url)
    from flagconsole.store.postgres_end import postgres_destination

    return postgres_destination(url)


def _place(url: str) -> str:
    """The store as it may be shown."""
    if not is_postgres(url):
        return url
    from flagconsole.store.postgres_address import Address

    return str(Address(url))
