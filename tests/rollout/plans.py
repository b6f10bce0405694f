"""Plans of minutes for tests, and a judge that says what it is told to."""

from __future__ import annotations

from collections.abc import Callable

from flagconsole.domain.plan import Comparison, Criterion, Phase, PhaseKind, Plan
from flagconsole.domain.rollout import StoredVerdict
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import VerdictKind
from flagconsole.rollout.judging import Judgement

LIMIT = Criterion(metric="error_rate", comparison=Comparison.ABOVE, value=0.02)


def a_plan(**options) -> Plan:
    """shadow, canary 10, canary 50, full: a minute each."""
    phases = [("shadow", PhaseKind.SHADOW, 0), ("canary 10", PhaseKind.CANARY, 10)]
    phases += [("canary 50", PhaseKind.CANARY, 50), ("full", PhaseKind.FULL, 100)]
    return Plan(
        name="minutes",
        phases=tuple(
            Phase(name=name, kind=kind, percentage=percentage, min_hours=1 / 60, rollback=(LIMIT,))
            for name, kind, percentage in phases
        ),
        **options,
    )


class Script:
    """A judge that answers with what the test put into ``answer``: a kind, or something to raise."""

    def __init__(self) -> None:
        self.answer: VerdictKind | Exception | Callable = VerdictKind.PASS
        self.urgency = Urgency.HIGH
        self.looks = 0

    async def look(self, rollout, flag, state, now) -> Judgement:
        self.looks += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        kind = self.answer
        if callable(kind) and not isinstance(kind, VerdictKind):
            kind = await kind()
        verdict = StoredVerdict(
            rollout_id=rollout.rollout_id,
            flag_name=rollout.flag_name,
            phase=rollout.phase,
            at=now,
            kind=kind,
            urgency=self.urgency if kind is VerdictKind.FAIL else None,
            because="error_rate 0.04 > 0.02" if kind is VerdictKind.FAIL else "",
        )
        return Judgement(verdict, b"state " + rollout.phase.encode())
