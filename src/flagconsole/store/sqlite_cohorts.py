"""Drawn cohorts in the embedded store: one row each, with the whole selection as JSON."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from flagconsole.domain.cohort import CohortSelection
from flagconsole.store.cohort_protocol import DrawnCohort
from flagconsole.store.rows import timestamp


class SqliteCohortReader:
    """Reading, on a connection that has a transaction open."""

    _connection: sqlite3.Connection

    async def newest_cohort(self, flag_name: str) -> DrawnCohort | None:
        row = self._connection.execute(
            "SELECT selection, drawn_at, drawn_by, change_id FROM cohorts WHERE flag_name = ? "
            "ORDER BY cohort_id DESC LIMIT 1",
            (flag_name,),
        ).fetchone()
        if row is None:
            return None
        return DrawnCohort(
            selection=CohortSelection.model_validate_json(row["selection"]),
            drawn_at=datetime.fromisoformat(row["drawn_at"]),
            drawn_by=row["drawn_by"],
            change_id=row["change_id"],
        )


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
