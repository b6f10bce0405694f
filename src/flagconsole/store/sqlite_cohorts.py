"""Drawn cohorts in the embedded store: one row each, with the whole selection as JSON."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from flagconsole.domain.cohort import CohortSelection
from flagconsole.domain.flag import Flag
from flagconsole.store.cohort_protocol import DrawnCohort
from flagconsole.store.rows import timestamp

#: How many draws of a flag are looked at for the one in force.
_LOOKED_AT: Final = 10


class SqliteCohortReader:
    """Reading, on a connection that has a transaction open."""

    _connection: sqlite3.Connection

    def _newest_first(self, flag_name: str, limit: int) -> Iterator[DrawnCohort]:
        found = self._connection.execute(
            "SELECT selection, drawn_at, drawn_by, change_id FROM cohorts WHERE flag_name = ? "
            "ORDER BY cohort_id DESC LIMIT ?",
            (flag_name, limit),
        )
        for row in found:
            yield DrawnCohort(
                selection=CohortSelection.model_validate_json(row["selection"]),
                drawn_at=datetime.fromisoformat(row["drawn_at"]),
                drawn_by=row["drawn_by"],
                change_id=row["change_id"],
            )

    async def newest_cohort(self, flag_name: str) -> DrawnCohort | None:
        return next(self._newest_first(flag_name, 1), None)

    async def cohort_in_force(self, flag: Flag) -> DrawnCohort | None:
        if not flag.canary_tenant_ids or flag.canary_holdout_ids is None:
            return None
        drawn = self._newest_first(flag.flag_name, _LOOKED_AT)
        return next((item for item in drawn if item.selection.is_cohort_of(flag.setting)), None)


class SqliteCohortTransaction(SqliteCohortReader):
    """Writing."""

    async def save_cohort(self, drawn: DrawnCohort) -> None:
        selection = drawn.selection
        self._connection.execute(
            "INSERT INTO cohorts (flag_name, percentage, seed, algorithm, population_digest, drawn_at, drawn_by, "
            "change_id, selection) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                selection.flag_name,
                selection.percentage,
                selection.seed,
                selection.algorithm,
                selection.population_digest,
                timestamp(drawn.drawn_at),
                drawn.drawn_by,
                drawn.change_id,
                selection.model_dump_json(),
            ),
        )
