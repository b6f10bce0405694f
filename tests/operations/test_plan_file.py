"""Plans as files: the shipped figures, and mistakes named by line and field."""

from __future__ import annotations

import pytest

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.plan import Evidence
from flagconsole.operations.plan_file import SHIPPED, parse_plan, shipped_plan

SMALL = """\
name: small
phases:
  - name: canary 10
    kind: canary
    percentage: 10
    min_minutes: 30
    success: [error_rate <= 0.3 %]
    rollback:
      - {limit: error_rate > 2 %, evidence: threshold}
      - latency_p95 > 800 ms
"""


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_plan_is_valid(name):
    assert shipped_plan(name).plan.name == name


def test_limits_are_read_exactly():
    phase = parse_plan(SMALL, "small.yaml").plan.phases[0]
    assert phase.min_hours == 0.5
    assert phase.success[0].value == 0.003
    assert phase.rollback[0].evidence is Evidence.THRESHOLD
    assert phase.rollback[1].value == 800


def test_a_flags_own_criteria_replace_the_phases():
    default = shipped_plan("default").plan
    plan = shipped_plan("default").for_flag("invoices.write")
    assert "latency_p95 <= 800 ms" in [criterion.describe() for criterion in plan.phase("canary 10").success]
    assert plan.phase("canary 50").rollback == default.phase("canary 50").rollback
    assert shipped_plan("default").for_flag("pos.lite") == default


MISTAKES = [
    ("error_rate <= 0.3 %", "error_rate 0.3 %", 7, "must be like 'error_rate <= 0.5 %'"),
    ("error_rate <= 0.3 %", "error_rate <= 130 %", 7, "between 0 and 1"),
    ("error_rate <= 0.3 %", "happiness >= 3", 7, "say its kind"),
    ("error_rate <= 0.3 %", "eror_rate <= 0.3 %", 7, "did you mean error_rate?"),
    ("error_rate <= 0.3 %", "error_rate <= 1", 7, "needs its unit: 'error_rate <= 1 %' (got 'error_rate <= 1')"),
    ("error_rate <= 0.3 %", "critical_errors <= 1 %", 7, "has no unit: 'critical_errors <= 1'"),
    ("latency_p95 > 800 ms", "latency_p95 > 800 %", 10, "needs its unit: 'latency_p95 > 800 ms'"),
    ("latency_p95 > 800 ms", "latency_p95 > 800", 10, "needs its unit: 'latency_p95 > 800 ms'"),
    ("latency_p95 > 800 ms", "latency_p95 > -1 ms", 10, "can't be negative"),
    ("evidence: threshold", "evidence: hunch", 9, "evidence"),
    ("percentage: 10", "percentage: 101", 5, "percentage"),
    ("percentage: 10", "percentage: ten", 5, "percentage"),
    ("kind: canary", "kind: canry", 4, "kind"),
    ("min_minutes: 30", "min_minute: 30", 6, "did you mean min_minutes?"),
    ("min_minutes: 30", "min_minutes: soon", 6, "must be a number"),
    ("min_minutes: 30", "min_minutes: 30\n    min_hours: 1", 6, "besides min_hours"),
    ("name: small\n", "name: small\nname: again\n", 2, "duplicate key"),
    ("success: [error_rate <= 0.3 %]", "success: error_rate <= 0.3 %", 7, "must be a list of limits"),
    ("success: [error_rate <= 0.3 %]", "success: [error_rate <= 3 %]", 3, "can both be true"),
    ("phases:", "flags: {nonsense: {}}\nphases:", 2, "domain.feature"),
    ("phases:", "flags: {a.b: {canary 20: {}}}\nphases:", 2, "no phase 'canary 20'"),
]


@pytest.mark.parametrize(("wrong", "right", "line", "said"), MISTAKES)
def test_a_mistake_is_named_by_source_line_and_field(wrong, right, line, said):
    with pytest.raises(InvalidInput) as caught:
        parse_plan(SMALL.replace(wrong, right), "small.yaml")
    assert caught.value.details["field"].startswith(f"small.yaml line {line}, ")
    assert said in str(caught.value)


def test_nought_needs_no_unit():
    assert (
        parse_plan(SMALL.replace("error_rate <= 0.3 %", "error_rate <= 0"), "small.yaml")
        .plan.phases[0]
        .success[0]
        .value
        == 0
    )


def test_all_mistakes_are_told_at_once_in_the_order_of_lines():
    text = SMALL.replace("percentage: 10", "percentage: 120").replace("min_minutes", "min_minuts")
    text = text.replace("error_rate <= 0.3 %", "eror_rate <= 0.3 %, error_rate <= 1")
    with pytest.raises(InvalidInput) as caught:
        parse_plan(text, "small.yaml")
    told = [str(caught.value), *caught.value.details["also"]]
    assert [one.split(",")[0] for one in told] == [f"small.yaml line {line}" for line in (5, 6, 7, 7)]
    assert told[1].endswith("did you mean min_minutes? (got 30).")


def test_many_mistakes_are_counted():
    text = SMALL + "".join(f"    wrong_{number}: 1\n" for number in range(30))
    with pytest.raises(InvalidInput) as caught:
        parse_plan(text, "small.yaml")
    assert caught.value.details["also"][-1] == "and 9 more"
