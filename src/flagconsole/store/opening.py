"""Opening a store by its URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagconsole.domain.errors import InvalidInput
from flagconsole.store.clock import Clock, system_clock

if TYPE_CHECKING:
    from flagconsole.store.protocol import Store


async def open_store(url: str, *, clock: Clock = system_clock) -> Store:
    """Open the store at ``url`` (``sqlite:PATH`` or ``sqlite:///ABSOLUTE``), creating it where it doesn't exist.

    Raises ``InvalidInput`` for a URL of another kind and ``StoreUnavailable`` when the file can't be used.
    """
    from flagconsole.store.sqlite import SqliteStore

    return await SqliteStore.open(sqlite_path(url), clock=clock)


def sqlite_path(url: str) -> str:
    """The file of a ``sqlite:`` URL. Raises ``InvalidInput`` for other URLs and for in-memory databases."""
    scheme, colon, rest = url.partition(":")
    if not colon or scheme != "sqlite":
        raise InvalidInput(field="store", problem="must be sqlite:PATH", value=url)
    if rest.startswith("///"):
        rest = rest[2:]
    if not rest or rest.startswith((":", "//")) or "\0" in rest or "?" in rest:
        raise InvalidInput(field="store", problem="must name a file, as in sqlite:flags.db", value=url)
    return rest
