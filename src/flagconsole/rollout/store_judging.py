"""``Judging`` on what the store measured: who was drawn, what they were like before, and how they do now.

The tenants, the cohort and the latency that counts as slow are fixed at a phase's first look and kept with the judge's
state, so that a restart, or a tenant who joins meanwhile, changes nothing about the question that is asked.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from datetime import datetime
from typing import Any, Final, NamedTuple

from flagconsole.domain.bucketing import in_percentage
from flagconsole.domain.flag import Flag
from flagconsole.domain.group import Group
from flagconsole.domain.judge import Assignment, Judge
from flagconsole.domain.plan import PhaseKind
from flagconsole.domain.rollout import Rollout, StoredVerdict
from flagconsole.domain.verdict import Verdict
from flagconsole.rollout.judging import Judgement
from flagconsole.rollout.measured import Span, baseline, observe, reference_latency
from flagconsole.store.cohort_protocol import DrawnCohort
from flagconsole.store.protocol import Store

#: Judges of rollouts under way that are kept between two looks; building one draws its alternative cohorts anew.
_JUDGES_KEPT: Final = 16
_JUDGED: Final = {PhaseKind.SHADOW: Group.SHADOW, PhaseKind.CANARY: Group.CANARY, PhaseKind.FULL: Group.ON}


class Question(NamedTuple):
    """What is fixed for a phase: the tenants, who of them is in, how that came about, and what is slow (seconds)."""

    basis: str
    tenants: tuple[str, ...]
    cohort: tuple[str, ...]
    slow_above: float | None


class StoreJudging:
    """Judges phases by the store's own measurements."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._judges: OrderedDict[tuple[str, str], tuple[Judge, Question]] = OrderedDict()

    async def look(self, rollout: Rollout, flag: Flag, state: bytes | None, now: datetime) -> Judgement:
        """The verdict now. Raises what the store or the judge raises; the controller takes that for no look."""
        judge, question = await self._judge(rollout, flag, state)
        since = int(rollout.phase_started_at.timestamp())
        seen = await observe(
            self._store.metrics,
            flag.flag_name,
            Span(since, int(now.timestamp()) + 1),
            question.tenants,
            judged=_JUDGED.get(rollout.current_phase.kind, Group.ON),
            settings=judge.settings,
            slow_above=question.slow_above,
            fresh_seconds=rollout.fresh_seconds,
            now=now,
        )
        # Thousands of cohorts are compared: not on the loop that kills are served from.
        verdict = await asyncio.to_thread(judge.look, seen)
        kept = json.dumps({"question": question._asdict(), "judge": judge.state()}).encode()
        return Judgement(stored_verdict(rollout, verdict, now), kept)

    async def _judge(self, rollout: Rollout, flag: Flag, state: bytes | None) -> tuple[Judge, Question]:
        key = (rollout.rollout_id, rollout.phase)
        known = self._judges.get(key)
        if known is None:
            known = await self._rebuilt(rollout, flag, None if state is None else json.loads(state))
            self._judges[key] = known
            while len(self._judges) > _JUDGES_KEPT:
                self._judges.popitem(last=False)
        self._judges.move_to_end(key)
        return known

    async def _rebuilt(self, rollout: Rollout, flag: Flag, state: dict[str, Any] | None) -> tuple[Judge, Question]:
        async with self._store.read() as reader:
            drawn = await reader.cohort_in_force(flag)
            active = tuple(tenant.tenant_id for tenant in await reader.tenants() if tenant.active)
            steps = await reader.rollout_steps(rollout.rollout_id)
        shadow = _shadow_span(rollout, [(step.step, step.at) for step in steps])
        metrics = self._store.metrics
        if state is None:
            slow_above = None if shadow is None else await reference_latency(metrics, flag.flag_name, shadow)
            question = _question(rollout, flag, drawn, active, slow_above)
        else:
            asked = state["question"]
            question = Question(asked["basis"], tuple(asked["tenants"]), tuple(asked["cohort"]), asked["slow_above"])
        before = None
        if shadow is not None:
            before = await baseline(metrics, flag.flag_name, shadow, question.tenants, question.slow_above)
        assignment = _assignment(rollout, question, drawn)
        phase = rollout.current_phase

        def build() -> Judge:
            if state is None:
                return Judge(assignment, phase, baseline=before)
            return Judge.restore(state["judge"], assignment, phase, baseline=before)

        return await asyncio.to_thread(build), question


def _question(
    rollout: Rollout, flag: Flag, drawn: DrawnCohort | None, active: tuple[str, ...], slow_above: float | None
) -> Question:
    if rollout.current_phase.kind is not PhaseKind.CANARY:
        return Question("everyone", active, active, slow_above)
    chosen = flag.canary_tenant_ids
    if not chosen:
        # The hash knows nothing of tenants, so among those there are it draws like chance.
        inside = tuple(name for name in active if in_percentage(flag.flag_name, name, flag.canary_percentage))
        return Question("hash", active, inside, slow_above)
    if drawn is not None and set(drawn.selection.design.members) == set(chosen):
        return Question("drawn", drawn.selection.design.tenants, drawn.selection.design.members, slow_above)
    return Question("hand_picked", tuple(sorted({*active, *chosen})), chosen, slow_above)


def _assignment(rollout: Rollout, question: Question, drawn: DrawnCohort | None) -> Assignment:
    if question.basis == "everyone":
        return Assignment.everyone(question.tenants)
    if question.basis == "hash":
        return Assignment.drawn(question.tenants, question.cohort, seed_text=f"hash/{rollout.flag_name}")
    if question.basis == "drawn" and drawn is not None and drawn.selection.design.tenants == question.tenants:
        return Assignment.of_design(drawn.selection.design)
    return Assignment.hand_picked(question.tenants, question.cohort)


def _shadow_span(rollout: Rollout, steps: list[tuple[str, datetime]]) -> Span | None:
    """When the rollout's shadow phase ran, once it is over."""
    first = rollout.plan.phases[0]
    if first.kind is not PhaseKind.SHADOW or rollout.phase == first.name:
        return None
    entered = [(step.removeprefix("enter "), at) for step, at in steps if step.startswith("enter ")]
    began = next((at for name, at in entered if name == first.name), None)
    ended = next((at for name, at in entered if name != first.name), None)
    if began is None or ended is None:
        return None
    return Span(int(began.timestamp()), int(ended.timestamp()) + 1)


def stored_verdict(rollout: Rollout, verdict: Verdict, now: datetime) -> StoredVerdict:
    """A verdict as it is kept with its rollout."""
    return StoredVerdict(
        rollout_id=rollout.rollout_id,
        flag_name=rollout.flag_name,
        phase=rollout.phase,
        at=now,
        kind=verdict.outcome,
        urgency=verdict.urgency,
        because=verdict.reason[:1000],
        data_age_seconds=verdict.data_age_seconds if verdict.data_age_seconds != float("inf") else None,
        findings=tuple(criterion.model_dump(mode="json") for criterion in verdict.criteria),
        guards=tuple(guard.model_dump(mode="json") for guard in verdict.guards),
        notes=verdict.notes,
        cohort=verdict.cohort,
        seconds=verdict.seconds,
        operations=verdict.operations,
        tenants=verdict.tenants,
        budget=verdict.budget,
        budget_spent=verdict.budget_spent,
    )
