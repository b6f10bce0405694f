"""Plans with queries of their own, judged: good numbers pass, bad ones act after five looks, and no number is no good news."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.group import Group
from flagconsole.domain.judge import MetricValue
from flagconsole.domain.plan import Criterion, Phase, PhaseKind, Plan
from flagconsole.domain.requests import TenantRecord, TenantsPut
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import Purpose, VerdictKind
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.plan_file import parse_plan
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.rollout.prometheus_values import PrometheusValues
from flagconsole.rollout.sources import Failed, NoData, NotANumber, Stale, TimedOut, Value
from flagconsole.rollout.store_judging import StoreJudging

from ..conftest import ADMIN, OPERATOR
from .test_store_judging import TENANTS, Traffic, run

PLAN = """\
name: measured elsewhere
auto_promote: true
metrics:
  suggestion_accuracy:
    kind: ratio
    query: sum(rate(good{flag="{flag}",group="{group}"}[{window}])) / sum(rate(all{flag="{flag}",group="{group}"}[{window}]))
    freshness: max(timestamp(all{flag="{flag}"}))
  p95_regression:
    query: 1000 * p95{flag="{flag}",group="{group}"}
    freshness: max(timestamp(p95{flag="{flag}"}))
phases:
  - {name: shadow, kind: shadow, min_minutes: 5, success: [suggestion_accuracy >= 85 %]}
  - name: canary 50
    kind: canary
    percentage: 50
    min_minutes: 5
    success: [suggestion_accuracy >= 85 %, p95_regression <= 10 %]
    rollback:
      - {limit: suggestion_accuracy < 60 %, evidence: threshold}
  - {name: full, kind: full, percentage: 100, success: [suggestion_accuracy >= 85 %]}
