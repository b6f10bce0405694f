"""What the ``watch`` of a playbook asks the judge: whether those who kept the feature are well since it settled.

The kept half is compared with the tenants that never had it; those who lost it a moment ago belong to neither side. Every
look judges all that was measured since, afresh, with the intervals that hold at all looks together, so looking often proves
nothing and a restart changes nothing.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np

from flagconsole.domain.bucketing import in_percentage
from flagconsole.domain.errors import FlagConsoleError, LeaseLost
from flagconsole.domain.flag import Flag
from flagconsole.domain.group import Group
from flagconsole.domain.improvement import improvement
from flagconsole.domain.judge import Assignment, Baseline, Counts, Judge, JudgeSettings
from flagconsole.domain.plan import Phase
from flagconsole.domain.rollout import Rollout, RolloutStatus, StoredVerdict
from flagconsole.domain.states import FlagState
from flagconsole.domain.text import safe_text
from flagconsole.domain.verdict import Verdict, VerdictKind
from flagconsole.operations.fence import Fence
from flagconsole.rollout.phase_measurements import PhaseMeasurements, Subject
from flagconsole.rollout.phase_values import values_since, with_conversions
from flagconsole.rollout.shadow_baseline import restored_baseline
from flagconsole.rollout.slot import References
from flagconsole.rollout.store_judging import stored_verdict
from flagconsole.store.protocol import Store

#: A look that takes longer than this (seconds) is none.
LOOK_SECONDS: Final = 20.0
#: What is watched lasts minutes: windows are as short as in a phase of this length (seconds).
_WATCHED_SECONDS: Final = 3600.0


@dataclass
class _Watched:
    """One watch under way: who is compared, what is measured of them, and what the last look said."""

    rollout_id: str
    since: datetime
    assignment: Assignment
    phase: Phase
    settings: JudgeSettings
    baseline: Baseline | None
    measured: PhaseMeasurements
    looked_at: datetime | None = None
    said: VerdictKind = VerdictKind.NO_DATA


class ImprovementVerdicts:
    """``Verdicts`` of the judge on rollouts that are rolling back. Whatever keeps it from answering is ``no_data``, which is
    no improvement. Every look is kept among the rollout's verdicts."""

    def __init__(self, store: Store, fence: Fence) -> None:
        self._store = store
        self._fence = fence
        self._watched: dict[str, _Watched] = {}

    async def verdict(self, flag_name: str, since: datetime, now: datetime) -> VerdictKind:
        """Whether it is well since ``since``: ``pass`` where it is beyond doubt. Asked more often than the phase is looked at,
        it answers what it said. Raises ``LeaseLost`` where somebody else tends the playbooks."""
        async with self._store.read() as reader:
            rollout, flag = await reader.active_rollout(flag_name), await reader.flag(flag_name)
        if rollout is None or flag is None or rollout.status is not RolloutStatus.ROLLING_BACK:
            # Without a rollout there is no phase whose limits could be met again.
            self._watched.pop(flag_name, None)
            return VerdictKind.NO_DATA
        known = self._watched.get(flag_name)
        if known is not None and (known.rollout_id, known.since) == (rollout.rollout_id, since):
            due = known.looked_at is None
            due = due or (now - known.looked_at).total_seconds() >= known.phase.tick_seconds  # type: ignore[operator]
            if not due:
                return known.said
        stored = await self._look(rollout, flag, since, now)
        await self._keep(stored)
        watched = self._watched.get(flag_name)
        if watched is not None:
            watched.looked_at, watched.said = now, stored.kind
        return stored.kind

    async def _look(self, rollout: Rollout, flag: Flag, since: datetime, now: datetime) -> StoredVerdict:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                watched = await self._watch(rollout, flag, since)
                if watched is None:
                    return _nothing(
                        rollout, since, now, "the phase was never judged, or nobody has the feature any more"
                    )
                return await self._judged(rollout, watched, now)
        except LeaseLost:
            raise
        except TimeoutError:
            because = f"the metrics took longer than {LOOK_SECONDS:g} s"
        except (FlagConsoleError, KeyError, TypeError, ValueError) as error:
            because = f"the metrics can't be read: {safe_text(str(error) or type(error).__name__, 200)}"
        return _nothing(rollout, since, now, because)

    async def _watch(self, rollout: Rollout, flag: Flag, since: datetime) -> _Watched | None:
        known = self._watched.get(flag.flag_name)
        if known is None or (known.rollout_id, known.since) != (rollout.rollout_id, since):
            async with self._store.read() as reader:
                state = await reader.judge_state(rollout.rollout_id, rollout.phase)
            made = None if state is None else self._begin(rollout, flag, since, json.loads(state)["fixed"])
            self._watched.pop(flag.flag_name, None)
            if made is None:
                return None
            known = self._watched[flag.flag_name] = made
        return known

    def _begin(self, rollout: Rollout, flag: Flag, since: datetime, fixed: dict[str, Any]) -> _Watched | None:
        """Who is compared now, of those whom the phase's judge compared."""
        asked, tenants = fixed["question"], tuple(fixed["question"]["tenants"])
        kept, others, judged = _sides(flag, tenants, frozenset(asked["cohort"]))
        if not kept:
            return None
        names = tuple(name for name in tenants if name in kept or name in others)
        assignment = Assignment.hand_picked(names, kept) if others else Assignment.everyone(names)
        before = restored_baseline(fixed["baseline"], len(tenants))
        phase = rollout.current_phase.model_copy(update={"min_hours": 0.0})
        settings = JudgeSettings(horizon_seconds=_WATCHED_SECONDS, tick_seconds=phase.tick_seconds)
        references = References(*asked["references"])
        subject = Subject(flag.flag_name, int(since.timestamp()), names, judged, references)
        measured = PhaseMeasurements(self._store.metrics, subject, settings)
        baseline = None if before is None else _of_some(before, np.isin(np.array(tenants), np.array(names)))
        return _Watched(rollout.rollout_id, since, assignment, phase, settings, baseline, measured)

    async def _judged(self, rollout: Rollout, watched: _Watched, now: datetime) -> StoredVerdict:
        metrics, moment, measured = self._store.metrics, now.timestamp(), watched.measured
        await measured.catch_up(moment)
        canary = watched.assignment.canary
        values = await values_since(metrics, measured.subject, int(moment) + 1, measured.active(canary))
        values = with_conversions(values, measured, canary)
        newest = await metrics.newest(rollout.flag_name)
        age = float("inf") if newest is None else max(0.0, moment - newest)

        def look() -> Verdict:
            judge = Judge(watched.assignment, watched.phase, watched.settings, watched.baseline)
            return judge.look(replace(measured.observation(moment, moment, age), metrics=values))

        seen = await asyncio.to_thread(look)
        kind, because = improvement(seen, frozenset(rollout.failed_metrics))
        said = stored_verdict(rollout, seen, now)
        tenants = int(watched.assignment.canary.sum())
        return said.model_copy(
            update={
                "kind": kind,
                "urgency": said.urgency if kind is VerdictKind.FAIL else None,
                "because": f"{because[:900]} ({tenants} tenants that kept it, since {watched.since:%H:%M:%S} UTC)",
                "watched_since": watched.since,
                "notes": ("Asked during the rollback: are those who kept the feature well again?",),
            }
        )

    async def _keep(self, stored: StoredVerdict) -> None:
        async with self._store.write() as tx:
            await self._fence.check(tx)
            present = await tx.active_rollout(stored.flag_name)
            if present is None or present.rollout_id != stored.rollout_id:
                tx.discard()
                return
            # The rollout's own verdict is the controller's, on the whole phase.
            await tx.add_verdict(stored)


