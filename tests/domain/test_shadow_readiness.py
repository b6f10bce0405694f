"""Readiness: the score and its parts, the gates at their figures, and what is said of what isn't known."""

from __future__ import annotations

import pytest

from flagconsole.domain.shadow_readiness import (
    Evidence,
    blocking_issues,
    readiness_score,
    ready,
    recommendations,
)
from flagconsole.domain.shadow_report import DependencyShadow, ErrorShadow
from flagconsole.domain.shadow_tally import ShadowTally

GOOD = ShadowTally(executions=1000, successes=1000, seconds=110.0, compared=1000, consistent=1000, intents=10)


def codes(tally=GOOD, baseline=0.1, whole_path=None, **more):
    canary, production = blocking_issues(Evidence(tally, baseline, whole_path or tally, **more))
    return [item.code for item in canary], [item.code for item in production]


def test_the_score_is_the_sum_of_its_parts():
    tally = ShadowTally(executions=100, successes=90, errors=4, compared=50, consistent=40)
    score = readiness_score(tally)
    assert score.score == pytest.approx(0.5 * 0.9 + 0.3 * 0.8 + 0.2 * (1 - 4 / 10))
    assert (score.success.points, score.consistency.points, score.errors.points) == pytest.approx((0.45, 0.24, 0.12))


def test_ten_errors_and_more_give_nothing_of_their_part():
    assert readiness_score(ShadowTally(executions=1000, successes=900, errors=10)).errors.points == 0
    assert readiness_score(ShadowTally(executions=1000, successes=900, errors=99)).errors.points == 0
    assert readiness_score(ShadowTally(executions=1000, successes=900)).errors.points == pytest.approx(0.2)


def test_what_was_not_measured_gives_no_points_and_is_no_zero():
    score = readiness_score(ShadowTally(executions=10, successes=10))
    assert (score.consistency.value, score.consistency.points) == (None, 0)
    assert score.score == pytest.approx(0.7)
    assert readiness_score(ShadowTally()).score is None


def test_ready_at_the_figures_exactly():
    assert codes() == ([], [])
    assert ready([]).ready
    at_limit = GOOD._replace(successes=950, errors=20)
    assert codes(at_limit) == ([], [])


@pytest.mark.parametrize(
    ("tally", "baseline", "code"),
    [
        (GOOD._replace(successes=949), 0.1, "success_rate"),
        (GOOD._replace(successes=960, errors=21), 0.1, "error_rate"),
        (GOOD._replace(seconds=110.2), 0.1, "slow"),
        (GOOD, None, "no_baseline"),
        (ShadowTally(skipped=7), 0.1, "no_executions"),
    ],
)
def test_one_figure_missed_is_one_issue(tally, baseline, code):
    canary, production = codes(tally, baseline)
    assert (canary, production) == ([code], [])
    assert not ready(blocking_issues(Evidence(tally, baseline, tally))[0]).ready


def test_production_asks_for_valid_intents_and_validated_dependencies_too():
    unvalidated = DependencyShadow(name="billing.calculate", state=None, validated=False)
    assert codes(GOOD._replace(invalid_intents=1)) == ([], ["invalid_intents"])
    assert codes(dependencies=[unvalidated]) == ([], ["dependencies"])
    assert codes(dependencies=[unvalidated.model_copy(update={"validated": True})]) == ([], [])


def test_a_guard_that_did_not_hold_comes_first_however_good_the_rest_is():
    failures = [ErrorShadow(error="GuardBroken", source="guard", times=1)]
    assert codes(failures=failures)[0] == ["guard_broken"]


def test_validations_alone_make_nothing_ready():
    assert codes(whole_path=ShadowTally()) == (["no_dry_run"], [])


def test_recommendations_name_what_to_look_at():
    failures = [ErrorShadow(error="KeyError", source="handler", times=1)]
    tally = ShadowTally(executions=3, successes=2, errors=1)
    said = recommendations(Evidence(tally, None, tally, failures=failures))
    assert said[0] == "look at KeyError in the handler: once"
    assert any("consistency is not measured" in line for line in said)
    assert any("3 executions say little" in line for line in said)
    assert recommendations(Evidence(GOOD, 0.1, GOOD)) == []
