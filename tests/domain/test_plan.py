"""Plans: what a user may write, and what is refused with which word."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from flagconsole.domain.metric import MetricKind
from flagconsole.domain.plan import (
    Comparison,
    Criterion,
    Evidence,
    FlagCriteria,
    Phase,
    PhaseCriteria,
    PhaseKind,
    Plan,
)
from flagconsole.domain.states import FlagState
from flagconsole.domain.urgency import Urgency
from flagconsole.operations.plan_file import shipped_plan

SHIPPED = shipped_plan("default")
DEFAULT_PLAN = SHIPPED.plan
INVOICES_WRITE, ESTIMATES_AI_PRICING = (SHIPPED.flags[name] for name in ("invoices.write", "estimates.ai_pricing"))


def limit(text: str, **more: object) -> Criterion:
    metric, comparison, value = text.split()
    return Criterion.model_validate({"metric": metric, "comparison": comparison, "value": float(value)} | more)


def test_the_default_plan_has_the_figures_and_goes_from_shadow_to_everyone() -> None:
    assert [(phase.name, phase.percentage, phase.min_hours) for phase in DEFAULT_PLAN.phases] == [
        ("shadow", 0, 24),
        ("canary 10", 10, 48),
        ("canary 50", 50, 72),
        ("full", 100, 168),
        ("cleanup", 100, 0),
    ]
    assert [phase.tick_seconds for phase in DEFAULT_PLAN.phases] == [30, 30, 60, 60, 300]
    canary = DEFAULT_PLAN.phase("canary 10")
    assert [criterion.describe() for criterion in canary.success] == [
        "success_rate >= 99 %",
        "error_rate <= 0.5 %",
        "p95_regression <= +3 %",
        "csat >= 95 %",
        "ticket_increase <= +10 %",
    ]
    assert [criterion.describe() for criterion in canary.rollback] == [
        "error_rate > 2 %",
        "p95_regression > +15 %",
        "critical_errors >= 2",
        "csat < 85 %",
        "ticket_increase > +25 %",
    ]
    assert all(criterion.evidence is Evidence.STATISTICAL for criterion in canary.rollback)


def test_a_phase_may_be_looked_at_more_often_than_its_level_says() -> None:
    phase = Phase(name="all", kind=PhaseKind.FULL, percentage=100, look_seconds=5)
    assert phase.tick_seconds == 5
    with pytest.raises(ValidationError, match="look_seconds"):
        Phase(name="all", kind=PhaseKind.FULL, percentage=100, look_seconds=4)


def test_nothing_is_promoted_unless_a_plan_says_so() -> None:
    plan = Plan(name="mine", phases=(Phase(name="all", kind=PhaseKind.FULL, percentage=100),))
    assert not plan.auto_promote
    assert plan.auto_rollback
    assert not DEFAULT_PLAN.auto_promote


def test_a_flags_own_criteria_replace_the_phases_lists_that_they_name() -> None:
    own = DEFAULT_PLAN.for_flag(INVOICES_WRITE)
    assert "latency_p95 > 2000 ms" in [criterion.describe() for criterion in own.phase("canary 10").rollback]
    assert "latency_p95 <= 700 ms" in [criterion.describe() for criterion in own.phase("canary 50").success]
    assert own.phase("canary 50").rollback == DEFAULT_PLAN.phase("canary 50").rollback
    assert own.phase("full") == DEFAULT_PLAN.phase("full")
    pricing = DEFAULT_PLAN.for_flag(ESTIMATES_AI_PRICING).phase("canary 10")
    assert {criterion.urgency for criterion in pricing.rollback} == {Urgency.MEDIUM}


def test_own_criteria_for_a_phase_that_does_not_exist_are_refused_with_the_phases_there_are() -> None:
    own = FlagCriteria(flag_name="a.b", phases={"canary 20": PhaseCriteria(success=())})
    with pytest.raises(ValueError, match=r"'canary 20'; the plan has shadow, canary 10"):
        DEFAULT_PLAN.for_flag(own)


def test_a_plan_survives_json() -> None:
    plan = DEFAULT_PLAN.for_flag(ESTIMATES_AI_PRICING)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize(
    ("success", "rollback", "refused"),
    [
        ("error_rate <= 0.01", "error_rate > 0.02", False),
        ("error_rate <= 0.02", "error_rate > 0.02", False),
        ("error_rate < 0.02", "error_rate >= 0.02", False),
        ("error_rate <= 0.02", "error_rate >= 0.02", True),
        ("error_rate <= 0.03", "error_rate > 0.02", True),
        ("csat >= 0.9", "csat < 0.85", False),
        ("csat >= 0.9", "csat <= 0.9", True),
        ("csat >= 0.8", "csat < 0.85", True),
        ("error_rate <= 0.03", "success_rate < 0.5", False),
    ],
)
def test_a_value_can_never_be_good_and_bad_at_once(success: str, rollback: str, refused: bool) -> None:
    def phase() -> Phase:
        return Phase(
            name="c", kind=PhaseKind.CANARY, percentage=5, success=(limit(success),), rollback=(limit(rollback),)
        )

    if refused:
        with pytest.raises(ValidationError, match="can both be true"):
            phase()
    else:
        assert phase().state_of_flag is FlagState.CANARY


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"metric": "error_rate", "comparison": ">", "value": 2}, "between 0 and 1"),
        ({"metric": "error_rate", "comparison": ">", "value": math.nan}, "finite"),
        ({"metric": "error_rate", "comparison": ">", "value": math.inf}, "finite"),
        ({"metric": "latency_p95", "comparison": ">", "value": -1}, "0 or more"),
        ({"metric": "p95_regression", "comparison": ">", "value": -2}, "-1 or more"),
        ({"metric": "acceptance", "comparison": ">", "value": 0.5}, "say its kind, one of ratio, count"),
        ({"metric": "error_rate", "comparison": ">", "value": 0.5, "kind": "gauge"}, "is a ratio, not a gauge"),
        ({"metric": "Error Rate", "comparison": ">", "value": 0.5, "kind": "gauge"}, "lower-case letters"),
        ({"metric": "error_rate", "comparison": "=>", "value": 0.5}, "Input should be"),
        ({"metric": "error_rate", "comparison": ">", "value": 0.5, "limit": 1}, "Extra inputs"),
    ],
)
def test_a_wrong_limit_is_refused_with_what_would_be_right(value: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Criterion.model_validate(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": "c", "kind": "canary", "percentage": 0}, "between 1 and 99"),
        ({"name": "c", "kind": "canary", "percentage": 100}, "between 1 and 99"),
        ({"name": "s", "kind": "shadow", "percentage": 5}, "must be 0"),
        ({"name": "f", "kind": "full", "percentage": 99}, "must be 100"),
        ({"name": "c", "kind": "cleanup", "percentage": 100, "success": [limit("csat >= 0.9")]}, "not judged"),
        ({"name": "f", "kind": "full", "percentage": 100, "min_hours": -1}, "greater than or equal to 0"),
        (
            {"name": "f", "kind": "full", "percentage": 100, "rollback": [limit("csat < 0.9"), limit("csat < 0.8")]},
            "twice",
        ),
    ],
)
def test_a_wrong_phase_is_refused_with_what_would_be_right(value: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Phase.model_validate(value)


def test_phases_that_lower_exposure_or_share_a_name_are_refused() -> None:
    ten = Phase(name="ten", kind=PhaseKind.CANARY, percentage=10)
    fifty = Phase(name="fifty", kind=PhaseKind.CANARY, percentage=50)
    with pytest.raises(ValidationError, match="exposure must not fall"):
        Plan(name="p", phases=(fifty, ten))
    with pytest.raises(ValidationError, match="names must differ"):
        Plan(name="p", phases=(ten, ten))
    with pytest.raises(ValidationError):
        Plan(name="p", phases=())


def test_the_phase_after_the_last_is_none() -> None:
    following = DEFAULT_PLAN.after("shadow")
    assert following is not None
    assert following.name == "canary 10"
    assert DEFAULT_PLAN.after("cleanup") is None
    with pytest.raises(KeyError):
        DEFAULT_PLAN.after("nothing")


def test_nan_satisfies_no_comparison() -> None:
    assert not any(comparison.holds(math.nan, 0.5) for comparison in Comparison)


def test_the_failing_metric_decides_the_urgency() -> None:
    assert limit("critical_errors >= 2").urgency is Urgency.CRITICAL
    assert limit("error_rate > 0.02").urgency is Urgency.HIGH
    assert limit("success_rate < 0.95").urgency is Urgency.HIGH
    assert limit("csat < 0.85").urgency is Urgency.MEDIUM
    assert limit("acceptance < 0.3", kind=MetricKind.RATIO).urgency is Urgency.MEDIUM
