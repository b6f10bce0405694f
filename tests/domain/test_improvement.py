"""What counts as having improved: proof for what had failed, estimates for the rest, and no patience with silence."""

from __future__ import annotations

import pytest

from flagconsole.domain.improvement import failed_metrics, improvement
from flagconsole.domain.plan import Comparison, Evidence
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import (
    CohortBasis,
    CriterionResult,
    GuardResult,
    Purpose,
    Verdict,
    VerdictKind,
)

PASS, INCONCLUSIVE, NO_DATA, FAIL = (
    VerdictKind.PASS,
    VerdictKind.INCONCLUSIVE,
    VerdictKind.NO_DATA,
    VerdictKind.FAIL,
)


def criterion(metric, comparison, limit, value, outcome, kind="ratio"):
    purpose = Purpose.ROLLBACK if comparison in {">", "<"} else Purpose.SUCCESS
    return CriterionResult(
        purpose=purpose,
        metric=metric,
        kind=kind,
        comparison=Comparison(comparison),
        limit=limit,
        evidence=Evidence.STATISTICAL,
        urgency=Urgency.HIGH,
        outcome=outcome,
        value=value,
    )


def verdict(*criteria, outcome=INCONCLUSIVE):
    return Verdict(
        outcome=outcome,
        reason="because",
        seconds=900,
        cohort=CohortBasis.HAND_PICKED,
        operations=900,
        tenants=20,
        data_age_seconds=5,
        criteria=criteria,
        budget=0.01,
        budget_spent=0.5,
    )


ERRORS = criterion("error_rate", ">", 0.02, 0.004, INCONCLUSIVE)
CSAT = criterion("csat", ">=", 0.9, 0.95, PASS)
CSAT_WELL = criterion("csat", "<", 0.85, 0.95, PASS)


def test_what_had_failed_needs_its_whole_interval_and_the_rest_its_estimate():
    assert improvement(verdict(ERRORS, CSAT, CSAT_WELL), frozenset({"csat"}))[0] is PASS
    unsure = criterion("csat", "<", 0.85, 0.95, INCONCLUSIVE)
    kind, why = improvement(verdict(ERRORS, CSAT, unsure), frozenset({"csat"}))
    assert (kind, why) == (INCONCLUSIVE, "not yet within limits beyond doubt: csat")
    assert improvement(verdict(ERRORS, CSAT, CSAT_WELL), frozenset({"error_rate"}))[0] is INCONCLUSIVE


def test_the_rest_must_not_have_got_worse():
    worse = criterion("error_rate", ">", 0.02, 0.03, INCONCLUSIVE)
    assert improvement(verdict(worse, CSAT), frozenset({"csat"}))[0] is INCONCLUSIVE


def test_silence_on_what_people_answer_is_an_obstacle_only_where_that_had_failed():
    silent = criterion("csat", ">=", 0.9, None, NO_DATA)
    passing = criterion("error_rate", ">", 0.02, 0.004, PASS)
    assert improvement(verdict(passing, silent), frozenset({"error_rate"}))[0] is PASS
    assert improvement(verdict(passing, silent), frozenset({"csat"}))[0] is NO_DATA


def test_operations_that_tell_nothing_are_no_improvement():
    silent = criterion("p95_regression", ">", 0.15, None, NO_DATA, kind="change")
    assert improvement(verdict(silent, CSAT), frozenset({"csat"})) == (NO_DATA, "no data for p95_regression")


def test_where_the_cause_is_not_known_all_that_operations_tell_must_be_proven():
    assert improvement(verdict(ERRORS), frozenset())[0] is INCONCLUSIVE
    assert improvement(verdict(criterion("error_rate", ">", 0.02, 0.004, PASS)), frozenset())[0] is PASS


def test_a_metric_that_nothing_limits_can_not_be_shown_to_be_well():
    kind, why = improvement(verdict(ERRORS), frozenset({"critical_errors"}))
    assert kind is INCONCLUSIVE
    assert "nothing limits critical_errors" in why


@pytest.mark.parametrize("outcome", [FAIL, NO_DATA])
def test_what_the_judge_says_for_certain_stays(outcome):
    assert improvement(verdict(CSAT, outcome=outcome), frozenset({"csat"})) == (outcome, "because")


def test_a_metric_stands_for_others_that_tell_of_the_same():
    passing = criterion("success_rate", "<", 0.95, 0.99, PASS)
    assert improvement(verdict(passing), frozenset({"error_rate"})) == (PASS, "back within limits: success_rate")
    unsure = criterion("latency_p95", ">", 2000, 900, INCONCLUSIVE, kind="latency")
    assert improvement(verdict(passing, unsure), frozenset({"p95_regression"}))[0] is INCONCLUSIVE


def test_where_nothing_that_operations_tell_is_limited_nothing_is_proven():
    assert improvement(verdict(CSAT), frozenset())[0] is INCONCLUSIVE


def test_no_criteria_can_not_be_met():
    assert improvement(verdict(), frozenset())[0] is INCONCLUSIVE


def test_criteria_and_guards_tell_what_failed():
    guard = GuardResult(
        guard="rank budget", metric="p95_regression", urgency=Urgency.MEDIUM, budget=0.008, spent=0.1, evidence=1
    )
    failing = criterion("error_rate", ">", 0.02, 0.04, FAIL)
    assert failed_metrics([CSAT], [guard]) == frozenset()
    fired = guard.model_copy(update={"fired_at": 60.0})
    assert failed_metrics([failing, CSAT], [fired]) == {"error_rate", "p95_regression"}
