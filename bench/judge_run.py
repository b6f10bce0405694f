"""The project's own judge on a simulated trial, shown what a controller would show it, look by look."""

from __future__ import annotations

import numpy as np

from bench.judge_world import LOOK_SECONDS, Trial, World
from flagconsole.domain.judge import (
    SHAPE_SHARES,
    Assignment,
    Baseline,
    Counts,
    Judge,
    JudgeSettings,
    Latency,
    Observation,
)
from flagconsole.domain.metric import ERROR_RATE, P95_REGRESSION, SUCCESS_RATE
from flagconsole.domain.plan import Phase
from flagconsole.operations.plan_file import shipped_plan

HOUR = 3600 // LOOK_SECONDS
HALF_HOUR = HOUR // 2
FIRST_LOOKS = 4 * HOUR
_STATISTICAL = {ERROR_RATE, SUCCESS_RATE, P95_REGRESSION}


def judged_phase(percentage: int = 10) -> Phase:
    """The default plan's canary without what is policy (critical errors) or isn't simulated (CSAT, tickets)."""
    phase = shipped_plan("default").plan.phase("canary 10")
    return phase.model_copy(
        update={
            "percentage": percentage,
            "success": tuple(limit for limit in phase.success if limit.metric in _STATISTICAL),
            "rollback": tuple(limit for limit in phase.rollback if limit.metric in _STATISTICAL),
        }
    )


class Shown:
    """A trial as running totals, from which each look's observation is cut."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self._names = ["operations", "errors", "slow", "criticals", "slower"]
        self._ready = 0
        self._extend(min(FIRST_LOOKS, trial.world.setting.looks))

    def _extend(self, looks: int) -> None:
        """Add up the first ``looks`` looks. Most bad canaries are found early, so few are added up to the end."""
        trial, self._ready = self.trial, looks
        self._totals = {name: np.cumsum(getattr(trial, name)[:looks], axis=0, dtype=np.float64) for name in self._names}
        self._own, self._other = trial.own.quantiles(looks).tolist(), trial.other.quantiles(looks).tolist()
        self._recent_own = trial.own.quantiles(looks, HOUR).tolist()
        self._recent_other = trial.other.quantiles(looks, HOUR).tolist()

    def counts(self, look: int, looks: int | None = None) -> Counts:
        """The counts up to ``look``, of the last ``looks`` looks only when given."""
        begin = -1 if looks is None else look - looks
        if begin < 0:
            return Counts(**{name: total[look] for name, total in self._totals.items()})
        return Counts(**{name: total[look] - total[begin] for name, total in self._totals.items()})

    def observation(self, look: int) -> Observation:
        """What the controller shows at ``look``."""
        if look >= self._ready:
            self._extend(self.trial.world.setting.looks)
        return Observation(
            seconds=(look + 1) * LOOK_SECONDS,
            whole_phase=self.counts(look),
            last_hour=self.counts(look, HOUR),
            last_half_hour=self.counts(look, HALF_HOUR),
            canary_latency=_latency(self._own[look]),
            control_latency=_latency(self._other[look]),
            recent_canary_latency=_latency(self._recent_own[look]),
            recent_control_latency=_latency(self._recent_other[look]),
        )


def _latency(shape: list[float]) -> Latency:
    p95, p99 = (shape[SHAPE_SHARES.index(share)] for share in (0.95, 0.99))
    return Latency(p95, p99, tuple(shape))


def baseline_of(world: World) -> Baseline:
    """The shadow phase's counts."""
    halves = []
    for half in world.halves:
        zeros = np.zeros_like(half["operations"])
        halves.append(Counts(half["operations"], half["errors"], half["slow"], zeros, half["slower"]))
    first, second = halves
    return Baseline(first, second, world.broken_tenants)


def judge_of(world: World) -> Judge:
    """A judge for this world's canary."""
    names = [f"tenant-{number:04d}" for number in range(world.setting.tenants)]
    cohort = [name for name, inside in zip(names, world.canary, strict=True) if inside]
    assignment = Assignment.drawn(names, cohort, seed_text=f"bench/{world.seed}")
    settings = JudgeSettings(horizon_seconds=world.setting.hours * 3600.0)
    phase = judged_phase(max(1, round(world.setting.share * 100)))
    return Judge(assignment, phase, settings, baseline_of(world))


def first_failure(trial: Trial) -> tuple[int, str]:
    """The look at which the judge rolls back (-1: never), and which test found it."""
    judge = judge_of(trial.world)
    shown = Shown(trial)
    for look in range(trial.world.setting.looks):
        if judge.advance(shown.observation(look)):
            return look, judge.fired()[0].test
    return -1, ""