def _sides(
    flag: Flag, tenants: tuple[str, ...], cohort: frozenset[str]
) -> tuple[frozenset[str], frozenset[str], Group]:
    """Who has the feature still, whom they are compared with, and as which group the former are measured."""
    if flag.current_state is FlagState.SHADOW:
        return frozenset(tenants), frozenset(), Group.SHADOW
    if flag.current_state is not FlagState.CANARY:
        return frozenset(), frozenset(), Group.CANARY
    chosen = frozenset(flag.canary_tenant_ids)
    if chosen:
        kept = chosen & cohort
    else:
        kept = frozenset(name for name in cohort if in_percentage(flag.flag_name, name, flag.canary_percentage))
    never = frozenset(tenants) - cohort
    # Where everybody had it, those who lost it are the only ones left to compare with.
    return kept, never or frozenset(tenants) - kept, Group.CANARY


def _of_some(baseline: Baseline, among: np.ndarray[Any, np.dtype[np.bool_]]) -> Baseline:
    def cut(half: Counts) -> Counts:
        return Counts(**{name: column[among] for name, column in half.columns().items()})

    return Baseline(cut(baseline.first_half), cut(baseline.second_half), baseline.broken_tenants)


def _nothing(rollout: Rollout, since: datetime, now: datetime, because: str) -> StoredVerdict:
    return StoredVerdict(
        rollout_id=rollout.rollout_id,
        flag_name=rollout.flag_name,
        phase=rollout.phase,
        at=now,
        kind=VerdictKind.NO_DATA,
        because=because[:1000],
        watched_since=since,
    )
