"""The tables of the embedded store, as numbered migrations.

``PRAGMA user_version`` holds the number of the newest one, so that an up-to-date file is recognised without reading
anything else. All pending migrations run inside one ``BEGIN IMMEDIATE``: of several processes that start at once, one
migrates and the others find it done.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.store.sqlite_migrations import ALL

if TYPE_CHECKING:
    from sqlite_utils import Migrations

#: The number of the newest migration.
SCHEMA_VERSION = len(ALL)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to ``SCHEMA_VERSION``. Raises ``StoreUnavailable`` for one made by a newer version."""
    found = version_of(connection)
    if found == SCHEMA_VERSION:
        return
    if found > SCHEMA_VERSION:
        raise StoreUnavailable(
            "Use that version, or restore a backup made before the upgrade.",
            problem=f"its schema is version {found}, made by a newer flagconsole (this one knows {SCHEMA_VERSION})",
        )
    from sqlite_utils import Database

    connection.execute("BEGIN IMMEDIATE")
    try:
        if version_of(connection) < SCHEMA_VERSION:
            _migrations().apply(Database(connection, execute_plugins=False))
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def version_of(connection: sqlite3.Connection) -> int:
    """The number of the newest migration that was done."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _migrations() -> Migrations:
    from sqlite_utils import Migrations

    migrations = Migrations("flagconsole")
    for migration in ALL:
        migrations()(migration)
    return migrations
