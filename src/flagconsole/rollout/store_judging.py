"""``Judging`` on what the store measured: who was drawn, what they were like before, and how they do now.

The tenants, the cohort, the baseline and the latencies that count as slow are fixed at a phase's first look and kept with the
judge's state, so that a restart, or a tenant who joins meanwhile, changes nothing about the question that is asked.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from flagconsole.domain.bucketing import in_percentage
from flagconsole.domain.flag import Flag
from flagconsole.domain.judge import Assignment, Baseline, Judge, JudgeSettings, MetricValue
from flagconsole.domain.plan import PhaseKind
from flagconsole.domain.rollout import Rollout, StoredVerdict
from flagconsole.domain.verdict import Verdict
from flagconsole.rollout.judging import GroupValues, Judgement, NothingToJudge
from flagconsole.rollout.phase_measurements import PhaseMeasurements, Subject
from flagconsole.rollout.phase_values import phase_values, with_conversions
from flagconsole.rollout.shadow_baseline import ShadowBaseline, Span, kept_baseline, references_of, restored_baseline
from flagconsole.rollout.slot import References
from flagconsole.store.cohort_protocol import DrawnCohort
from flagconsole.store.protocol import Store

#: Phases under way that are kept between two looks; beginning with one draws its alternative cohorts anew.
_WATCHED: Final = 16


class Question(NamedTuple):
    """What is fixed for a phase: the tenants, who of them is in, how that came about, and which latencies are slow."""

    basis: str
    tenants: tuple[str, ...]
    cohort: tuple[str, ...]
    references: References


@dataclass
class _Watched:
    """A phase under way. ``kept`` is the state that the last look gave; ``fixed`` the part of it that never changes."""

    question: Question
    assignment: Assignment
    settings: JudgeSettings
    measured: PhaseMeasurements
    shadow: ShadowBaseline | None
    judge: Judge | None = None
    fixed: str = ""
    kept: bytes | None = None


class StoreJudging:
    """Judges phases by the store's own measurements. ``values`` brings metrics that others measured, group by group; where it
    has one that the store has too, its own is the one that counts."""

    def __init__(self, store: Store, values: GroupValues | None = None) -> None:
        self._store = store
        self._values = values
        self._watched: OrderedDict[tuple[str, str], _Watched] = OrderedDict()

    async def look(self, rollout: Rollout, flag: Flag, state: bytes | None, now: datetime) -> Judgement:
        """The verdict now. Raises what the store or the judge raises; the controller takes that for no look. A look that
        is cut short leaves what it has read to the next one."""
        watched = await self._watch(rollout, flag, state)
        judge = watched.judge
        if judge is None:
            judge = await self._begin(rollout, watched)
        moment = now.timestamp()
        await watched.measured.catch_up(moment)
        values = await self._of_groups(rollout, watched, now)
        newest = await self._store.metrics.newest(rollout.flag_name)
        age = float("inf") if newest is None else max(0.0, moment - newest)

        def judged() -> tuple[Verdict, bytes]:
            seen = watched.measured.observation(moment, rollout.fresh_with(now), age)
            verdict = judge.look(replace(seen, metrics=values))
            changing = json.dumps({"judge": judge.state(), "measured": watched.measured.state()})
            return verdict, f'{{"fixed": {watched.fixed}, "changing": {changing}}}'.encode()

        # Thousands of cohorts are compared: not on the loop that kills are served from.
        verdict, watched.kept = await asyncio.to_thread(judged)
        return Judgement(stored_verdict(rollout, verdict, now), watched.kept)

    async def _of_groups(self, rollout: Rollout, watched: _Watched, now: datetime) -> Mapping[str, MetricValue]:
        measured, canary = watched.measured, watched.assignment.canary
        found = await phase_values(self._store.metrics, measured.subject, measured.active(canary))
        found = with_conversions(found, measured, canary)
        if self._values is None:
            return found
        return {**found, **await self._values.values(rollout, now)}

    async def _watch(self, rollout: Rollout, flag: Flag, state: bytes | None) -> _Watched:
        """The phase as the last look left it. Where the store holds another state than that look gave (another server went
        on meanwhile, or this look was thrown away) the store is right."""
        key = (rollout.rollout_id, rollout.phase)
        watched = self._watched.get(key)
        if watched is None or watched.kept != state:
            kept = None if state is None else json.loads(state)
            watched = self._watched[key] = await self._rebuilt(rollout, flag, kept)
            watched.kept = state
            while len(self._watched) > _WATCHED:
                self._watched.popitem(last=False)
        self._watched.move_to_end(key)
        return watched

    async def _rebuilt(self, rollout: Rollout, flag: Flag, state: dict[str, Any] | None) -> _Watched:
        async with self._store.read() as reader:
            if state is None:
                drawn = await reader.cohort_in_force(flag)
            else:
                # Not the flag's present cohort, of which a rollback keeps half: the one that the phase began with.
                drawn = await reader.cohort_with(flag.flag_name, state["fixed"]["question"]["cohort"])
            active = tuple(tenant.tenant_id for tenant in await reader.tenants() if tenant.active)
            steps = await reader.rollout_steps(rollout.rollout_id)
        metrics, phase = self._store.metrics, rollout.current_phase
        settings = JudgeSettings.for_phase(phase)
        span = _shadow_span(rollout, [(step.step, step.at) for step in steps]) if state is None else None
        if state is None:
            references = References() if span is None else await references_of(metrics, flag.flag_name, span)
            question = _question(rollout, flag, drawn, active, references)
            if not question.tenants:
                raise NothingToJudge("no active tenants are known, so there is nobody to compare: import them first")
        else:
            question = kept_question(state["fixed"]["question"])
        shadow = None
        if span is not None:
            window = settings.half_hour_seconds
            shadow = ShadowBaseline(metrics, flag.flag_name, span, question.tenants, question.references, window)
        since = int(rollout.phase_started_at.timestamp())
        subject = Subject(flag.flag_name, since, question.tenants, phase.kind.judged, question.references)
        measured = PhaseMeasurements(metrics, subject, settings)
        watched = _Watched(question, assignment_of(rollout.flag_name, question, drawn), settings, measured, shadow)
        if state is not None:
            measured.restore(state["changing"]["measured"])
            before = restored_baseline(state["fixed"]["baseline"], len(question.tenants))
            await self._build(rollout, watched, before, state["changing"]["judge"])
        return watched

    async def _begin(self, rollout: Rollout, watched: _Watched) -> Judge:
        """Read what was before, and build the judge."""
        before = None if watched.shadow is None else await watched.shadow.read()
        return await self._build(rollout, watched, before, None)

    async def _build(
        self, rollout: Rollout, watched: _Watched, before: Baseline | None, state: dict[str, Any] | None
    ) -> Judge:
        phase, question = rollout.current_phase, watched.question
        fixed = {"question": question._asdict(), "baseline": kept_baseline(before)}

        def build() -> Judge:
            if state is None:
                return Judge(watched.assignment, phase, watched.settings, before)
            return Judge.restore(state, watched.assignment, phase, watched.settings, before)

        watched.judge = await asyncio.to_thread(build)
        watched.fixed, watched.shadow = json.dumps(fixed), None
        return watched.judge


def kept_question(kept: dict[str, Any]) -> Question:
    """The question that a judge's state was kept with."""
    return Question(kept["basis"], tuple(kept["tenants"]), tuple(kept["cohort"]), References(*kept["references"]))


