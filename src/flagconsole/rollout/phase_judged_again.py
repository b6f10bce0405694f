"""Judging one phase that is over once more, by another phase's limits, on what the store still has of it."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge import Judge, JudgeSettings, MetricValue
from flagconsole.domain.plan import Phase, Plan
from flagconsole.domain.replay import Looks, PhaseReplay
from flagconsole.domain.retention import COARSE_SECONDS, MIDDLE_SECONDS
from flagconsole.domain.rollout import Rollout, RolloutStatus
from flagconsole.domain.telemetry import BUCKET_SECONDS
from flagconsole.domain.verdict import VerdictKind
from flagconsole.rollout.judging import GroupValues
from flagconsole.rollout.phase_measurements import PhaseMeasurements, Subject
from flagconsole.rollout.phase_values import values_since, with_conversions
from flagconsole.rollout.replay_story import Story
from flagconsole.rollout.shadow_baseline import restored_baseline
from flagconsole.rollout.store_judging import Question, assignment_of
from flagconsole.store.protocol import Store

#: No more looks at one phase than this: a phase of two days is then looked at every five minutes.
MOST_LOOKS: Final = 600
_LONGEST_LOOK: Final = 3600
_DRAWS: Final = 20
#: A phase that was shorter than so many of the steps it is kept in says too little of when.
_STEPS_NEEDED: Final = 2


class PhaseJudgedAgain:
    """Judges one phase again."""

    def __init__(
        self,
        store: Store,
        rollout: Rollout,
        plan: Plan,
        phase: Phase,
        since: datetime,
        until: datetime,
        question: Question,
        values: GroupValues | None,
    ) -> None:
        self._store = store
        self._rollout = rollout
        self._plan = plan
        self._phase = phase
        self._began = since
        self._question = question
        self._values = values
        self._since, self._until = int(since.timestamp()), int(until.timestamp())

    async def judged(
        self, told: PhaseReplay, baseline: dict[str, Any] | None, deadline: float
    ) -> tuple[PhaseReplay, bool]:
        """The phase with what would have been said of it, and whether all of it was judged in time."""
        told = told.model_copy(update={"judged_as": self._phase.name})
        metrics, flag = self._store.metrics, self._rollout.flag_name
        widest = await metrics.widest(flag, self._since, self._until)
        ends = await self._ends(widest)
        if not ends:
            # A short phase may lie within a bucket that began before it.
            widest = await metrics.widest(flag, self._since - COARSE_SECONDS, self._until)
        unjudged = self._gone(told.really, ends, widest)
        if unjudged:
            return told.model_copy(update={"unjudged": unjudged}), True
        step = self._step(widest)
        settings = JudgeSettings.for_phase(self._phase, step)
        before = restored_baseline(baseline, len(self._question.tenants))
        async with self._store.read() as reader:
            draws = await reader.cohorts(flag, _DRAWS)
        members = self._question.cohort
        drawn = next((one for one in draws if one.selection.design.members == members), None)
        assignment = assignment_of(flag, self._question, drawn)
        judge = await asyncio.to_thread(Judge, assignment, self._phase, settings, before)
        story = Story(self._imagined(step), self._plan.auto_promote)
        subject = Subject(flag, self._since, self._question.tenants, self._phase.kind.judged, self._question.references)
        measured = PhaseMeasurements(metrics, subject, settings)
        complete = True
        for moment in range(self._since // step * step + step, self._until + 1, step):
            if time.monotonic() >= deadline:
                complete = False
                break
            # A second before: a bucket that begins now is of the future.
            at = moment - 1
            await measured.catch_up(at)
            now = datetime.fromtimestamp(moment, UTC)
            group_values = await self._group_values(measured, assignment.canary, moment, story.rollout, now)
            known = bisect_right(ends, moment)
            age = float(moment - ends[known - 1]) if known else float("inf")
            seen = measured.observation(at, story.rollout.fresh_with(now), age)
            verdict = await asyncio.to_thread(judge.look, replace(seen, metrics=group_values))
            if story.take(verdict, now):
                break
        return story.told(told, step, self._notes(step, widest, complete, story)), complete

    async def _ends(self, width: int) -> list[int]:
        """When each bucket of the phase ended."""
        series = await self._store.metrics.group_series(self._rollout.flag_name, self._since, self._until, width)
        return sorted({bucket.start + width for bucket in series})

    def _gone(self, really: Looks, ends: list[int], widest: int) -> str:
        """Why it can't be judged any more; empty where it can."""
        measured = [at for kind, at in really.first.items() if kind is not VerdictKind.NO_DATA]
        if not measured and not ends:
            return "nothing was measured in it"
        seconds = self._until - self._since
        if widest > MIDDLE_SECONDS or (widest > BUCKET_SECONDS and seconds < _STEPS_NEEDED * widest):
            return f"it ran for {seconds / 60:.0f} min, and is only kept in steps of {widest // 60} min: too coarse"
        if not ends:
            return "what was measured of it has been deleted"
        # A bucket that began before the phase isn't read, so the first one that is may begin one later.
        oldest = ends[0] - 2 * widest
        if measured and min(measured).timestamp() < oldest:
            return f"what was measured before {datetime.fromtimestamp(oldest, UTC):%Y-%m-%d %H:%MZ} has been deleted"
        return ""

    def _step(self, widest: int) -> int:
        """Seconds between two looks: the plan's, unless the data is coarser or there would be too many."""
        tick = max(self._phase.tick_seconds, widest)
        many = -(-(self._until - self._since) // MOST_LOOKS)
        return min(-(-max(tick, many) // tick) * tick, _LONGEST_LOOK)

    def _imagined(self, step: int) -> Rollout:
        """The rollout as it would have been at the beginning of this phase under the other plan."""
        phases = tuple(
            phase.model_copy(update={"look_seconds": step}) if phase.name == self._phase.name else phase
            for phase in self._plan.phases
        )
        imagined = self._plan.model_copy(update={"phases": phases})
        begun = self._rollout.model_copy(
            update={
                "plan": imagined,
                "status": RolloutStatus.RUNNING,
                "progression_paused": False,
                "exposure_frozen": False,
                "pause_reason": "",
                "ended_at": None,
            }
        )
        return Rollout.model_validate(dict(begun)).entered(self._phase, begun.expected_version, self._began)

    async def _group_values(
        self, measured: PhaseMeasurements, canary: NDArray[np.bool_], until: int, rollout: Rollout, now: datetime
    ) -> Mapping[str, MetricValue]:
        active = measured.active(canary)
        # Which tenant said what is only kept for the whole phase: of a part of it the groups' sums are known.
        found = await values_since(self._store.metrics, measured.subject, until, active)
        found = with_conversions(found, measured, canary)
        if self._values is None:
            return found
        return {**found, **await self._values.values(rollout, now)}

    def _notes(self, step: int, widest: int, complete: bool, story: Story) -> tuple[str, ...]:
        notes = []
        if step > self._phase.tick_seconds:
            notes.append(f"looked at every {step} s instead of every {self._phase.tick_seconds} s")
        if widest > BUCKET_SECONDS:
            notes.append(f"its measurements are kept in steps of {widest} s: times are right to that")
        if not complete:
            notes.append(f"the time for it was over after {story.looks} looks: what came later isn't judged")
        if self._plan.metrics and self._values is None:
            notes.append("what Prometheus measured isn't known here")
        return tuple(notes)
