"""What every store can do with drawn cohorts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flagconsole.domain.cohort import CohortSelection
from flagconsole.domain.flag import Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnCohort:
    """A draw as it is kept: with who made it, when, and the change that gave it to the flag (none: it had it already)."""

    selection: CohortSelection
    drawn_at: datetime
    drawn_by: str
    change_id: int | None


class CohortReader(Protocol):
    """Reading cohorts."""

    async def newest_cohort(self, flag_name: str) -> DrawnCohort | None:
        """The newest cohort that was drawn for the flag, in force or not."""

    async def cohorts(self, flag_name: str, limit: int) -> list[DrawnCohort]:
        """The flag's newest draws, newest first."""

    async def cohort_in_force(self, flag: Flag) -> DrawnCohort | None:
        """The draw that gave the flag the cohort it has, which after a rollback is an older one; None where its cohort is by
        hash, chosen by hand, or not among its newest draws."""

    async def cohort_with(self, flag_name: str, members: Collection[str]) -> DrawnCohort | None:
        """The newest draw of the flag that chose exactly these members, in force or not; None where it isn't among its newest
        draws."""


class CohortTransaction(CohortReader, Protocol):
    """Writing cohorts, in the same transaction as the change that uses them."""

    async def save_cohort(self, drawn: DrawnCohort) -> None:
        """Keep a draw. Older ones of the flag stay, as evidence."""
