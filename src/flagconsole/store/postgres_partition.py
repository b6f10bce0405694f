"""The schema of a further environment in PostgreSQL."""

from __future__ import annotations

import psycopg
from psycopg import sql

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.store.postgres_address import Address
from flagconsole.store.postgres_schema import migrate


async def make_schema(url: str, schema: str) -> None:
    """Make the schema with its tables, in one transaction, where it isn't there. Raises ``StoreUnavailable``."""
    address = Address(url)
    try:
        async with await address.connect(limits=False) as connection, connection.transaction():
            await connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
            await migrate(connection, schema)
    except psycopg.errors.InsufficientPrivilege as error:
        name = await _names(address)
        raise StoreUnavailable(
            f"Let the database's owner run: GRANT CREATE ON DATABASE {name[0]} TO {name[1]}",
            problem=f"{address}: {name[1]} may not make the schema {schema}",
        ) from error
    except (psycopg.Error, OSError) as error:
        said = str(error).strip().splitlines()
        raise StoreUnavailable(
            "Check that the database runs and can be reached.",
            problem=f"{address}: {said[0] if said else type(error).__name__}",
        ) from error


async def _names(address: Address) -> tuple[str, str]:
    """The database, and who we are in it."""
    async with await address.connect() as connection:
        row = await (await connection.execute("SELECT current_database(), current_user")).fetchone()
    assert row is not None
    return row[0], row[1]
