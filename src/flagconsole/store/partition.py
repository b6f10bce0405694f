"""Where the partition of an environment lies, and what it is called there.

The first environment lies where a store with a single one does. Each further one has a file of its own beside it, or in
PostgreSQL a schema of its own, which is then the only one that its connections look into.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flagconsole.domain.store_environment import FIRST

_PREFIX: Final = "flagconsole_"


def file_of(path: str, partition: str) -> str:
    """The file of a partition of the embedded store at ``path``: ``flags.staging.db`` beside ``flags.db``."""
    if partition == FIRST:
        return path
    main = Path(path)
    return str(main.with_name(f"{main.stem}.{partition}{main.suffix}"))


def schema_of(partition: str) -> str | None:
    """The schema of a partition in PostgreSQL; None for the first one's, which the connection itself is set to."""
    return None if partition == FIRST else _PREFIX + partition.replace("-", "_")


def channel_of(partition: str) -> str:
    """The channel on which a partition's commits are told."""
    return schema_of(partition) or "flagconsole"
