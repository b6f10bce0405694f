"""What every store can do with the plans that an environment keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flagconsole.domain.stored_plan import StoredPlan


class PlanReader(Protocol):
    """Reading plans."""

    async def stored_plans(self) -> list[StoredPlan]:
        """The newest version of every plan by name, those that were removed included."""


class PlanTransaction(PlanReader, Protocol):
    """Writing plans."""

    async def save_plan(self, stored: StoredPlan) -> None:
        """Add a version of a plan."""