"""


class Answers:
    """A Prometheus that answers with what the test put into ``readings``, by metric or by metric and group."""

    def __init__(self) -> None:
        self.readings = {"suggestion_accuracy": Value(0.9, 3), "p95_regression": Value(250.0, 3)}
        self.asked = []

    async def read(self, measured, query, now):
        self.asked.append((query.metric, query.group, query.window_seconds))
        return self.readings.get((query.metric, query.group)) or self.readings[query.metric]


@pytest.fixture
async def rollouts(store, operations, flag):
    records = tuple(TenantRecord(tenant_id=name) for name in TENANTS)
    await operations.put_tenants(ADMIN, TenantsPut(tenants=records))
    service = RolloutOperations(store)
    await service.tick(OPERATOR, flag, CHECKLIST)
    await service.start(ADMIN, flag, parse_plan(PLAN, "p.yaml").plan, "go")
    return service


@pytest.fixture
def passing_time(store, operations, rollouts, clock, flag):
    """Let minutes pass with healthy traffic; gives the rollout."""
    traffic = Traffic(store, clock)

    async def passing(answers, minutes, **options):
        judging = StoreJudging(store, PrometheusValues(answers, **options))
        await run(store, operations, clock, flag, traffic, minutes, judging)
        return (await rollouts.detail(ADMIN, flag)).rollout

    return passing


def found(rollout, metric, purpose=Purpose.SUCCESS):
    return next(one for one in rollout.verdict.criteria if (one.metric, one.purpose) == (metric, purpose))


async def test_good_numbers_promote_and_only_what_the_phase_limits_is_asked_for(passing_time):
    answers = Answers()
    rollout = await passing_time(answers, 7)
    assert rollout.phase == "canary 50"
    shadow = [asked for asked in answers.asked if asked[1] is Group.SHADOW]
    assert {metric for metric, _, _ in shadow} == {"suggestion_accuracy"}
    assert (shadow[0][2], shadow[-1][2] > 200) == (60, True)
    rollout = await passing_time(answers, 3)
    assert {group for metric, group, _ in answers.asked[-4:]} == {Group.CANARY, Group.CONTROL}
    result = found(rollout, "suggestion_accuracy")
    assert (result.outcome, result.value, result.operations, result.lower) == (VerdictKind.PASS, 0.9, 0, None)
    assert "measured by Prometheus: one number for each group" in result.note
    change = found(rollout, "p95_regression")
    assert (change.value, change.control_value) == (0.0, 250.0)
    assert (await passing_time(answers, 4)).phase == "full"


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (NoData("the query matches no series"), "shadow: the query matches no series"),
        (NotANumber("NaN"), "it gives NaN"),
        (Stale(0.99, 200.0), "its newest sample is 200 s old"),
        (Failed("bad_data: parse error"), "bad_data: parse error"),
        (TimedOut(5.0), "no answer within 5 s"),
    ],
)
async def test_what_is_no_number_promotes_nothing_and_says_why(passing_time, reading, said):
    answers = Answers()
    answers.readings["suggestion_accuracy"] = reading
    rollout = await passing_time(answers, 9)
    assert (rollout.phase, rollout.status) == ("shadow", RolloutStatus.RUNNING)
    assert rollout.verdict.kind is VerdictKind.INCONCLUSIVE
    assert "no data for suggestion_accuracy" in rollout.verdict.because
    assert said in found(rollout, "suggestion_accuracy").note
    assert found(rollout, "suggestion_accuracy").value is None


async def test_without_a_prometheus_nothing_is_known(passing_time):
    rollout = await passing_time(None, 9)
    assert rollout.phase == "shadow"
    assert "started without --prometheus" in found(rollout, "suggestion_accuracy").note


async def test_a_change_needs_the_control_too(passing_time):
    answers = Answers()
    await passing_time(answers, 7)
    answers.readings["p95_regression", Group.CONTROL] = NoData("gone")
    rollout = await passing_time(answers, 9)
    assert rollout.phase == "canary 50"
    assert "control: gone" in found(rollout, "p95_regression").note


async def test_five_looks_in_a_row_beyond_the_limit_roll_back_and_fewer_do_not(passing_time):
    answers = Answers()
    await passing_time(answers, 7)
    good, bad = Value(0.9, 3), Value(0.3, 3)
    for reading, minutes in ((bad, 2), (good, 1), (bad, 2)):
        answers.readings["suggestion_accuracy"] = reading
        rollout = await passing_time(answers, minutes)
    assert rollout.status is RolloutStatus.RUNNING
    limit = found(rollout, "suggestion_accuracy", Purpose.ROLLBACK)
    assert (limit.outcome, "5 looks in a row" in limit.note) == (VerdictKind.INCONCLUSIVE, True)
    # Nothing being known is no good news: it neither counts nor forgives. The judge's restart forgets nothing either.
    answers.readings["suggestion_accuracy"] = NotANumber("NaN")
    await passing_time(answers, 1)
    answers.readings["suggestion_accuracy"] = bad
    rollout = await passing_time(answers, 1)
    assert rollout.status is RolloutStatus.ROLLING_BACK
    assert (rollout.verdict.urgency, "5 looks in a row" in rollout.verdict.because) == (Urgency.MEDIUM, True)


async def test_one_that_hangs_does_not_keep_the_judge_from_what_the_store_knows(passing_time, store, clock, flag):
    class Hanging(Answers):
        async def read(self, measured, query, now):
            await asyncio.Event().wait()

    rollout = await passing_time(Hanging(), 1, all_seconds=0.01)
    assert "no answer within 0.01 s" in found(rollout, "suggestion_accuracy").note
    assert rollout.verdict.operations > 0


async def test_a_plan_without_queries_asks_nobody(rollouts, flag, clock):
    rollout = (await rollouts.detail(ADMIN, flag)).rollout
    bare = rollout.model_copy(update={"plan": rollout.plan.model_copy(update={"metrics": {}})})
    assert await PrometheusValues(None).values(bare, clock()) == {}
    assert await PrometheusValues(None).values(rollout, clock()) == {
        "suggestion_accuracy": MetricValue(
            None, source="Prometheus", problem="shadow: this server was started without --prometheus"
        )
    }


@pytest.mark.parametrize(
    ("wrong", "right", "line", "said"),
    [
        (", evidence: threshold}", "}", 19, "the rollback limit needs evidence: threshold"),
        (
            '    freshness: max(timestamp(p95{flag="{flag}"}))\n',
            "",
            9,
            "metrics.p95_regression.freshness: field required",
        ),
        ("    kind: ratio\n", "", 4, "say its kind"),
        ("    query: 1000", "    kind: latency\n    query: 1000", 8, "p95_regression is a change, not a latency"),
        ("  p95_regression:\n", "  critical_errors:\n", 8, "incidents of single tenants"),
        ('p95{flag="{flag}",group="{group}"}', 'p95{flag="{flag}"}', 9, "must hold {group}"),
        ('p95{flag="{flag}",group="{group}"}', 'p95{group="{group}"}', 9, "must hold {flag}"),
        (
            'p95{flag="{flag}",group="{group}"}',
            'p95{flag="{flag}",group="{group}"} * {tenant}',
            9,
            "no placeholder {tenant}",
        ),
        ("    query: 1000", "    querry: 1000", 9, "did you mean query?"),
        ("  p95_regression:\n", "  P95:\n", 8, "must be lower-case letters"),
    ],
)
def test_a_mistake_in_the_queries_is_named_by_line(wrong, right, line, said):
    assert wrong in PLAN
    with pytest.raises(InvalidInput) as refused:
        parse_plan(PLAN.replace(wrong, right, 1), "p.yaml")
    assert f"p.yaml line {line}" in str(refused.value)
    assert said in str(refused.value)


def test_a_flags_own_criteria_are_held_to_it_too():
    own = """\
flags:
  pos.lite:
    canary 50:
      rollback: [suggestion_accuracy < 50 %]
"""
    with pytest.raises(InvalidInput) as refused:
        parse_plan(PLAN + own, "p.yaml")
    assert "evidence: threshold" in str(refused.value)


def test_the_kind_of_a_metric_and_of_its_limits_must_be_one():
    plan = parse_plan(PLAN, "p.yaml").plan
    other = Criterion.model_validate({"metric": "suggestion_accuracy", "comparison": ">=", "value": 3, "kind": "gauge"})
    with pytest.raises(ValidationError, match="suggestion_accuracy is a ratio in metrics, not a gauge"):
        Plan(name="x", metrics=plan.metrics, phases=(Phase(name="s", kind=PhaseKind.SHADOW, success=(other,)),))
