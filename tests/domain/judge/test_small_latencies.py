"""Where operations take microseconds a surely slower canary is no worse: a difference has to be one that somebody notices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from flagconsole.domain.judge import Assignment, Judge
from flagconsole.domain.nearness import nearest_to_failing
from flagconsole.domain.plan import Phase
from flagconsole.domain.verdict import Verdict, VerdictKind

if TYPE_CHECKING:
    from .conftest import Fleet, Tools

FORTY_MICROSECONDS = 0.04
SLOWER = {"canary_slow": 0.4}  # p95 +68 %


def fleet_of(tools: Tools, basis: str, p95_ms: float) -> Fleet:
    drawn = tools.Fleet.drawn()
    drawn.p95_ms, drawn.traffic = p95_ms, 40.0
    if basis == "drawn":
        return drawn
    names = drawn.assignment.tenants
    chosen = [name for name, inside in zip(names, drawn.assignment.canary, strict=True) if inside]
    return replace(drawn, assignment=Assignment.hand_picked(names, chosen))


def last(fleet: Fleet, phase: Phase, *, baseline: bool = True, looks: int = 65, **effect: float) -> Verdict:
    judge = fleet.judge(phase) if baseline else Judge(fleet.assignment, phase)
    verdict = None
    for seen in fleet.looks(looks, **effect):
        verdict = judge.look(seen)
        if verdict.outcome is VerdictKind.FAIL:
            break
    assert verdict is not None
    return verdict


@pytest.mark.parametrize(
    ("basis", "baseline", "latency_limits"),
    [("drawn", True, True), ("drawn", False, False), ("hand_picked", True, False), ("hand_picked", False, True)],
)
def test_microseconds_accuse_nobody_and_keep_nobody_from_passing(
    tools: Tools, basis: str, baseline: bool, latency_limits: bool
) -> None:
    phase = tools.canary_phase(min_hours=0.5)
    if not latency_limits:
        limits = {"success": tools.limits("error_rate <= 0.01"), "rollback": tools.limits("error_rate > 0.02")}
        phase = phase.model_copy(update=limits)
    fleet = fleet_of(tools, basis, FORTY_MICROSECONDS)
    verdict = last(fleet, phase, baseline=baseline, **SLOWER)
    assert verdict.outcome is VerdictKind.PASS
    for one in verdict.criteria:
        assert one.negligible is (one.metric == "p95_regression")
        assert ("less than 1 ms apart" in one.note) is one.negligible
    nearest = nearest_to_failing(verdict.criteria)
    assert nearest is not None
    assert nearest.metric == "error_rate"


@pytest.mark.parametrize("basis", ["drawn", "hand_picked"])
def test_a_difference_that_somebody_notices_is_found_as_before(tools: Tools, basis: str) -> None:
    verdict = last(fleet_of(tools, basis, 2.0), tools.canary_phase(), **SLOWER)  # 2 ms become 3.4
    assert (verdict.outcome, verdict.failing_metric) == (VerdictKind.FAIL, "p95_regression")


@pytest.mark.parametrize("basis", ["drawn", "hand_picked"])
def test_a_plan_may_make_every_difference_count(tools: Tools, basis: str) -> None:
    phase = tools.canary_phase(min_difference_ms=0.0)
    verdict = last(fleet_of(tools, basis, FORTY_MICROSECONDS), phase, **SLOWER)
    assert (verdict.outcome, verdict.failing_metric) == (VerdictKind.FAIL, "p95_regression")


def test_errors_of_quick_operations_are_found_by_the_draw_though_they_are_slower_as_well(tools: Tools) -> None:
    fleet = fleet_of(tools, "drawn", FORTY_MICROSECONDS)
    phase = tools.canary_phase(success=tools.limits("error_rate <= 0.004"))
    verdict = last(fleet, phase, canary_errors=0.009, looks=240, **SLOWER)
    assert (verdict.outcome, verdict.failing_metric) == (VerdictKind.FAIL, "error_rate")
    assert "cohorts that the same draw could have given" in verdict.reason
