"""What a window of measurements says, and what becomes of each batch."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.evaluation import OverrideRule, Rule, Ruleset
from flagconsole.domain.group import Group
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.sketch import bin_of
from flagconsole.domain.states import FlagState
from flagconsole.domain.telemetry import FeedbackBatch, TelemetryBatch
from flagconsole.operations.metrics import flag_metrics, metric_value
from flagconsole.operations.telemetry import PhaseUnderWay, feedback_write, telemetry_write

FLAG, DONE, OFF = "pos.lite", "pos.done", "pos.off"
SDK = Actor(name="billing", role=Role.SDK)
IN, OUT = "in", "out"


def ruleset(**overrides) -> Ruleset:
    rules = [
        Rule(FLAG, FlagState.CANARY, 0, frozenset({IN}), (), 1),
        Rule(DONE, FlagState.ON, 0, frozenset(), (), 1),
        Rule(OFF, FlagState.OFF, 0, frozenset(), (), 1),
    ]
    return Ruleset("e", 1, {rule.flag_name: rule for rule in rules}, overrides)


@pytest.fixture
def now(clock) -> int:
    """A whole half minute."""
    clock.at = clock.at.replace(second=0, microsecond=0)
    return int(clock.at.timestamp())


def bucket(start, tenant=IN, group="canary", **fields):
    fields = {"operations": 10, "successes": 10, "flag_name": FLAG, **fields}
    return {"start": start, "tenant_id": tenant, "group": group, **fields}


def batch(*buckets, batch_id="b", **fields) -> TelemetryBatch:
    return TelemetryBatch(batch_id=batch_id, instance="i", service="s", buckets=buckets, **fields)


async def take(store, now, *buckets, batch_id="b", actor=SDK, **fields):
    write, taken = telemetry_write(actor, batch(*buckets, batch_id=batch_id, **fields), ruleset(), now)
    await store.metrics.save([write])
    return taken


async def say(store, now, *events, batch_id="e", rules=None):
    body = FeedbackBatch.model_validate({"batch_id": batch_id, "events": events})
    write, taken = feedback_write(SDK, body, rules or ruleset(), now)
    await store.metrics.save([write])
    return taken


def latency(*milliseconds):
    return {
        "latency": sorted((bin_of(value / 1000), 1) for value in milliseconds),
        "latency_seconds": sum(milliseconds) / 1000,
    }


async def test_the_canary_is_compared_with_the_control(store, clock, now):
    await take(
        store,
        now,
        bucket(now - 60, errors=1, successes=9, **latency(100, 200, 400)),
        bucket(now - 60, OUT, "control", operations=40, successes=38, errors=2, **latency(100, 200, 200)),
    )
    found = await flag_metrics(store.metrics, FLAG, clock(), 3600)
    canary, control = found.groups[Group.CANARY].totals, found.groups[Group.CONTROL].totals
    assert (canary.operations, canary.error_rate, canary.success_rate) == (10, 0.1, 0.9)
    assert (control.operations, control.error_rate, control.active_tenants) == (40, 0.05, 1)
    assert canary.latency_p95 == pytest.approx(200, rel=0.011)
    assert canary.latency_mean == pytest.approx(700 / 3)
    by_name = {item.metric: item for item in found.comparison}
    assert by_name["error_rate"].change == pytest.approx(1.0)
    assert by_name["latency_p95"].change == pytest.approx(0.0)
    assert (found.operations, found.active_tenants) == (50, 2)
    assert found.latency_mean == pytest.approx(1200 / 6)


async def test_gaps_are_null_and_never_zero(store, clock, now):
    await take(store, now, bucket(now - 600), bucket(now - 540, errors=0, **latency(50)))
    found = await flag_metrics(store.metrics, FLAG, clock(), 900, 30)
    at = {start: index for index, start in enumerate(found.starts)}
    series = found.groups[Group.CANARY].series
    first, gap, second = (at[clock() - timedelta(seconds=ago)] for ago in (600, 570, 540))
    assert [series.operations[index] for index in (first, gap, second)] == [10, None, 10]
    assert [series.error_rate[index] for index in (first, gap, second)] == [0, None, 0]
    assert series.latency_p95[first] is None
    assert series.latency_p95[second] == pytest.approx(50, rel=0.011)
    assert [series.tickets[index] for index in (first, gap, second)] == [0, None, 0]
    assert set(series.csat) == {None}
    assert len(series.operations) == len(found.starts) == 30
    assert found.starts[-1] <= clock() < found.until


async def test_nothing_measured_is_said_as_nothing(store, clock):
    found = await flag_metrics(store.metrics, FLAG, clock(), 3600)
    assert (found.newest_at, found.age_seconds, found.operations, found.latency_mean) == (None, None, 0, None)
    assert found.groups == {}
    assert found.comparison == ()


async def test_the_age_is_that_of_the_newest_bucket_also_outside_the_window(store, clock, now):
    await take(store, now, bucket(now - 600))
    clock.forward(hours=2)
    found = await flag_metrics(store.metrics, FLAG, clock(), 3600)
    assert found.groups == {}
    assert found.age_seconds == 7200 + 570


async def test_incidents_are_distinct_by_tenant_fingerprint_and_five_minutes(store, clock, now):
    start = now // 300 * 300 - 300
    await take(
        store,
        now,
        bucket(start, criticals={"TaxTable": 3}),
        bucket(start + 30, criticals={"TaxTable": 1, "Disk": 1}),
        bucket(start + 30, "in2", criticals={"TaxTable": 1}),
    )
    found = await flag_metrics(store.metrics, FLAG, clock(), 3600)
    totals = found.groups[Group.CANARY].totals
    assert (totals.critical_errors, totals.critical_incidents) == (6, 3)
    assert metric_value(found, Group.CANARY, "critical_errors") == 3


async def test_custom_metrics_have_the_mean_share_or_number_that_their_kind_means(store, clock, now):
    await take(
        store,
        now,
        bucket(
            now - 60,
            custom={
                "accepted": {"kind": "ratio", "total": 3, "count": 4},
                "gap": {"kind": "gauge", "total": -1.0, "count": 4},
                "retries": {"kind": "count", "total": 7, "count": 5},
            },
        ),
        bucket(now - 30, OUT, "control", custom={"accepted": {"kind": "ratio", "total": 1, "count": 2}}),
    )
    found = await flag_metrics(store.metrics, FLAG, clock(), 3600)
    values = {name: (item.value, item.count) for name, item in found.groups[Group.CANARY].totals.custom.items()}
    assert values == {"accepted": (0.75, 4), "gap": (-0.25, 4), "retries": (7, 5)}
    by_name = {item.metric: item for item in found.comparison}
    assert by_name["accepted"].change == pytest.approx(0.5)
    assert by_name["gap"].control is None
    assert metric_value(found, Group.CONTROL, "accepted") == 0.5
    assert metric_value(found, Group.CONTROL, "gap") is None


async def test_feedback_counts_for_the_group_that_the_tenant_is_in(store, clock, now):
    await take(
        store,
        now,
        bucket(now - 60),
        bucket(now - 60, "in2"),
        bucket(now - 60, OUT, "control"),
        bucket(now - 60, "out2", "control"),
    )
    answers = [{"kind": "csat", "tenant_id": IN, "flag_name": FLAG, "value": value} for value in (1, 0.5)]
    tickets = [{"kind": "ticket", "tenant_id": tenant} for tenant in (IN, IN, IN, IN, OUT, "out2")]
    taken = await say(store, now, *answers, *tickets)
    assert taken.taken == 8
    found = await flag_metrics(store.metrics, FLAG, clock(), 3600)
    canary = found.groups[Group.CANARY].totals
    assert (canary.csat, canary.csat_answers, canary.tickets) == (0.75, 2, 4)
    assert found.groups[Group.CONTROL].totals.csat is None
    # Four tickets of two tenants against two of two.
    assert metric_value(found, Group.CANARY, "ticket_increase") == pytest.approx(1.0)
    # A ticket without a flag counts for those under way only.
    assert (await flag_metrics(store.metrics, DONE, clock(), 3600)).groups == {}


async def test_an_overridden_tenant_speaks_for_nobody(store, clock, now):
    rules = ruleset(**{FLAG: {IN: OverrideRule(FlagState.ON)}})
    await say(store, now, {"kind": "csat", "tenant_id": IN, "flag_name": FLAG}, rules=rules)
    assert set((await flag_metrics(store.metrics, FLAG, clock(), 3600)).groups) == {Group.OTHER}


async def test_conversions_come_from_operations_and_from_events(store, clock, now):
    await take(store, now, bucket(now - 60, conversions=2))
    await say(store, now, {"kind": "conversion", "tenant_id": IN, "flag_name": FLAG, "value": 3})
    totals = (await flag_metrics(store.metrics, FLAG, clock(), 3600)).groups[Group.CANARY].totals
    assert (totals.conversions, totals.conversion_rate) == (5, 0.5)


async def test_each_bucket_is_taken_late_early_or_unknown(store, now):
    taken = await take(
        store,
        now,
        bucket(now - 15 * 60 - 30),
        bucket(now - 15 * 60 - 60),
        bucket(now + 60),
        bucket(now + 90),
        bucket(now, flag_name="no.such"),
    )
    assert (taken.taken, taken.late, taken.early, taken.unknown) == (2, 1, 1, 1)


async def test_feedback_may_come_a_day_late(store, clock, now):
    def event(**ago):
        at = (clock() - timedelta(**ago)).isoformat()
        return {"kind": "csat", "tenant_id": IN, "flag_name": FLAG, "occurred_at": at}

    ahead, unknown = event(minutes=-2), {"kind": "ticket", "tenant_id": IN, "flag_name": "no.such"}
    taken = await say(store, now, event(hours=23), event(hours=25), ahead, unknown)
    assert (taken.taken, taken.late, taken.early, taken.unknown) == (1, 1, 1, 1)
    found = await flag_metrics(store.metrics, FLAG, clock(), 24 * 3600)
    assert found.groups[Group.CANARY].totals.csat_answers == 1


async def test_a_tenants_key_speaks_only_for_its_tenant(now):
    actor = Actor(name="t", role=Role.SDK, tenant_id=IN)
    telemetry_write(actor, batch(bucket(now)), ruleset(), now)
    with pytest.raises(InvalidInput) as caught:
        telemetry_write(actor, batch(bucket(now, OUT)), ruleset(), now)
    assert caught.value.details == {"field": "tenant_id", "problem": "is not the tenant of this key", "value": OUT}


def test_tenants_are_kept_finely_only_while_the_flag_is_under_way(now):
    both = batch(bucket(now), bucket(now, flag_name=DONE), bucket(now - 30, flag_name=DONE))
    write, _ = telemetry_write(SDK, both, ruleset(), now)
    widths = {(row.flag_name, row.seconds): row.tally.operations for row in write.tenants}
    assert widths == {(FLAG, 30): 10, (DONE, 3600): 20}
    assert {row.seconds for row in write.groups} == {30}
    write, _ = telemetry_write(SDK, both, ruleset(), now, in_rollout={DONE: PhaseUnderWay(0, frozenset())})
    assert {row.seconds for row in write.tenants} == {30}


def test_tenants_beyond_the_bound_lose_their_names_and_no_operation(now):
    many = batch(*(bucket(now, f"t{number}") for number in range(20)))
    room = iter([True] * 3 + [False] * 17)
    write, _ = telemetry_write(SDK, many, ruleset(), now, has_room=lambda flag, start: next(room))
    assert {row.tenant_id: row.tally.operations for row in write.tenants} == {"t0": 10, "t1": 10, "t2": 10, "": 170}
    assert [row.tally.operations for row in write.groups] == [200]


async def test_a_coarser_past_widens_the_steps(store, clock, now):
    await take(store, now, bucket(now - 60))
    write, _ = telemetry_write(SDK, batch(bucket(now - 60), batch_id="c"), ruleset(), now)
    [group] = write.groups
    wide = group._replace(start=(now - 1800) // 300 * 300, seconds=300)
    await store.metrics.save([write._replace(groups=[wide], tenants=[])])
    found = await flag_metrics(store.metrics, FLAG, clock(), 3600, 30)
    assert found.step_seconds == 300
    assert (await flag_metrics(store.metrics, FLAG, clock(), 3600, 400)).step_seconds == 600
    assert (await flag_metrics(store.metrics, FLAG, clock(), 600, 30)).step_seconds == 30


@pytest.mark.parametrize(("window", "step"), [(5, None), (91 * 86_400, None), (3600, 0), (3600, 7200), (86_400, 30)])
async def test_windows_and_steps_out_of_bounds_are_refused(store, clock, window, step):
    with pytest.raises(InvalidInput):
        await flag_metrics(store.metrics, FLAG, clock(), window, step)
