"""A canary that is slower is shown as slow as it is, whatever its latencies are like; one slow customer isn't the cohort."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from flagconsole.domain.judge import SHAPE_SHARES, Assignment, Baseline, Counts, Latency, Observation
from flagconsole.domain.judge.measurement import Measurement
from flagconsole.domain.judge.measures import Measures
from flagconsole.domain.judge.rulings import Rulings
from flagconsole.domain.judge.settings import JudgeSettings
from flagconsole.domain.plan import Comparison, Criterion, Phase, PhaseKind

Draw = Callable[[np.random.Generator, int], np.ndarray]
TENANTS, COHORT, EACH = 60, 20, 2000
NAMES = [f"t{number}" for number in range(TENANTS)]
ASSIGNMENT = Assignment.drawn(NAMES, NAMES[:COHORT], seed_text="s")
LIMIT = Criterion(metric="p95_regression", comparison=Comparison.ABOVE, value=0.5)
PHASE = Phase(name="canary 10", kind=PhaseKind.CANARY, percentage=10, min_hours=1, rollback=(LIMIT,))
SPREADS: dict[str, Draw] = {
    "log-normal": lambda rng, many: rng.lognormal(3.0, 0.6, many),
    "a sleep between two and eight": lambda rng, many: rng.uniform(2.0, 8.0, many),
    "with a long tail": lambda rng, many: 10 * (1 + rng.pareto(2.5, many)),
}


def look(draw: Draw, factors: np.ndarray, *, shapes: bool = True) -> tuple[Observation, Baseline]:
    """A shadow phase and then a look, in which each tenant's latencies are multiplied; customers differ by themselves."""
    rng = np.random.default_rng(7)
    own = rng.lognormal(0, 0.15, TENANTS)
    before = [own[:, None] * draw(rng, TENANTS * EACH).reshape(TENANTS, EACH) for _ in range(2)]
    now = (own * factors)[:, None] * draw(rng, TENANTS * EACH).reshape(TENANTS, EACH)
    limit = np.quantile(np.concatenate(before), 0.95)
    halves, counted = [_counts(part, limit) for part in before], _counts(now, limit)
    canary, control = (_latency(now[group], shapes) for group in (ASSIGNMENT.canary, ~ASSIGNMENT.canary))
    return Observation(3600, counted, counted, counted, canary, control), Baseline(*halves)


def _counts(latencies: np.ndarray, limit: float) -> Counts:
    slow = (latencies > limit).sum(1).astype(float)
    return Counts(np.full(TENANTS, float(EACH)), np.zeros(TENANTS), slow, np.zeros(TENANTS))


def _latency(latencies: np.ndarray, shapes: bool) -> Latency:
    shape = tuple(float(value) for value in np.quantile(latencies, SHAPE_SHARES))
    return Latency(shape[-2], shape[-1], shape if shapes else ())


def measured(seen: Observation, baseline: Baseline) -> Measurement:
    found = Measures(ASSIGNMENT, baseline).of(LIMIT, seen)
    assert found is not None
    return found


@pytest.mark.parametrize("factor", [1.1, 1.5, 2.0, 3.0, 8.0])
@pytest.mark.parametrize("spread", SPREADS)
def test_what_made_all_slower_is_shown_as_much_slower_as_it_is(spread: str, factor: float) -> None:
    factors = np.where(ASSIGNMENT.canary, factor, 1.0)
    found = measured(*look(SPREADS[spread], factors))
    assert 1 + found.value == pytest.approx(factor, rel=0.15)
    low, high = found.reach(0.001) or (0.0, 0.0)
    assert 1 + low < factor < 1 + high


@pytest.mark.parametrize("spread", SPREADS)
def test_a_limit_of_half_as_slow_again_acts_at_almost_three_times_as_slow(spread: str) -> None:
    for factor, acts in ((1.0, False), (2.8, True)):
        seen, baseline = look(SPREADS[spread], np.where(ASSIGNMENT.canary, factor, 1.0))
        rulings = Rulings(PHASE, Measures(ASSIGNMENT, baseline), JudgeSettings())
        rulings.advance(seen)
        assert [one.metric for one in rulings.fired()] == ["p95_regression"] * acts


def test_the_more_of_all_is_slow_the_surer_it_stays() -> None:
    lows = []
    for factor in (2.0, 4.0, 16.0):
        found = measured(*look(SPREADS["log-normal"], np.where(ASSIGNMENT.canary, factor, 1.0)))
        lows.append((found.reach(0.001) or (0.0, 0.0))[0])
    assert lows == sorted(lows)
    assert lows[0] > 0.2


def test_one_slow_customer_is_neither_exaggerated_nor_taken_for_the_cohort() -> None:
    factors = np.ones(TENANTS)
    factors[np.flatnonzero(ASSIGNMENT.canary)[:2]] = 10.0
    found = measured(*look(SPREADS["log-normal"], factors))
    assert found.raw_value is not None
    assert found.raw_value > 1.5
    assert found.value < found.raw_value / 2
    assert (found.reach(0.001) or (1.0, 1.0))[0] < 0.15


def test_two_quantiles_alone_are_taken_for_log_normal_latencies() -> None:
    factors = np.where(ASSIGNMENT.canary, 2.0, 1.0)
    found = measured(*look(SPREADS["log-normal"], factors, shapes=False))
    assert 1 + found.value == pytest.approx(2.0, rel=0.15)
