"""Plans in a store: every version a row, none ever changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from flagconsole.store.rows import timestamp
from flagconsole.store.session import Row, Session, insert

if TYPE_CHECKING:
    from flagconsole.domain.stored_plan import StoredPlan

_COLUMNS: Final = (
    "plan_name",
    "version",
    "entry",
    "change_reason",
    "changed_by",
    "changed_at",
    "revision",
    "correlation_id",
)
_NEWEST: Final = (
    f"SELECT {', '.join(_COLUMNS)} FROM rollout_plans AS plans WHERE version ="
    " (SELECT max(version) FROM rollout_plans WHERE plan_name = plans.plan_name) ORDER BY plan_name"
)


class SqlPlanReader:
    """Reading, in a session's transaction."""

    _session: Session

    async def stored_plans(self) -> list[StoredPlan]:
        return [_plan_of(row) for row in await self._session.all(_NEWEST)]


class SqlPlanTransaction(SqlPlanReader):
    """Writing, while no other writer does."""

    async def save_plan(self, stored: StoredPlan) -> None:
        row = stored.model_dump(mode="json")
        row["changed_at"] = timestamp(stored.changed_at)
        row["entry"] = None if stored.entry is None else stored.entry.model_dump_json()
        await self._session.run(insert("rollout_plans", row), *row.values())


def _plan_of(row: Row) -> StoredPlan:
    from flagconsole.domain.stored_plan import StoredPlan

    fields = {name: row[name] for name in _COLUMNS}
    fields["entry"] = None if row["entry"] is None else json.loads(row["entry"])
    return StoredPlan.model_validate(fields)
