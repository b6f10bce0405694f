"""Baselines and scores: each tenant against itself, without what all of them share."""

from __future__ import annotations

import numpy as np
import pytest

from flagconsole.domain.judge import Baseline, Counts
from flagconsole.domain.judge.baseline import Rate
from flagconsole.domain.judge.score import critical_surplus, surplus

ALL = np.ones(4, np.bool_)
OPERATIONS = np.array([10_000.0, 10_000.0, 100.0, 1000.0])
RATES = np.array([0.002, 0.02, 0.01, 0.01])


def test_what_hits_everybody_scores_nobody() -> None:
    rate = Rate(RATES, 0.01, 0.1)
    usual = surplus(OPERATIONS * RATES, OPERATIONS, rate, ALL)
    tenfold = surplus(OPERATIONS * RATES * 10, OPERATIONS, rate, ALL)
    np.testing.assert_allclose(usual, 0, atol=1e-12)
    np.testing.assert_allclose(tenfold, 0, atol=1e-12)


def test_a_tenant_worse_than_it_used_to_be_scores_more_the_more_it_shows() -> None:
    rate = Rate(np.full(4, 0.01), 0.01, 0.1)
    observed = OPERATIONS * 0.01
    observed[0] *= 3
    observed[2] *= 3
    scores = surplus(observed, OPERATIONS, rate, ALL)
    assert scores[0] > scores[2] > scores[1]
    assert scores[0] > 0.3


def test_tenants_outside_the_draw_score_nothing_and_change_nothing() -> None:
    rate = Rate(RATES, 0.01, 0.1)
    among = np.array([True, True, True, False])
    observed = OPERATIONS * RATES
    alone = surplus(observed, OPERATIONS, rate, among)
    observed[3] = 1e6
    np.testing.assert_array_equal(surplus(observed, OPERATIONS, rate, among), alone)
    assert alone[3] == 0


def test_critical_errors_weigh_more_in_a_tenant_that_does_little() -> None:
    scores = critical_surplus(np.array([1.0, 0.0, 1.0, 0.0]), OPERATIONS, ALL)
    assert scores[2] > scores[0] > 0 > scores[3] > scores[1]
    assert not critical_surplus(np.zeros(4), OPERATIONS, ALL).any()


def fleet(rates: np.ndarray, seed: int, seconds: float = 1.0) -> Counts:
    rng = np.random.default_rng(seed)
    operations = np.full(rates.size, 2000.0 * seconds)
    zeros = np.zeros(rates.size)
    return Counts(operations, rng.binomial(operations.astype(int), rates).astype(float), zeros, zeros)


def test_tenants_that_do_not_drift_are_told_from_those_that_do() -> None:
    rng = np.random.default_rng(1)
    own = np.minimum(0.02 * rng.lognormal(0, 0.5, 300), 0.5)
    steady = Baseline(fleet(own, 2), fleet(own, 3)).rate("errors")
    moved = Baseline(fleet(own, 2), fleet(np.minimum(own * rng.lognormal(0, 0.7, 300), 0.5), 3)).rate("errors")
    assert steady is not None
    assert moved is not None
    assert steady.drift < 0.08 < 0.25 < moved.drift


def test_a_tenants_rate_is_shrunk_to_the_populations_where_it_has_little_data() -> None:
    operations = np.array([*[10_000.0] * 50, 5.0, 0.0])
    rates = np.array([*np.linspace(0.005, 0.015, 50), 0.0, 0.0])
    half = Counts(operations, operations * rates, np.zeros(52), np.zeros(52))
    rate = Baseline(half, half).rate("errors")
    assert rate is not None
    assert rate.population == pytest.approx(0.01, rel=0.01)
    assert rate.expected[0] == pytest.approx(0.005, rel=0.15)
    assert rate.expected[49] == pytest.approx(0.015, rel=0.15)
    assert rate.expected[50] == pytest.approx(0.01, rel=0.1)
    assert rate.expected[51] == pytest.approx(0.01, rel=0.1)


def test_a_baseline_without_operations_gives_no_rate() -> None:
    nothing = Counts(*(np.zeros(3) for _ in range(4)))
    assert Baseline(nothing, nothing).rate("errors") is None
    assert Baseline(nothing, nothing).rate("slower") is None
