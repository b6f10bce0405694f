"""The environments of a store, by the partition that holds each."""

from __future__ import annotations

from typing import Final

ENVIRONMENTS: Final = (
    """
    CREATE TABLE environments (
        partition_name text COLLATE "C" PRIMARY KEY,
        name text COLLATE "C" NOT NULL UNIQUE,
        created_at text NOT NULL,
        created_by text NOT NULL
    )
    """,
)
