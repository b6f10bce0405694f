"""How long one look takes, verdict and state included, for fleets of different size."""

from __future__ import annotations

import json
import statistics
import time

import numpy as np

from bench.judge_run import judged_phase
from bench.judge_world import LOOK_SECONDS
from flagconsole.domain.judge import Assignment, Baseline, Counts, Judge, Latency, Observation

LOOKS = 24


def tick_times(sizes: tuple[int, ...]) -> list[dict[str, float]]:
    """For each size: the setup, the median look, and the worst, which spends ranks. Milliseconds of CPU time."""
    return [_ticks(size) for size in sizes]


def _ticks(size: int) -> dict[str, float]:
    rng = np.random.default_rng([5, size])
    names = [f"tenant-{number:05d}" for number in range(size)]
    strata = [number % 12 for number in range(size)]
    cohort = [names[number] for number in rng.choice(size, size // 10, replace=False)]
    assignment = Assignment.drawn(names, cohort, strata=strata, seed_text=f"tick/{size}")
    weight = rng.lognormal(0, 1.2, size)
    weight /= weight.mean()

    def counts(seconds: float) -> Counts:
        operations = rng.poisson(0.05 * seconds * weight)
        errors, slow = rng.binomial(operations, 0.003), rng.binomial(operations, 0.05)
        criticals = rng.binomial(operations, 1e-5)
        return Counts(*(values.astype(float) for values in (operations, errors, slow, criticals)))

    baseline = Baseline(counts(43_200), counts(43_200))
    begin = time.process_time()
    judge = Judge(assignment, judged_phase(), baseline=baseline)
    setup = time.process_time() - begin
    total, spent = counts(0.0), []
    for look in range(1, LOOKS + 1):
        new = counts(LOOK_SECONDS)
        total = Counts(*(a + b for a, b in zip(total.columns().values(), new.columns().values(), strict=True)))
        seen = Observation(look * LOOK_SECONDS, total, total, total, Latency(700, 1200), Latency(700, 1200))
        begin = time.process_time()
        judge.look(seen)
        state = json.dumps(judge.state())
        spent.append(time.process_time() - begin)
    return {
        "tenants": size,
        "setup_ms": setup * 1000,
        "median_ms": statistics.median(spent) * 1000,
        "worst_ms": max(spent) * 1000,
        "state_bytes": len(state),
    }
