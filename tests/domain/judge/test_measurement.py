"""What a verdict shows of a metric: value, control, interval, and whose doing it is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flagconsole.domain.judge import Assignment, Baseline, Counts, GroupValue, Latency, MetricValue, Observation
from flagconsole.domain.judge.group_metric import given
from flagconsole.domain.judge.interval import for_few, sequence_factor
from flagconsole.domain.judge.measures import Measures
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
    assert plain.value == pytest.approx(0.20, abs=0.02)
    assert measured.raw_value == pytest.approx(0.20, abs=0.02)
    assert measured.value == pytest.approx(0.01, abs=0.015)


def test_a_regression_that_was_not_there_before_is_shown_as_it_is() -> None:
    before = Baseline(counts(), counts())
    measured = Measures(ASSIGNMENT, before).of(REGRESSION, seen(counts(slow_canary=0.10), canary_p95=840.0))
    assert measured is not None
    assert measured.value == pytest.approx(0.20, abs=0.02)
    assert measured.control_value == 700.0
    reach = measured.reach(0.05)
    assert reach is not None
    assert -1 < reach[0] < measured.value < reach[1]


def test_a_handful_of_slow_operations_makes_no_interval() -> None:
    few = Counts(np.full(20, 60.0), np.zeros(20), np.full(20, 5.0), np.zeros(20))
    measured = Measures(ASSIGNMENT, None).of(REGRESSION, seen(few, canary_p95=1400.0))
    assert measured is not None
    assert measured.value == pytest.approx(1.0)
    assert measured.reach(0.001) is None


def test_success_and_errors_are_one_figure_from_two_sides() -> None:
    measures = Measures(ASSIGNMENT, None)
    failed, succeeded = measures.of(ERRORS, seen(counts())), measures.of(SUCCESS, seen(counts()))
    assert failed is not None
    assert succeeded is not None
    assert failed.value == pytest.approx(0.01)
    assert succeeded.value == pytest.approx(0.99)
    assert (failed.operations, failed.tenants) == (8000, 8)
    low, high = failed.reach(0.05) or (0.0, 0.0)
    assert succeeded.reach(0.05) == pytest.approx((1 - high, 1 - low))


def test_no_errors_at_all_are_not_taken_for_certain() -> None:
    measured = Measures(ASSIGNMENT, None).of(ERRORS, seen(counts(errors=0.0)))
    assert measured is not None
    reach = measured.reach(0.05)
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
    reach = measured.reach(0.05)
    assert reach is not None
    error = math.sqrt(1 / 150 + 1 / 900) * sequence_factor(0.05)
    assert reach == pytest.approx((1.5 * math.exp(-error) - 1, 1.5 * math.exp(error) - 1))


TICKETS = Criterion(metric="ticket_increase", comparison=Comparison.ABOVE, value=0.25)


def tickets(canary: float, control: float, *, most_of_one: float = 1) -> tuple[float, float, float]:
    """Value and bounds for 50 against 450 active tenants; ``most_of_one`` of the canary's come from one tenant."""
    squared = most_of_one**2 + (canary - most_of_one) if canary else 0.0
    own = GroupValue(canary, int(canary), exposure=50, squared=squared)
    measured = given(TICKETS, MetricValue(own, GroupValue(control, int(control), exposure=450, squared=control)))
    assert measured is not None
    low, high = measured.reach(0.001) or (math.nan, math.nan)
    return measured.value, low, high


def test_tickets_against_a_control_without_any_are_evidence_where_they_are_many() -> None:
    value, low, high = tickets(1, 0)
    assert value > 1
    assert low < 0.25
    assert high == math.inf
    value, low, high = tickets(9, 0)
    assert low > 0.25
    # Nine of one tenant are one complaint.
    assert tickets(9, 0, most_of_one=9)[1] < 0.25


def test_tickets_have_a_value_whoever_has_none_and_none_at_all_is_no_increase() -> None:
    assert tickets(0, 0)[0] == pytest.approx(0)
    assert -1 < tickets(0, 90)[0] < -0.9
    assert tickets(0, 90)[2] < 0.25
    value, low, high = tickets(10, 90)
    assert value == pytest.approx(0, abs=0.01)
    assert low < -0.5
    assert high > 1
    value, low, high = tickets(1000, 9000)
    assert -0.2 < low < value < high < 0.2


def test_the_interval_of_counts_holds_at_all_looks_together() -> None:
    rng = np.random.default_rng(11)
    missed = 0
    for _ in range(100):
        own, other = np.cumsum(rng.poisson(0.5, 40)), np.cumsum(rng.poisson(4.5, 40))
        looks = (
            given(TICKETS, MetricValue(a, b)) for a, b in zip(*(map(_counted, (own, other), (50, 450))), strict=True)
        )
        bounds = [look.reach(0.1) for look in looks if look is not None]
        missed += any(low > 0 or high < 0 for low, high in (bound for bound in bounds if bound is not None))
    assert missed <= 0.1 * 100


def _counted(events: np.ndarray, exposure: float) -> list[GroupValue]:
    return [GroupValue(float(many), int(many), exposure=exposure, squared=float(many)) for many in events]


def test_a_share_by_tenants_is_less_certain_where_tenants_differ() -> None:
    criterion = Criterion(metric="csat", comparison=Comparison.BELOW, value=0.85)
    alike = given(criterion, MetricValue(GroupValue(0.9, 400, error=0.001, tenants=40)))
    differing = given(criterion, MetricValue(GroupValue(0.9, 400, error=0.05, tenants=40)))
    few = given(criterion, MetricValue(GroupValue(0.9, 400, error=0.05, tenants=6)))
    independent = given(criterion, MetricValue(GroupValue(0.9, 400)))
    widths = [one.reach(0.05)[1] - one.reach(0.05)[0] for one in (alike, independent, differing, few)]  # type: ignore[index,union-attr]
    assert widths[0] == pytest.approx(widths[1], rel=0.1)
    assert widths[1] < widths[2] < widths[3]


@pytest.mark.parametrize(("freedom", "quantile"), [(9, 4.781), (19, 3.883), (4, 8.610), (1000, 3.300)])
def test_few_tenants_need_students_quantiles(freedom: float, quantile: float) -> None:
    # The two-sided 0.1 % point; the normal one is 3.2905. The approximation may be off by a few per cent.
    assert for_few(3.2905, freedom) == pytest.approx(quantile, rel=0.04)


def test_wider_confidence_reaches_further() -> None:
    assert 2.5 < sequence_factor(0.05) < sequence_factor(0.01) < sequence_factor(0.001) < 5
