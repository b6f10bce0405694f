"""The log of acts in a store."""

from __future__ import annotations

import json
from typing import Final

from flagconsole.domain.act import Act, ActDraft, sealed
from flagconsole.store.act_protocol import ActHead
from flagconsole.store.session import Row, Session, insert

_COLUMNS: Final = tuple(Act.model_fields)
_ACTS: Final = f"SELECT {', '.join(_COLUMNS)} FROM audit_log"


class SqlActReader:
    """Reading, in a session's transaction."""

    _session: Session

    async def act_head(self) -> ActHead:
        row = await self._session.one("SELECT act_id, act_hash FROM store_head WHERE id = 1")
        assert row is not None, "the head row is made by the first migration"
        return ActHead(*row)

    async def acts(self, *, before: int | None = None, limit: int = 50) -> list[Act]:
        older, values = ("", ()) if before is None else (" WHERE act_id < ?", (before,))
        found = await self._session.all(f"{_ACTS}{older} ORDER BY act_id DESC LIMIT ?", *values, limit)
        return [_act_of(row) for row in found]

    async def acts_after(self, act_id: int, limit: int) -> list[Act]:
        found = await self._session.all(f"{_ACTS} WHERE act_id > ? ORDER BY act_id LIMIT ?", act_id, limit)
        return [_act_of(row) for row in found]


class SqlActTransaction(SqlActReader):
    """Writing, while no other writer does."""

    async def record(self, draft: ActDraft) -> Act:
        head = await self._session.one("SELECT epoch, revision, act_id, act_hash FROM store_head WHERE id = 1")
        assert head is not None, "the head row is made by the first migration"
        act = sealed(
            draft,
            act_id=head["act_id"] + 1,
            epoch=head["epoch"],
            revision=head["revision"],
            previous_hash=head["act_hash"],
        )
        await self._session.run("UPDATE store_head SET act_id = ?, act_hash = ?", act.act_id, act.hash)
        row = act.model_dump(mode="json")
        row["details"] = json.dumps(row["details"], ensure_ascii=False, sort_keys=True)
        await self._session.run(insert("audit_log", row), *row.values())
        return act


def _act_of(row: Row) -> Act:
    fields = {name: row[name] for name in _COLUMNS}
    fields["details"] = json.loads(fields["details"])
    return Act.model_validate(fields)
