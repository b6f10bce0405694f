"""What would have been said of a phase and done with it, look by look."""

from __future__ import annotations

from datetime import datetime

from flagconsole.domain.replay import Looks, PhaseReplay, RollbackMade
from flagconsole.domain.rollout import PLAYBOOK_OF, Move, Rollout, StoredVerdict, decide
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import Verdict, VerdictKind
from flagconsole.rollout.store_judging import stored_verdict


class Story:
    """What would have been said and done, look by look."""

    def __init__(self, rollout: Rollout, promotes: bool) -> None:
        self.rollout = rollout
        self.looks = 0
        self._promotes = promotes
        self._counts: dict[VerdictKind, int] = {}
        self._first: dict[VerdictKind, StoredVerdict] = {}
        self._passed_at: datetime | None = None
        self._rolled_back: RollbackMade | None = None

    def take(self, verdict: Verdict, now: datetime) -> bool:
        """Take in a look. True when it would have been the last one: the phase would have been rolled back."""
        said = stored_verdict(self.rollout, verdict, now)
        self.looks += 1
        self._counts[said.kind] = self._counts.get(said.kind, 0) + 1
        self._first.setdefault(said.kind, said)
        self.rollout = self.rollout.looked(said)
        decision = decide(self.rollout, self.rollout.expected_version)
        if said.kind is VerdictKind.PASS and self.rollout.fresh_seconds >= self.rollout.current_phase.min_seconds:
            self._passed_at = self._passed_at or now
        if decision.move is Move.ROLL_BACK:
            playbook = decision.playbook or PLAYBOOK_OF[Urgency.HIGH]
            self._rolled_back = RollbackMade(at=now, playbook=playbook, because=decision.because)
        return self._rolled_back is not None

    def told(self, phase: PhaseReplay, step: int, notes: tuple[str, ...]) -> PhaseReplay:
        """The phase with all that."""
        failed = self._first.get(VerdictKind.FAIL)
        looks = Looks(
            counts=self._counts,
            first={kind: said.at for kind, said in self._first.items()},
            first_fail_because="" if failed is None else failed.because,
        )
        return phase.model_copy(
            update={
                "look_seconds": float(step),
                "would": looks,
                "would_pass_at": self._passed_at,
                "would_promote": self._promotes and self._passed_at is not None,
                "would_roll_back": self._rolled_back,
                "notes": notes,
            }
        )
