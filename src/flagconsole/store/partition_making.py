"""Making the partition of a further environment: a file beside the store's, or a schema in its database."""

from __future__ import annotations

from flagconsole.store.opening import is_postgres, sqlite_path
from flagconsole.store.partition import file_of, schema_of


async def make_partition(url: str, partition: str) -> str:
    """Make the partition with its tables, where it isn't there, and say where it is. Raises ``StoreUnavailable``."""
    if is_postgres(url):
        from flagconsole.store.postgres_partition import make_schema

        schema = schema_of(partition)
        assert schema is not None, "the first partition is made with its store"
        await make_schema(url, schema)
        return f"schema {schema}"
    from flagconsole.store.sqlite import SqliteStore

    path = file_of(sqlite_path(url), partition)
    await (await SqliteStore.open(path)).close()
    return path
