"""The judge as a controller uses it: what passes, what fails, what is held, and that a restart changes nothing."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.judge import Assignment, Counts, GroupValue, Judge, JudgeSettings, Latency, Observation
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import CohortBasis, CriterionResult, Purpose, Verdict, VerdictKind

if TYPE_CHECKING:
    from .conftest import Fleet, Tools

TWO_HOURS = 240


def last(judge: Judge, fleet: Fleet, looks: int = TWO_HOURS, **effect: object) -> Verdict:
    verdict = None
    for seen in fleet.looks(looks, **effect):  # type: ignore[arg-type]
        verdict = judge.look(seen)
        if verdict.outcome is VerdictKind.FAIL:
            break
    assert verdict is not None
    return verdict


def result(verdict: Verdict, metric: str, purpose: Purpose = Purpose.ROLLBACK) -> CriterionResult:
    return next(one for one in verdict.criteria if one.metric == metric and one.purpose is purpose)


def test_a_healthy_canary_passes_when_its_time_is_up_and_not_before(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    judge = fleet.judge()
    verdicts = [judge.look(seen) for seen in fleet.looks(TWO_HOURS + 10)]
    assert [one.outcome for one in verdicts[10 : TWO_HOURS - 1]] == [VerdictKind.INCONCLUSIVE] * (TWO_HOURS - 11)
    assert verdicts[-1].outcome is VerdictKind.PASS
    assert verdicts[-1].failing_metric is None
    assert verdicts[-1].urgency is None


def test_more_errors_fail_within_minutes_and_the_verdict_says_everything(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    verdict = last(fleet.judge(), fleet, canary_errors=0.05)
    assert verdict.outcome is VerdictKind.FAIL
    assert verdict.seconds <= 600
    assert (verdict.failing_metric, verdict.urgency) == ("error_rate", Urgency.HIGH)
    ruling = result(verdict, "error_rate")
    assert ruling.outcome is VerdictKind.FAIL
    assert ruling.limit == 0.02
    assert ruling.value is not None
    assert ruling.lower is not None
    assert ruling.upper is not None
    assert ruling.lower < ruling.value < ruling.upper
    assert ruling.value == pytest.approx(0.05, abs=0.02)
    assert ruling.control_value == pytest.approx(0.003, abs=0.003)
    assert ruling.operations > 100
    assert ruling.tenants == 20
    assert len(ruling.top_tenants) == 3
    canary = {name for name, inside in zip(fleet.assignment.tenants, fleet.assignment.canary, strict=True) if inside}
    assert {one.tenant_id for one in ruling.top_tenants} <= canary
    surplus = [one.events - (one.expected or 0.0) for one in ruling.top_tenants]
    assert surplus == sorted(surplus, reverse=True)
    assert 0 < verdict.budget <= 0.0101
    assert 0 < verdict.budget_spent < 1
    assert verdict.cohort is CohortBasis.DRAWN


def test_slower_operations_fail_as_latency_with_the_gentle_urgency(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    verdict = last(fleet.judge(), fleet, looks=480, canary_slow=0.15)
    assert verdict.outcome is VerdictKind.FAIL
    assert (verdict.failing_metric, verdict.urgency) == ("p95_regression", Urgency.MEDIUM)


def test_an_incident_that_hits_everybody_accuses_nobody(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    judge = fleet.judge()
    for seen in fleet.looks(200, all_errors=lambda look: 0.08 if 100 <= look < 140 else 0.003):
        assert judge.look(seen).outcome is not VerdictKind.FAIL


def test_a_failure_stays_a_failure(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    judge = fleet.judge()
    outcomes = []
    bad = fleet.looks(40, canary_errors=0.1)
    for seen in bad:
        outcomes.append(judge.look(seen).outcome)
    calm = replace(seen, seconds=seen.seconds + 30)
    assert judge.look(calm).outcome is VerdictKind.FAIL
    assert judge.look(replace(calm, seconds=calm.seconds + 30, data_age_seconds=math.nan)).outcome is VerdictKind.FAIL
    assert outcomes[-1] is VerdictKind.FAIL


def test_a_certain_difference_within_the_plans_tolerance_is_no_failure(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    fleet.traffic = 200.0
    tolerant = tools.canary_phase(
        success=tools.limits("error_rate <= 0.015"), rollback=tools.limits("error_rate > 0.05")
    )
    verdict = last(fleet.judge(tolerant), fleet, looks=300, canary_errors=0.009)
    assert verdict.outcome is VerdictKind.PASS
    strict = tools.canary_phase(success=tools.limits("error_rate <= 0.005"), rollback=tools.limits("error_rate > 0.05"))
    assert last(fleet.judge(strict), fleet, looks=300, canary_errors=0.009).outcome is VerdictKind.FAIL
    rank = next(one for one in verdict.guards if one.guard == "rank budget")
    assert "within what the plan tolerates" in rank.note


def test_the_same_data_and_seed_give_the_same_verdicts(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    one, other = fleet.judge(), fleet.judge()
    first = [one.look(seen).model_dump_json() for seen in fleet.looks(60, canary_errors=0.012)]
    second = [other.look(seen).model_dump_json() for seen in fleet.looks(60, canary_errors=0.012)]
    assert first == second


@pytest.mark.parametrize("errors", [0.003, 0.012, 0.05])
def test_a_restart_at_any_look_changes_no_verdict(tools: Tools, errors: float) -> None:
    fleet = tools.Fleet.drawn()
    phase = tools.canary_phase()
    steady, broken = fleet.judge(phase), fleet.judge(phase)
    for number, seen in enumerate(fleet.looks(90, canary_errors=errors)):
        if number % 7 == 3:
            saved = json.loads(json.dumps(broken.state()))
            broken = Judge.restore(saved, fleet.assignment, phase, baseline=fleet.baseline())
        assert broken.look(seen) == steady.look(seen)
    assert broken.state() == steady.state()


def test_repeated_and_late_looks_change_nothing(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    judge = fleet.judge()
    seen = list(fleet.looks(40, canary_errors=0.012))
    for one in seen:
        judge.look(one)
    state, verdict = judge.state(), judge.look(seen[-1])
    for one in (seen[-1], seen[3], seen[-1]):
        judge.look(one)
    assert judge.state() == state
    assert judge.look(seen[-1]) == verdict


def test_missed_looks_find_the_fault_as_well(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    judge = fleet.judge()
    seen = list(fleet.looks(60, canary_errors=0.05))
    assert judge.look(seen[-1]).outcome is VerdictKind.FAIL


def test_a_state_of_other_tenants_or_of_no_judge_is_refused(tools: Tools) -> None:
    fleet, other = tools.Fleet.drawn(seed=1), tools.Fleet.drawn(seed=2)
    state, phase = fleet.judge().state(), tools.canary_phase()
    with pytest.raises(InvalidInput, match="other tenants or another draw"):
        Judge.restore(state, other.assignment, phase, baseline=other.baseline())
    with pytest.raises(InvalidInput, match="version"):
        Judge.restore({}, fleet.assignment, phase, baseline=fleet.baseline())
    for broken in (state | {"totals": "%%"}, state | {"guards": {}}, state | {"ranks": 7}):
        with pytest.raises(InvalidInput, match="can't be read"):
            Judge.restore(broken, fleet.assignment, phase, baseline=fleet.baseline())


@pytest.mark.parametrize("age", [61.0, math.nan, math.inf])
def test_old_data_is_no_data_and_moves_nothing(tools: Tools, age: float) -> None:
    fleet = tools.Fleet.drawn()
    judge = fleet.judge()
    before = judge.state()
    for seen in fleet.looks(TWO_HOURS + 5, canary_errors=0.05):
        verdict = judge.look(replace(seen, data_age_seconds=age))
        assert verdict.outcome is VerdictKind.NO_DATA
    # All that stays of it is that there was a gap.
    assert judge.state() | {"looked_at": None, "gap_at": None} == before


def test_after_a_gap_nothing_passes_until_some_looks_had_data(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    judge = fleet.judge()
    looks = list(fleet.looks(TWO_HOURS + 20))[TWO_HOURS + 2 :]
    assert judge.look(looks[0]).outcome is VerdictKind.PASS
    assert judge.look(replace(looks[1], data_age_seconds=90.0)).outcome is VerdictKind.NO_DATA
    outcomes = [judge.look(seen) for seen in looks[2:9]]
    assert [one.outcome for one in outcomes] == [VerdictKind.INCONCLUSIVE] * 4 + [VerdictKind.PASS] * 3
    assert outcomes[0].reason == "data was missing 30s ago: 4 more looks without a gap are needed"
    assert outcomes[3].reason == "data was missing 2m ago: 1 more look without a gap is needed"
    # A look that never came, since its source was too slow, is a gap as well.
    assert judge.look(looks[11]).outcome is VerdictKind.INCONCLUSIVE


@pytest.mark.parametrize(("began", "wanted"), [(1, VerdictKind.PASS), (3, VerdictKind.INCONCLUSIVE)])
def test_before_there_could_be_data_none_is_missing(tools: Tools, began: int, wanted: VerdictKind) -> None:
    fleet = tools.Fleet.drawn()
    phase = tools.canary_phase(min_hours=0.0)
    judge = fleet.judge(phase)
    looks = list(fleet.looks(TWO_HOURS + 20))
    for number in range(began):
        seen = replace(looks[TWO_HOURS + number], seconds=30.0 * (number + 1), canary_latency=Latency())
        judge = Judge.restore(judge.state(), fleet.assignment, phase, baseline=fleet.baseline())
        assert judge.look(seen).outcome is VerdictKind.INCONCLUSIVE
    verdict = judge.look(replace(looks[TWO_HOURS + 10], seconds=30.0 * (began + 1)))
    assert verdict.outcome is wanted, verdict.reason


def test_too_few_operations_or_tenants_are_no_data_however_long_it_lasts(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    assert last(fleet.judge(tools.canary_phase(min_operations=10**8)), fleet).outcome is VerdictKind.NO_DATA
    verdict = last(fleet.judge(tools.canary_phase(min_tenants=21)), fleet)
    assert verdict.outcome is VerdictKind.NO_DATA
    assert verdict.reason == "20 of 21 active tenants"


def test_silence_never_passes(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    judge = fleet.judge()
    zeros = Counts(*(np.zeros(fleet.assignment.size) for _ in range(4)))
    for look in range(1, 400):
        assert judge.look(Observation(look * 30.0, zeros, zeros, zeros)).outcome is VerdictKind.NO_DATA


def test_only_fresh_time_counts(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    *_, seen = fleet.looks(TWO_HOURS + 5)
    verdict = fleet.judge().look(replace(seen, fresh_seconds=seen.seconds / 2))
    assert verdict.outcome is VerdictKind.INCONCLUSIVE
    assert verdict.reason == "1.0 of 2 h with fresh data"


@pytest.mark.parametrize("latency", [Latency(), Latency(math.nan, math.nan), Latency(math.inf, 1.0), Latency(0.0, 1.0)])
def test_a_latency_that_is_missing_or_no_number_never_passes(tools: Tools, latency: Latency) -> None:
    fleet = tools.Fleet.drawn()
    *_, seen = fleet.looks(TWO_HOURS + 5)
    verdict = fleet.judge().look(replace(seen, canary_latency=latency))
    assert verdict.outcome is VerdictKind.INCONCLUSIVE
    assert verdict.reason == "no data for p95_regression"
    assert result(verdict, "p95_regression").outcome is VerdictKind.NO_DATA


@pytest.mark.parametrize("value", [math.nan, -1.0, math.inf])
def test_counts_that_are_no_counts_are_refused_by_name(tools: Tools, value: float) -> None:
    fleet = tools.Fleet.drawn()
    seen = next(iter(fleet.looks(1)))
    errors = seen.whole_phase.errors.copy()
    errors[3] = value
    with pytest.raises(InvalidInput, match=r"whole_phase\.errors"):
        fleet.judge().look(replace(seen, whole_phase=replace(seen.whole_phase, errors=errors)))
    with pytest.raises(InvalidInput, match=r"last_hour\.slow: needs 100 numbers"):
        fleet.judge().look(replace(seen, last_hour=replace(seen.last_hour, slow=np.zeros(3))))


def test_critical_incidents_are_a_policy_and_act_at_once(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    phase = tools.canary_phase(rollback=tools.limits("critical_errors >= 2"))
    judge = fleet.judge(phase)
    first, second = fleet.looks(2)
    assert judge.look(replace(first, incidents=1)).outcome is not VerdictKind.FAIL
    verdict = judge.look(replace(second, incidents=2))
    assert verdict.outcome is VerdictKind.FAIL
    assert (verdict.failing_metric, verdict.urgency) == ("critical_errors", Urgency.CRITICAL)
    assert verdict.failed_at == 60.0
    assert "policy" in verdict.reason


def test_the_more_urgent_failure_names_the_urgency(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    phase = tools.canary_phase(rollback=tools.limits("error_rate > 0.02", "critical_errors >= 1"))
    judge = fleet.judge(phase)
    seen = list(fleet.looks(30, canary_errors=0.2))
    for one in seen[:-1]:
        verdict = judge.look(one)
    assert verdict.urgency is Urgency.HIGH
    assert judge.look(replace(seen[-1], incidents=1)).urgency is Urgency.CRITICAL


def test_one_broken_tenant_of_the_cohort_is_found_and_named(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    place = int(np.flatnonzero(fleet.assignment.canary)[0])
    verdict = last(fleet.judge(), fleet, per_tenant={place: 0.6})
    assert verdict.outcome is VerdictKind.FAIL
    assert verdict.failing_metric == "error_rate"
    assert result(verdict, "error_rate").top_tenants[0].tenant_id == fleet.assignment.tenants[place]
    outside = int(np.flatnonzero(~fleet.assignment.canary)[0])
    assert last(fleet.judge(), fleet, per_tenant={place: 0.6, outside: 0.6}, looks=60).outcome is not VerdictKind.FAIL


def test_a_plain_threshold_acts_at_once_and_says_what_that_costs(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    plain = tools.canary_phase(rollback=tools.limits("error_rate > 0.002", evidence="threshold"), success=())
    verdict = last(fleet.judge(plain), fleet, looks=20)
    assert verdict.outcome is VerdictKind.FAIL
    assert verdict.operations >= plain.min_operations
    ruling = result(verdict, "error_rate")
    assert "healthy canaries" in ruling.note
    assert ruling.value is not None
    careful = tools.canary_phase(
        rollback=tools.limits("error_rate > 0.002"), success=tools.limits("error_rate <= 0.002")
    )
    assert last(fleet.judge(careful), fleet, looks=20).outcome is not VerdictKind.FAIL


def test_a_hand_picked_cohort_is_judged_without_the_draw_and_says_so(tools: Tools) -> None:
    drawn = tools.Fleet.drawn()
    names = drawn.assignment.tenants
    chosen = [name for name, inside in zip(names, drawn.assignment.canary, strict=True) if inside]
    fleet = replace(drawn, assignment=Assignment.hand_picked(names, chosen))
    healthy = last(fleet.judge(), fleet, looks=TWO_HOURS + 5)
    assert healthy.outcome is VerdictKind.PASS
    assert healthy.cohort is CohortBasis.HAND_PICKED
    assert any("picked by hand" in note for note in healthy.notes)
    assert "rank budget" not in {one.guard for one in healthy.guards}
    bad = last(fleet.judge(), fleet, canary_errors=0.015)
    assert bad.outcome is VerdictKind.FAIL
    assert {one.guard for one in bad.guards if one.fired_at is not None} <= {"comparison errors", "gross failure"}


def test_with_everybody_in_only_absolute_limits_are_judged(tools: Tools) -> None:
    drawn = tools.Fleet.drawn()
    fleet = replace(drawn, assignment=Assignment.everyone(drawn.assignment.tenants))
    phase = tools.canary_phase(success=tools.limits("error_rate <= 0.01"), rollback=tools.limits("error_rate > 0.02"))
    healthy = last(fleet.judge(phase), fleet, looks=TWO_HOURS + 5)
    assert healthy.outcome is VerdictKind.PASS
    assert healthy.budget_spent is None  # nothing is spent where nobody is compared
    assert {one.guard for one in healthy.guards} == {"limit error_rate"}
    assert last(fleet.judge(phase), fleet, canary_errors=0.06).outcome is VerdictKind.FAIL


def test_without_a_baseline_it_still_finds_a_bad_canary_and_says_what_is_missing(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    judge = Judge(fleet.assignment, tools.canary_phase())
    verdict = last(judge, fleet, canary_errors=0.06)
    assert verdict.outcome is VerdictKind.FAIL
    assert any("no baseline" in note for note in verdict.notes)


def test_a_phase_without_success_criteria_never_passes(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    verdict = last(fleet.judge(tools.canary_phase(success=())), fleet, looks=TWO_HOURS + 5)
    assert verdict.outcome is VerdictKind.INCONCLUSIVE
    assert "nothing can pass" in verdict.reason


@pytest.mark.parametrize(
    ("fault", "failing"), [({"canary_errors": 0.3}, "error_rate"), ({"canary_slow": 0.4}, "p95_regression")]
)
def test_a_demo_phase_of_two_minutes_is_judged_like_a_long_one(
    tools: Tools, fault: dict[str, float], failing: str
) -> None:
    fleet = tools.Fleet.drawn()
    fleet.traffic, fleet.look_seconds = 300.0, 2.0
    phase = tools.canary_phase(min_hours=120 / 3600)
    settings = JudgeSettings.for_phase(phase, tick_seconds=2.0)
    assert (settings.hour_seconds, settings.confirm_seconds) == (30.0, 5.0)
    healthy = last(fleet.judge(phase, settings=settings), fleet, looks=65)
    assert healthy.outcome is VerdictKind.PASS
    bad = last(fleet.judge(phase, settings=settings), fleet, looks=60, **fault)
    assert (bad.outcome, bad.failing_metric) == (VerdictKind.FAIL, failing)
    assert bad.seconds <= 20


def test_healthy_canaries_are_left_alone(tools: Tools) -> None:
    settings = JudgeSettings(horizon_seconds=3600)
    failed = 0
    for seed in range(6):
        fleet = tools.Fleet.drawn(seed=seed)
        judge = fleet.judge(settings=settings)
        failed += any(judge.advance(seen) for seen in fleet.looks(120))
    assert failed == 0


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (GroupValue(0.95, 400), VerdictKind.PASS),
        (GroupValue(0.88, 400), VerdictKind.INCONCLUSIVE),
        (GroupValue(0.40, 400), VerdictKind.FAIL),
        (GroupValue(0.95, 4), VerdictKind.INCONCLUSIVE),
        (GroupValue(math.nan, 400), VerdictKind.INCONCLUSIVE),
        (GroupValue(0.95, 0), VerdictKind.INCONCLUSIVE),
        (GroupValue(7.0, 400), VerdictKind.INCONCLUSIVE),
        (None, VerdictKind.INCONCLUSIVE),
    ],
)
def test_csat_passes_only_with_enough_good_answers(
    tools: Tools, value: GroupValue | None, outcome: VerdictKind
) -> None:
    fleet = tools.Fleet.drawn()
    phase = tools.canary_phase(
        success=tools.limits("error_rate <= 0.01", "csat >= 0.9"), rollback=tools.limits("csat < 0.8")
    )
    *_, seen = fleet.looks(TWO_HOURS + 5)
    verdict = fleet.judge(phase).look(tools.with_metric(seen, "csat", value))
    assert verdict.outcome is outcome
    if outcome is VerdictKind.FAIL:
        assert (verdict.failing_metric, verdict.urgency) == ("csat", Urgency.MEDIUM)


def test_tickets_are_compared_with_control(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    phase = tools.canary_phase(
        success=tools.limits("ticket_increase <= 0.10"), rollback=tools.limits("ticket_increase > 0.25")
    )

    def after(canary: GroupValue | None, control: GroupValue | None) -> Verdict:
        *_, seen = fleet.looks(TWO_HOURS + 5)
        return fleet.judge(phase).look(tools.with_metric(seen, "ticket_increase", canary, control))

    assert after(GroupValue(0.05, 4000), GroupValue(0.05, 36000)).outcome is VerdictKind.PASS
    assert after(GroupValue(0.10, 8000), GroupValue(0.05, 36000)).failing_metric == "ticket_increase"
    # Ten tickets instead of eight prove nothing.
    assert after(GroupValue(0.0125, 10), GroupValue(0.01, 80)).outcome is VerdictKind.INCONCLUSIVE
    assert after(GroupValue(0.05, 4000), None).outcome is VerdictKind.INCONCLUSIVE
    assert after(GroupValue(0.05, 4000), GroupValue(0.0, 100)).outcome is VerdictKind.INCONCLUSIVE


def test_a_custom_count_is_a_policy_and_a_gauge_needs_its_variance_to_fail(tools: Tools) -> None:
    fleet = tools.Fleet.drawn()
    gauge = tools.limits("pricing_variance > 0.3", kind="gauge")
    phase = tools.canary_phase(rollback=(*tools.limits("chargebacks >= 3", kind="count"), *gauge))
    seen = list(fleet.looks(3))
    judge = fleet.judge(phase)
    verdict = judge.look(tools.with_metric(seen[0], "pricing_variance", GroupValue(0.5, 50)))
    assert "report its variance" in result(verdict, "pricing_variance").note
    assert verdict.outcome is not VerdictKind.FAIL
    verdict = judge.look(tools.with_metric(seen[1], "pricing_variance", GroupValue(0.5, 50, 0.01)))
    assert verdict.failing_metric == "pricing_variance"
    judge = fleet.judge(phase)
    assert judge.look(tools.with_metric(seen[0], "chargebacks", GroupValue(2, 2))).outcome is not VerdictKind.FAIL
    assert judge.look(tools.with_metric(seen[1], "chargebacks", GroupValue(3, 3))).failing_metric == "chargebacks"
