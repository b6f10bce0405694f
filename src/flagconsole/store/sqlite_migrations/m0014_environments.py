"""The environments of a store, by the partition that holds each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0014_environments(db: Database) -> None:
    """A store that is there has one, which has no name yet."""
    columns = ("partition_name", "name", "created_at", "created_by")
    db.table("environments").create(dict.fromkeys(columns, str), pk="partition_name", not_null=set(columns))
    db.table("environments").create_index(["name"], unique=True)