def _question(
    rollout: Rollout, flag: Flag, drawn: DrawnCohort | None, active: tuple[str, ...], references: References
) -> Question:
    if rollout.current_phase.kind is not PhaseKind.CANARY:
        return Question("everyone", active, active, references)
    chosen = flag.canary_tenant_ids
    if not chosen:
        # The hash knows nothing of tenants, so among those there are it draws like chance.
        inside = tuple(name for name in active if in_percentage(flag.flag_name, name, flag.canary_percentage))
        return Question("hash", active, inside, references)
    if drawn is not None and set(drawn.selection.design.members) == set(chosen):
        return Question("drawn", drawn.selection.design.tenants, drawn.selection.design.members, references)
    return Question("hand_picked", tuple(sorted({*active, *chosen})), chosen, references)


def assignment_of(flag_name: str, question: Question, drawn: DrawnCohort | None) -> Assignment:
    """Who is compared with whom; by hand where the draw that gave the cohort isn't at hand."""
    if question.basis == "everyone":
        return Assignment.everyone(question.tenants)
    if question.basis == "hash":
        return Assignment.drawn(question.tenants, question.cohort, seed_text=f"hash/{flag_name}")
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
        cohort_size=verdict.cohort_size,
        by_chance=verdict.by_chance,
        seconds=verdict.seconds,
        operations=verdict.operations,
        tenants=verdict.tenants,
        budget=verdict.budget,
        budget_spent=verdict.budget_spent,
    )
