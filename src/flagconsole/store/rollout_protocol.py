"""What every store can do with rollouts."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

from flagconsole.domain.rollout import Rollout, RolloutStep, StoredVerdict


class Lease(NamedTuple):
    """Who may act as ``name`` until ``expires_at``. ``epoch`` grows with every new holder: a write that carries an older
    one comes from somebody who was replaced without noticing."""

    name: str
    holder: str
    epoch: int
    expires_at: datetime


class Tick(NamedTuple):
    """One item of a checklist, and who ticked it."""

    item: str
    ticked_by: str
    ticked_at: datetime
    note: str


class VerdictsOfKind(NamedTuple):
    """How many looks in a span gave this verdict, and the first of them."""

    looks: int
    first: StoredVerdict


class RolloutReader(Protocol):
    """Reading rollouts."""

    async def active_rollouts(self) -> list[Rollout]:
        """The rollouts that are under way, by flag."""

    async def active_rollout(self, flag_name: str) -> Rollout | None:
        """The flag's rollout that is under way."""

    async def rollouts(self, *, flag_name: str | None = None, limit: int = 50) -> list[Rollout]:
        """Rollouts, newest first."""

    async def rollout_steps(self, rollout_id: str) -> list[RolloutStep]:
        """What happened to a rollout, in order."""

    async def verdicts(
        self, flag_name: str, *, rollout_id: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[tuple[int, StoredVerdict]]:
        """Looks of the judge with their numbers, newest first."""

    async def verdicts_by_kind(self, rollout_id: str, since: datetime, until: datetime) -> list[VerdictsOfKind]:
        """The looks at a rollout after ``since`` up to ``until``, by verdict, the one that was given first coming first."""

    async def rollout(self, rollout_id: str) -> Rollout | None:
        """One rollout, under way or over."""

    async def rollouts_touched(self) -> int:
        """The number of the newest write of any rollout."""

    async def rollouts_touched_after(self, touched: int, limit: int) -> list[tuple[int, Rollout]]:
        """Rollouts that were written since, with the number of their newest write, oldest write first."""

    async def newest_verdict(self) -> int:
        """The number of the judge's newest look at any rollout."""

    async def verdicts_after(self, verdict_id: int, limit: int) -> list[tuple[int, StoredVerdict]]:
        """Looks of the judge at any rollout with their numbers, oldest first, newer than ``verdict_id``."""

    async def judge_state(self, rollout_id: str, phase: str) -> bytes | None:
        """What the judge kept of a phase."""

    async def lease(self, name: str) -> Lease | None:
        """Who holds, or last held, the lease."""

    async def checklist(self, flag_name: str) -> list[Tick]:
        """The ticked items of a flag's checklist."""


class RolloutTransaction(RolloutReader, Protocol):
    """Writing rollouts, in the same transaction as the changes they make."""

    async def save_rollout(self, rollout: Rollout) -> None:
        """Add or replace a rollout. Raises ``RolloutUnderWay`` for a second active one of a flag."""

    async def take_step(self, step: RolloutStep) -> bool:
        """Record a step. False when it was taken before: then whatever belongs to it has been done already."""

    async def add_verdict(self, verdict: StoredVerdict) -> None:
        """Keep a look of the judge."""

    async def save_judge_state(self, rollout_id: str, phase: str, body: bytes) -> None:
        """Keep what the judge needs to go on after a restart."""

    async def save_lease(self, lease: Lease) -> None:
        """Give the lease to a holder, or prolong it."""

    async def tick(self, flag_name: str, tick: Tick) -> None:
        """Tick one item of a flag's checklist."""
