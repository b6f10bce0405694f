"""What the system answers about rollouts."""

from __future__ import annotations

from pydantic import AwareDatetime

from flagconsole.domain.flag import Frozen
from flagconsole.domain.rollout import Rollout, RolloutStep, StoredVerdict


class RolloutResult(Frozen):
    """What a mutation of a rollout answers."""

    rollout: Rollout
    dry_run: bool = False


class RolloutList(Frozen):
    """``GET /api/rollouts``: newest first, or those under way by flag."""

    rollouts: tuple[Rollout, ...]


class ChecklistItem(Frozen):
    """One item of the pre-canary checklist, and who ticked it. One that is ``known`` to the store needs nobody's word."""

    item: str
    known: bool = False
    ticked_by: str | None = None
    ticked_at: AwareDatetime | None = None
    note: str = ""

    @property
    def missing(self) -> bool:
        """Whether a canary has to wait for somebody's word."""
        return not self.known and self.ticked_by is None


class Checklist(Frozen):
    """``GET /api/flags/{name}/checklist``: ``complete`` where nothing is missing for the first canary."""

    items: tuple[ChecklistItem, ...]
    complete: bool


class RolloutDetail(Frozen):
    """``GET /api/flags/{name}/rollout``: the flag's newest rollout, or null."""

    rollout: Rollout | None
    steps: tuple[RolloutStep, ...] = ()
    checklist: Checklist


class NumberedVerdict(Frozen):
    """A look of the judge with its number."""

    verdict_id: int
    verdict: StoredVerdict


class VerdictPage(Frozen):
    """``GET /api/flags/{name}/verdicts``: newest first."""

    verdicts: tuple[NumberedVerdict, ...]
    next_before: int | None = None
