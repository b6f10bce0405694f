"""The list of environments in a store."""

from __future__ import annotations

from typing import Final

from flagconsole.domain.store_environment import StoreEnvironment
from flagconsole.store.rows import timestamp
from flagconsole.store.session import Session, insert

_COLUMNS: Final = ("name", "partition", "created_at", "created_by")


class SqlEnvironmentReader:
    """Reading, in a session's transaction."""

    _session: Session

    async def environments(self) -> list[StoreEnvironment]:
        found = await self._session.all(
            "SELECT name, partition_name, created_at, created_by FROM environments ORDER BY partition_name"
        )
        return [StoreEnvironment.model_validate(dict(zip(_COLUMNS, row, strict=True))) for row in found]


class SqlEnvironmentTransaction(SqlEnvironmentReader):
    """Writing, while no other writer does."""

    async def save_environment(self, environment: StoreEnvironment) -> None:
        assert environment.created_at is not None, "what is kept has a name"
        row = {
            "partition_name": environment.partition,
            "name": environment.name,
            "created_at": timestamp(environment.created_at),
            "created_by": environment.created_by,
        }
        await self._session.run(insert("environments", row, or_replace=("partition_name",)), *row.values())
