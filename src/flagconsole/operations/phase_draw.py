"""Drawing a phase's cohort before the transaction that enters the phase, so that no kill waits for a draw."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from flagconsole.domain.cohort import CohortSelection
from flagconsole.domain.errors import NobodyEligible, VersionConflict
from flagconsole.domain.flag import Flag, Setting
from flagconsole.domain.plan import Phase, PhaseKind
from flagconsole.domain.requests import CohortDraw
from flagconsole.domain.states import FlagState
from flagconsole.operations.cohorts import drawn_for
from flagconsole.store.cohort_protocol import DrawnCohort
from flagconsole.store.protocol import Store, Transaction


class DrawOutdated(VersionConflict):
    """{flag!r} was changed by {changed_by} ({changed_at}) while its cohort was drawn."""

    @classmethod
    def of(cls, flag: Flag) -> DrawOutdated:
        """The error about the flag as it is."""
        hint = "It was drawn anew as often as is sensible; try again."
        return cls(hint, flag=flag.flag_name, changed_by=flag.updated_by, changed_at=flag.updated_at.isoformat())


@dataclass(frozen=True, slots=True)
class PhaseDraw:
    """A cohort for ``phase`` of a flag whose setting was ``seen``. ``selection`` is None where too little is known of the
    tenants to draw anybody; then the hash decides."""

    phase: str
    seen: Setting
    selection: CohortSelection | None
    at: datetime

    def for_phase(self, phase: Phase, flag: Flag) -> CohortSelection | None:
        """The cohort. Raises ``DrawOutdated`` when it was drawn for something else."""
        if (self.phase, self.seen) != (phase.name, flag.setting):
            raise DrawOutdated.of(flag)
        return self.selection

    async def keep(self, tx: Transaction, drawn_by: str, change_id: int | None) -> None:
        """Keep it as evidence, with the change that gave it to the flag."""
        if self.selection is not None:
            drawn = DrawnCohort(selection=self.selection, drawn_at=self.at, drawn_by=drawn_by, change_id=change_id)
            await tx.save_cohort(drawn)


async def phase_draw(store: Store, flag_name: str, plan_name: str, phase: Phase | None, seed: int) -> PhaseDraw | None:
    """The cohort of ``phase`` for the flag as it is now, drawn from the tenants' profiles beside the event loop. None for
    a phase without a cohort, for an unknown flag and for one that is killed: whoever enters the phase refuses those."""
    if phase is None or phase.kind is not PhaseKind.CANARY:
        return None
    async with store.read() as reader:
        flag, now = await reader.flag(flag_name), await reader.now()
        tenants = await reader.tenants()
    if flag is None or flag.current_state is FlagState.KILL:
        return None
    request = CohortDraw(
        change_reason=f"{phase.name} of {plan_name}",
        percentage=phase.percentage,
        seed=seed,
        lasts_hours=phase.min_hours,
    )
    try:
        selection = await asyncio.to_thread(drawn_for, flag, tenants, request, now)
    except NobodyEligible:
        selection = None
    return PhaseDraw(phase.name, flag.setting, selection, now)
