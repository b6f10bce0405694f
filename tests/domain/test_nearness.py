"""Which criterion is nearest to failing, whichever way it is limited."""

from __future__ import annotations

import math

import pytest

from flagconsole.domain.metric import MetricKind
from flagconsole.domain.nearness import nearest_to_failing, nearness
from flagconsole.domain.plan import Comparison, Evidence
from flagconsole.domain.quantity import quantity
from flagconsole.domain.urgency import urgency_of
from flagconsole.domain.verdict import CriterionResult, Purpose, VerdictKind


def a_result(metric, kind, comparison, limit, value, **fields):
    return CriterionResult(
        **{"purpose": Purpose.ROLLBACK, "outcome": VerdictKind.INCONCLUSIVE, **fields},
        metric=metric,
        kind=kind,
        comparison=comparison,
        limit=limit,
        evidence=Evidence.STATISTICAL,
        urgency=urgency_of(metric),
        value=value,
    )


@pytest.mark.parametrize(
    ("kind", "comparison", "limit", "value", "expected"),
    [
        (MetricKind.RATIO, ">", 0.02, 0.01, 0.5),
        (MetricKind.RATIO, ">", 0.02, 0.04, 2.0),
        (MetricKind.RATIO, "<", 0.95, 0.99, 0.2),
        (MetricKind.RATIO, "<", 0.95, 0.90, 2.0),
        (MetricKind.COUNT, ">=", 2, 1, 0.5),
        (MetricKind.CHANGE, ">", 0.15, -0.3, 0.0),
        (MetricKind.CHANGE, "<", -0.05, -0.04, 0.8),
        (MetricKind.CHANGE, "<", -0.05, 0.3, 0.0),
        (MetricKind.GAUGE, "<", 30, 60, 0.5),
        (MetricKind.GAUGE, "<", 30, 0, math.inf),
        (MetricKind.RATIO, ">", 0, 0, 1.0),
        (MetricKind.RATIO, ">", 0.02, None, None),
        (MetricKind.RATIO, ">", 0.02, math.nan, None),
    ],
)
def test_how_near(kind, comparison, limit, value, expected):
    found = nearness(a_result("some_metric", kind, Comparison(comparison), limit, value))
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_failing_criterion_comes_first_the_urgent_one_before_the_rest():
    near = a_result("csat", MetricKind.RATIO, Comparison.BELOW, 0.85, 0.86)
    failing = a_result("latency_p95", MetricKind.LATENCY, Comparison.ABOVE, 500, 510, outcome=VerdictKind.FAIL)
    urgent = a_result("error_rate", MetricKind.RATIO, Comparison.ABOVE, 0.02, 0.0201, outcome=VerdictKind.FAIL)
    unknown = a_result("conversion_rate", MetricKind.RATIO, Comparison.BELOW, 0.5, None)
    assert nearest_to_failing([unknown, near]) == near
    assert nearest_to_failing([near, failing]) == failing
    assert nearest_to_failing([failing, urgent, near]) == urgent
    assert nearest_to_failing([unknown]) is None
    success = a_result("csat", MetricKind.RATIO, Comparison.AT_LEAST, 0.95, 0.9, purpose=Purpose.SUCCESS)
    assert nearest_to_failing([unknown, success]) == success


def test_values_have_the_unit_of_their_kind():
    shown = [quantity(kind, 0.123) for kind in MetricKind]
    assert shown == ["12.30 %", "0.123", "0.123", "123 µs", "+12.3 %"]
    assert quantity(MetricKind.RATIO, None) == "–"
