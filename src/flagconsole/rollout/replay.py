"""Judging a rollout's past again by another plan: what would have been said and done, as far as what is kept can tell.

Each phase that really ran is judged by the phase of the other plan that bears its name, or its kind and percentage, on what the store
still has of it: with the tenants, the cohort and the baseline that were fixed at its first look. Nothing is made up: what was
deleted, or is only kept by the hour, is not judged, and what would have happened after another decision is not told.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime
from typing import Any, Final, NamedTuple

from flagconsole.domain.plan import Phase, PhaseKind, Plan
from flagconsole.domain.replay import Looks, PhaseReplay, Replay, RollbackMade
from flagconsole.domain.rollout import Rollout, RolloutStep
from flagconsole.domain.rollout_requests import ReplayAsk
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations.stored_plans import known_plan
from flagconsole.rollout.judging import GroupValues
from flagconsole.rollout.phase_judged_again import PhaseJudgedAgain
from flagconsole.rollout.store_judging import Question, kept_question
from flagconsole.store.protocol import Reader, Store

#: How long a replay may take, seconds.
LIMIT_SECONDS: Final = 25.0


class _Ran(NamedTuple):
    """A phase that really ran, in whole seconds since the epoch."""

    phase: Phase
    since: datetime
    until: datetime
    promoted_at: datetime | None


class _Found(NamedTuple):
    """What the store knows of a phase's judgement."""

    really: Looks
    question: Question | None
    baseline: dict[str, Any] | None


async def replay_asked(store: Store, rollout: Rollout, asked: ReplayAsk, values: GroupValues | None = None) -> Replay:
    """The replay of a rollout that is asked for. Raises ``InvalidInput`` for a plan that isn't known."""
    plan = asked.plan or rollout.plan
    if asked.plan_name is not None:
        async with store.read() as reader:
            plan = await known_plan(reader, asked.plan_name, rollout.flag_name)
    return await replay(store, rollout, plan, values)


async def replay(
    store: Store,
    rollout: Rollout,
    plan: Plan,
    values: GroupValues | None = None,
    *,
    limit_seconds: float = LIMIT_SECONDS,
) -> Replay:
    """The rollout's phases judged by ``plan``. ``values`` brings what others measured then. Raises what the store raises."""
    began = time.monotonic()
    deadline = began + limit_seconds
    async with store.read() as reader:
        now = await reader.now()
        steps = await reader.rollout_steps(rollout.rollout_id)
        found = [(ran, await _found(reader, rollout, ran)) for ran in _phases_that_ran(rollout, steps, now)]
    phases, complete = [], True
    for ran, known in found:
        told = _told(ran, known, steps)
        phase, unjudged = _counterpart(plan, ran, known)
        if phase is None:
            phases.append(told.model_copy(update={"unjudged": unjudged}))
            continue
        assert known.question is not None
        work = PhaseJudgedAgain(store, rollout, plan, phase, ran.since, ran.until, known.question, values)
        if time.monotonic() >= deadline:
            complete = False
            phases.append(told.model_copy(update={"judged_as": phase.name, "unjudged": "the time for it was over"}))
            continue
        judged, done = await work.judged(told, known.baseline, deadline)
        phases.append(judged)
        complete = complete and done
    return Replay(
        flag_name=rollout.flag_name,
        rollout_id=rollout.rollout_id,
        plan_name=rollout.plan.name,
        replayed_with=plan.name,
        started_at=rollout.started_at,
        ended_at=rollout.ended_at,
        status=rollout.status,
        end_reason=rollout.end_reason,
        phases=tuple(phases),
        complete=complete,
        seconds_taken=round(time.monotonic() - began, 2),
    )


def _phases_that_ran(rollout: Rollout, steps: list[RolloutStep], now: datetime) -> list[_Ran]:
    entered = [(step.step.removeprefix("enter "), step.at) for step in steps if step.step.startswith("enter ")]
    ended = next((step.at for step in steps if step.step == "end" or step.step.startswith("roll back ")), now)
    ran = []
    for place, (name, since) in enumerate(entered):
        last = place + 1 == len(entered)
        until = ended if last else entered[place + 1][1]
        phase = rollout.plan.phase(name)
        if phase.kind is not PhaseKind.CLEANUP:
            ran.append(_Ran(phase, since, until, None if last else until))
    return ran


async def _found(reader: Reader, rollout: Rollout, ran: _Ran) -> _Found:
    # The look that made the rollout enter a phase bears the time of its beginning, but is of the one before.
    kinds = await reader.verdicts_by_kind(rollout.rollout_id, ran.since, ran.until)
    failed = next((item.first for item in kinds if item.first.kind is VerdictKind.FAIL), None)
    really = Looks(
        counts={item.first.kind: item.looks for item in kinds},
        first={item.first.kind: item.first.at for item in kinds},
        first_fail_because="" if failed is None else failed.because,
    )
    state = await reader.judge_state(rollout.rollout_id, ran.phase.name)
    if state is None:
        return _Found(really, None, None)
    fixed = (await asyncio.to_thread(json.loads, state)).get("fixed")
    if fixed is None:
        return _Found(really, None, None)
    return _Found(really, kept_question(fixed["question"]), fixed["baseline"])


def _told(ran: _Ran, known: _Found, steps: list[RolloutStep]) -> PhaseReplay:
    rolled_back = next((step for step in steps if step.step == f"roll back {ran.phase.name}"), None)
    made = None
    if rolled_back is not None:
        playbook, _, because = rolled_back.note.partition(": ")
        made = RollbackMade(at=rolled_back.at, playbook=playbook, because=because)
    return PhaseReplay(
        phase=ran.phase.name,
        since=ran.since,
        until=ran.until,
        really=known.really,
        promoted_at=ran.promoted_at,
        rolled_back=made,
    )


def _counterpart(plan: Plan, ran: _Ran, known: _Found) -> tuple[Phase | None, str]:
    """The phase of the other plan that this one's data is judged by, or why there is none."""
    if known.question is None:
        return None, "the judge never looked at it, so whom it would have compared isn't known"
    alike = [
        phase for phase in plan.phases if phase.kind is ran.phase.kind and phase.percentage == ran.phase.percentage
    ]
    named = [phase for phase in alike if phase.name == ran.phase.name]
    if not alike:
        return None, f"the plan {plan.name} has no {ran.phase.kind.value} phase of {ran.phase.percentage} %"
    return (named or alike)[0], ""
