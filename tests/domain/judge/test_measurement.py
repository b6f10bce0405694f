"""What a verdict shows of a metric: value, control, interval, and whose doing it is."""

from __future__ import annotations

import numpy as np
import pytest

from flagconsole.domain.judge import Assignment, Baseline, Counts, GroupValue, Latency, MetricValue, Observation
from flagconsole.domain.judge.interval import sequence_factor
from flagconsole.domain.judge.measurement import Measures, given
from flagconsole.domain.plan import Comparison, Criterion

NAMES = [f"t{number}" for number in range(20)]
ASSIGNMENT = Assignment.drawn(NAMES, NAMES[:8], seed_text="s")
REGRESSION = Criterion(metric="p95_regression", comparison=Comparison.ABOVE, value=0.15)
ERRORS = Criterion(metric="error_rate", comparison=Comparison.ABOVE, value=0.02)
SUCCESS = Criterion(metric="success_rate", comparison=Comparison.BELOW, value=0.95)


def counts(slow_canary: float = 0.05, errors: float = 0.01) -> Counts:
    operations = np.full(20, 1000.0)
    slow = operations * np.where(ASSIGNMENT.canary, slow_canary, 0.05)
    return Counts(operations, operations * errors, slow, np.zeros(20))


def seen(now: Counts, canary_p95: float = 700.0) -> Observation:
    return Observation(3600, now, now, now, Latency(canary_p95, canary_p95 * 1.5), Latency(700.0, 1050.0), incidents=3)


def test_slower_customers_in_the_cohort_are_not_held_against_the_rollout() -> None:
    slower_before = Baseline(counts(slow_canary=0.10), counts(slow_canary=0.10))
    now = seen(counts(slow_canary=0.10), canary_p95=840.0)
    measured = Measures(ASSIGNMENT, slower_before).of(REGRESSION, now)
    plain = Measures(ASSIGNMENT, None).of(REGRESSION, now)
    assert measured is not None
    assert plain is not None
    assert plain.value == pytest.approx(0.20)
    assert measured.raw_value == pytest.approx(0.20)
    assert measured.value == pytest.approx(0.01, abs=0.015)


def test_a_regression_that_was_not_there_before_is_shown_as_it_is() -> None:
    before = Baseline(counts(), counts())
    measured = Measures(ASSIGNMENT, before).of(REGRESSION, seen(counts(slow_canary=0.10), canary_p95=840.0))
    assert measured is not None
    assert measured.value == pytest.approx(0.20)
    assert measured.control_value == 700.0
    reach = measured.reach(3.0)
    assert reach is not None
    assert -1 < reach[0] < measured.value < reach[1]


def test_a_handful_of_slow_operations_makes_no_interval() -> None:
    few = Counts(np.full(20, 60.0), np.zeros(20), np.full(20, 5.0), np.zeros(20))
    measured = Measures(ASSIGNMENT, None).of(REGRESSION, seen(few, canary_p95=1400.0))
    assert measured is not None
    assert measured.value == pytest.approx(1.0)
    assert measured.reach(4.0) is None


def test_success_and_errors_are_one_figure_from_two_sides() -> None:
    measures = Measures(ASSIGNMENT, None)
    failed, succeeded = measures.of(ERRORS, seen(counts())), measures.of(SUCCESS, seen(counts()))
    assert failed is not None
    assert succeeded is not None
    assert failed.value == pytest.approx(0.01)
    assert succeeded.value == pytest.approx(0.99)
    assert (failed.operations, failed.tenants) == (8000, 8)
    low, high = failed.reach(3.0) or (0.0, 0.0)
    assert succeeded.reach(3.0) == pytest.approx((1 - high, 1 - low))


def test_no_errors_at_all_are_not_taken_for_certain() -> None:
    measured = Measures(ASSIGNMENT, None).of(ERRORS, seen(counts(errors=0.0)))
    assert measured is not None
    reach = measured.reach(sequence_factor(0.05))
    assert reach is not None
    assert reach[0] == 0.0
    assert 0 < reach[1] < 0.001


def test_a_silent_cohort_has_no_rate() -> None:
    nothing = Counts(*(np.zeros(20) for _ in range(4)))
    assert Measures(ASSIGNMENT, None).of(ERRORS, seen(nothing)) is None


def test_the_top_tenants_are_those_beyond_their_own_baselines() -> None:
    usual = np.full(20, 10.0)
    usual[2] = 200.0
    before = Counts(np.full(20, 1000.0), usual, np.zeros(20), np.zeros(20))
    errors = usual.copy()
    errors[5] += 50
    errors[1] += 20
    errors[15] += 500  # control: never the rollout's doing
    now = Counts(np.full(20, 1000.0), errors, np.zeros(20), np.zeros(20))
    top = Measures(ASSIGNMENT, Baseline(before, before)).top_tenants(now, "errors")
    assert [one.tenant_id for one in top][:2] == ["t5", "t1"]
    assert len(top) == 3
    assert top[0].events == 60
    assert top[0].expected == pytest.approx(10, abs=2)


def test_a_change_has_an_interval_from_its_counts() -> None:
    criterion = Criterion(metric="ticket_increase", comparison=Comparison.ABOVE, value=0.25)
    measured = given(criterion, MetricValue(GroupValue(0.15, 150), GroupValue(0.10, 900)))
    assert measured is not None
    assert measured.value == pytest.approx(0.5)
    reach = measured.reach(2.0)
    assert reach is not None
    assert reach == pytest.approx((1.5 / 1.194 - 1, 1.5 * 1.194 - 1), abs=0.01)


def test_wider_confidence_reaches_further() -> None:
    assert 2.5 < sequence_factor(0.05) < sequence_factor(0.01) < sequence_factor(0.001) < 5
