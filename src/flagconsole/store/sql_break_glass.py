"""Break-glass grants in a store."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from flagconsole.domain.break_glass import Deed, Grant
from flagconsole.domain.change import Change
from flagconsole.store import rows
from flagconsole.store.session import Row, Session, insert

_COLUMNS: Final = tuple(Grant.model_fields)
_GRANTS: Final = f"SELECT {', '.join(_COLUMNS)} FROM break_glass"
#: The newest grant of the key with a hash that wasn't given back before its time was over.
NEWEST_GRANT: Final = (
    f"{_GRANTS} WHERE key_id = (SELECT key_id FROM api_keys WHERE key_hash = ?) AND ended_at IS NULL "
    "ORDER BY ends_at DESC LIMIT 1"
)
_TIMES: Final = ("began_at", "ends_at", "ended_at", "reviewed_at")


def grant_of(row: Row) -> Grant:
    """A grant from its row."""
    return Grant.model_validate({name: row[name] for name in _COLUMNS})


class SqlBreakGlassReader:
    """Reading, in a session's transaction."""

    _session: Session

    async def grant_in_force(self, key_id: str, now: datetime) -> Grant | None:
        found = await self._session.one(
            f"{_GRANTS} WHERE key_id = ? AND ended_at IS NULL AND ends_at > ? ORDER BY began_at DESC LIMIT 1",
            key_id,
            rows.timestamp(now),
        )
        return None if found is None else grant_of(found)

    async def grant(self, grant_id: str) -> Grant | None:
        found = await self._session.one(f"{_GRANTS} WHERE grant_id = ?", grant_id)
        return None if found is None else grant_of(found)

    async def grants(self, limit: int) -> list[Grant]:
        found = await self._session.all(f"{_GRANTS} ORDER BY began_at DESC, grant_id LIMIT ?", limit)
        return [Grant.model_validate({name: row[name] for name in _COLUMNS}) for row in found]

    async def deeds(self, grant_id: str) -> list[Deed]:
        found = await self._session.all(
            "SELECT at, operation, call FROM break_glass_deeds WHERE grant_id = ? ORDER BY number", grant_id
        )
        return [Deed(at=row["at"], operation=row["operation"], call=row["call"]) for row in found]

    async def changes_under(self, grant_id: str) -> list[Change]:
        columns = ", ".join(rows.CHANGE_COLUMNS)
        found = await self._session.all(
            f"SELECT {columns} FROM flag_change_log WHERE break_glass = ? ORDER BY change_id", grant_id
        )
        return [rows.change_of(row) for row in found]


class SqlBreakGlassTransaction(SqlBreakGlassReader):
    """Writing, while no other writer does."""

    async def save_grant(self, grant: Grant) -> None:
        row = grant.model_dump(mode="json")
        for name in _TIMES:
            at = getattr(grant, name)
            row[name] = None if at is None else rows.timestamp(at)
        await self._session.run(insert("break_glass", row, or_replace=("grant_id",)), *row.values())

    async def add_deed(self, grant_id: str, deed: Deed) -> None:
        await self._session.run(
            "INSERT INTO break_glass_deeds (grant_id, number, at, operation, call) "
            "SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ? FROM break_glass_deeds WHERE grant_id = ?",
            grant_id,
            rows.timestamp(deed.at),
            deed.operation,
            deed.call,
            grant_id,
        )
