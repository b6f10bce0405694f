"""Bringing a PostgreSQL database to the schema that this version knows, whoever starts first."""

from __future__ import annotations

from typing import Final
from zlib import crc32

from psycopg import sql

from flagconsole.domain.audit import GENESIS
from flagconsole.domain.errors import StoreUnavailable
from flagconsole.store.epoch import new_epoch
from flagconsole.store.postgres_migrations import ALL
from flagconsole.store.postgres_role import take_role
from flagconsole.store.postgres_session import Connection

#: The number of the newest migration; the same as the embedded store's.
SCHEMA_VERSION: Final = len(ALL)
#: Of several servers that start at once, one migrates and the others wait for this lock.
_LOCK: Final = 0x666C6167


async def migrate(connection: Connection, schema: str | None = None) -> str | None:
    """Bring a partition of the database to ``SCHEMA_VERSION``, all at once: the first one, or the one in ``schema``. Returns the role
    to work as in it (``postgres_role``). Raises ``StoreUnavailable`` for one made by a newer version, and for a schema that isn't
    there."""
    async with connection.transaction():
        await enter(connection, schema)
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_of(_LOCK, schema),))
        await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version bigint NOT NULL)")
        found = await version_of(connection)
        if found > SCHEMA_VERSION:
            raise StoreUnavailable(
                "Use that version, or restore a backup made before the upgrade.",
                problem=f"its schema is version {found}, made by a newer flagconsole (this one knows {SCHEMA_VERSION})",
            )
        for statements in ALL[found:]:
            for statement in statements:
                await connection.execute(statement)
        if found < SCHEMA_VERSION:
            await connection.execute("DELETE FROM schema_version")
            await connection.execute("INSERT INTO schema_version (version) VALUES (%s)", (SCHEMA_VERSION,))
        await connection.execute(
            "INSERT INTO store_head (id, epoch, revision, audit_hash) VALUES (1, %s, 0, %s) ON CONFLICT DO NOTHING",
            (new_epoch(), GENESIS),
        )
        return await take_role(connection)


async def enter(connection: Connection, schema: str | None) -> None:
    """Look into this schema only, for the whole fleet, until the transaction ends. Raises ``StoreUnavailable`` where there is
    none."""
    await connection.execute("SET LOCAL flagconsole.tenant = '*'")
    if schema is None:
        return
    row = await (await connection.execute("SELECT to_regnamespace(%s) IS NULL", (schema,))).fetchone()
    if row is None or row[0]:
        raise StoreUnavailable(
            "Restore it, or check what the store's URL leads to.", problem=f"the schema {schema} isn't there"
        )
    await connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema)))


def lock_of(lock: int, schema: str | None) -> int:
    """The key of an advisory lock for this schema: those who work in different ones don't wait for each other."""
    return lock if schema is None else lock << 31 | crc32(schema.encode()) >> 1


async def version_of(connection: Connection) -> int:
    """The number of the newest migration that was done."""
    row = await (await connection.execute("SELECT coalesce(max(version), 0) FROM schema_version")).fetchone()
    return 0 if row is None else int(row[0])


async def refuse_unsafe(connection: Connection) -> None:
    """Refuse a database that could lose what it acknowledged, or can't be written to. Raises ``StoreUnavailable``."""
    row = await (
        await connection.execute(
            "SELECT current_setting('fsync'), current_setting('synchronous_commit'), pg_is_in_recovery()"
        )
    ).fetchone()
    assert row is not None
    fsync, synchronous_commit, in_recovery = row
    if in_recovery:
        raise StoreUnavailable(
            "Point the store's URL at the primary; several hosts and target_session_attrs=read-write find it.",
            problem="it is a replica, which takes no writes",
        )
    if fsync != "on":
        raise StoreUnavailable(
            "Set fsync = on.", problem="its fsync is off: a power cut could take acknowledged kills with it"
        )
    if synchronous_commit == "off":
        raise StoreUnavailable(
            "Set synchronous_commit = on.",
            problem="its synchronous_commit is off: a crash could take acknowledged kills with it",
        )


async def refuse_other(connection: Connection, listening: Connection) -> None:
    """Refuse to listen in another database than the store's, where no change would ever be told. Raises ``StoreUnavailable``."""
    asked = "SELECT system_identifier, current_database() FROM pg_control_system()"
    here = await (await connection.execute(asked)).fetchone()
    there = await (await listening.execute(asked)).fetchone()
    assert here is not None
    assert there is not None
    if tuple(here) != tuple(there):
        raise StoreUnavailable(
            "Give --listen-url a direct way to the store's own database.",
            problem="the listen URL leads to another database than the store's",
        )
