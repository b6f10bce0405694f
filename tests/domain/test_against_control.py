"""What is compared with the control beside a plan's limits is said with the plan's own figures."""

from __future__ import annotations

from flagconsole.domain.against_control import ERROR_BUDGET, in_short
from flagconsole.domain.judge import JudgeSettings
from flagconsole.domain.plan import PhaseKind
from flagconsole.operations.plan_file import parse_plan, shipped_plan

PLAN = """
name: quick
phases:
  - name: canary 10
    kind: canary
    percentage: 10
    min_difference_ms: 0.25
    success: [success_rate >= 99 %]
    rollback: [error_rate > 2 %]
"""


def test_the_figures_are_the_plans_and_the_judges() -> None:
    for phase in shipped_plan("default").plan.phases:
        assert bool(phase.against_control) is (phase.kind is PhaseKind.CANARY)
    errors, latency, *_ = shipped_plan("default").plan.phase("canary 10").against_control
    assert errors == (
        "error rate certainly above control's, unless error_rate <= 0.5 % or success_rate >= 99 %; "
        "or above twice control's in many tenants at once"
    )
    assert latency == "p95 certainly above control's by 1 ms or more, unless p95_regression <= +3 %"
    settings = JudgeSettings()
    assert round(settings.rank_budget + settings.guard_budget, 9) == ERROR_BUDGET


def test_what_no_success_limit_tolerates_is_said() -> None:
    phase = parse_plan(PLAN, "quick.yaml").plan.phases[0]
    assert phase.min_difference_ms == 0.25
    errors, latency, *_ = phase.against_control
    assert "success_rate >= 99 %" in errors
    assert "no success limit that would allow it" in latency
    assert "control's by 0.25 ms or more" in latency
    assert in_short("canary", {"error_rate": "0.5 %", "p95_regression": "+3 %"}, 1.0) == (
        "also against control: errors past 0.5 %, p95 past +3 % and 1 ms, criticals, one broken tenant; "
        "false alarms 1 %"
    )
    assert in_short("canary", {}, 0).startswith("also against control: any more errors, any slower p95,")
    assert in_short("full", {}, 1.0) == ""
