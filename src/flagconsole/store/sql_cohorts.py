"""Drawn cohorts in a store: one row each, with the whole selection as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final

from flagconsole.domain.cohort import CohortSelection
from flagconsole.domain.flag import Flag
from flagconsole.store.cohort_protocol import DrawnCohort
from flagconsole.store.rows import timestamp
from flagconsole.store.session import Row, Session, insert

#: How many draws of a flag are looked at for the one in force.
_LOOKED_AT: Final = 10


class SqlCohortReader:
    """Reading, in a session's transaction."""

    _session: Session

    async def _newest_first(self, flag_name: str, limit: int) -> Iterator[DrawnCohort]:
        found = await self._session.all(
            "SELECT selection, drawn_at, drawn_by, change_id FROM cohorts WHERE flag_name = ? "
            "ORDER BY cohort_id DESC LIMIT ?",
            flag_name,
            limit,
        )
        # One at a time: a selection is large, and mostly the first is the one that is asked for.
        return map(_drawn, found)

    async def newest_cohort(self, flag_name: str) -> DrawnCohort | None:
        return next(await self._newest_first(flag_name, 1), None)

    async def cohorts(self, flag_name: str, limit: int) -> list[DrawnCohort]:
        return list(await self._newest_first(flag_name, limit))

    async def cohort_in_force(self, flag: Flag) -> DrawnCohort | None:
        if not flag.canary_tenant_ids or flag.canary_holdout_ids is None:
            return None
        drawn = await self._newest_first(flag.flag_name, _LOOKED_AT)
        return next((item for item in drawn if item.selection.is_cohort_of(flag.setting)), None)

    async def cohort_with(self, flag_name: str, members: Collection[str]) -> DrawnCohort | None:
        wanted = frozenset(members)
        drawn = await self._newest_first(flag_name, _LOOKED_AT)
        return next((item for item in drawn if wanted == set(item.selection.design.members)), None)


class SqlCohortTransaction(SqlCohortReader):
    """Writing, while no other writer does."""

    async def save_cohort(self, drawn: DrawnCohort) -> None:
        selection = drawn.selection
        row = {
            "flag_name": selection.flag_name,
            "percentage": selection.percentage,
            "seed": selection.seed,
            "algorithm": selection.algorithm,
            "population_digest": selection.population_digest,
            "drawn_at": timestamp(drawn.drawn_at),
            "drawn_by": drawn.drawn_by,
            "change_id": drawn.change_id,
            "selection": selection.model_dump_json(),
        }
        await self._session.run(insert("cohorts", row), *row.values())


def _drawn(row: Row) -> DrawnCohort:
    return DrawnCohort(
        selection=CohortSelection.model_validate_json(row["selection"]),
        drawn_at=datetime.fromisoformat(row["drawn_at"]),
        drawn_by=row["drawn_by"],
        change_id=row["change_id"],
    )
