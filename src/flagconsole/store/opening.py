"""Opening a store by its URL."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagconsole.domain.errors import InvalidInput, StoreNotFound, StoreUnavailable
from flagconsole.domain.store_environment import FIRST
from flagconsole.store.clock import Clock, system_clock
from flagconsole.store.partition import file_of

if TYPE_CHECKING:
    from flagconsole.store.protocol import Store


_POSTGRES_SCHEMES: Final = ("postgresql", "postgres")


async def open_store(
    url: str, *, partition: str = FIRST, clock: Clock = system_clock, listen_url: str | None = None
) -> Store:
    """Open the store at ``url``: ``sqlite:PATH`` or ``sqlite:///ABSOLUTE``, created where it doesn't exist, or
    ``postgresql://…``, whose tables are. ``listen_url`` is a direct way to the same database where ``url`` leads through a
    pooler. ``partition`` is that of one of its environments (``operations.environments``); only the first one's is created.

    Raises ``InvalidInput`` for a URL of another kind or that can't be read, and ``StoreUnavailable`` when the file or database
    can't be used, or isn't there for a further partition.
    """
    if is_postgres(url):
        try:
            from flagconsole.store.postgres import PostgresStore
        except ImportError:
            raise StoreUnavailable(
                "Install it with: pip install 'flagconsole[postgres]'", problem="the driver for PostgreSQL isn't there"
            ) from None
        return await PostgresStore.open(url, listen_url=listen_url, partition=partition, clock=clock)
    from flagconsole.store.sqlite import SqliteStore

    if listen_url is not None:
        raise InvalidInput(
            field="listen URL", problem="is for stores on PostgreSQL; the store is a file", value=sqlite_path(url)
        )
    path = file_of(sqlite_path(url), partition)
    if partition != FIRST:
        _refuse_missing_part(path)
    return await SqliteStore.open(path, clock=clock)


def is_postgres(url: str) -> bool:
    """Whether the URL leads to PostgreSQL."""
    return url.partition(":")[0] in _POSTGRES_SCHEMES


def refuse_missing(url: str) -> None:
    """Raise ``StoreNotFound`` where there is no store at ``url``, which opening it would create: a name that was mistyped must
    not look like a store without flags. A database is there whenever it can be connected to."""
    if is_postgres(url):
        return
    path = sqlite_path(url)
    if not Path(path).exists():
        raise StoreNotFound(f"Check the path, or make it with: flagconsole init --store {shlex.quote(url)}", path=path)


def _refuse_missing_part(path: str) -> None:
    if not Path(path).exists():
        raise StoreUnavailable("Put it back, from a backup or where it was.", problem=f"the file {path} isn't there")


def sqlite_path(url: str) -> str:
    """The file of a ``sqlite:`` URL. Raises ``InvalidInput`` for other URLs and for in-memory databases."""
    scheme, colon, rest = url.partition(":")
    if not colon or scheme != "sqlite":
        raise InvalidInput(field="store", problem="must be sqlite:PATH or postgresql://…", value=url)
    if rest.startswith("///"):
        rest = rest[2:]
    if not rest or rest.startswith((":", "//")) or "\0" in rest or "?" in rest:
        raise InvalidInput(field="store", problem="must name a file, as in sqlite:flags.db", value=url)
    return rest
