"""What people and services say is summed up by tenant in the phase that it happened in, and only that which the plan limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flagconsole.domain.evaluation import Rule, Ruleset
from flagconsole.domain.group import Group
from flagconsole.domain.metric import MetricKind
from flagconsole.domain.retention import Retention
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.states import FlagState
from flagconsole.domain.telemetry import FeedbackBatch, TelemetryBatch
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.operations.telemetry import PhaseUnderWay, feedback_write, telemetry_write
from flagconsole.rollout.phase_measurements import Subject
from flagconsole.rollout.phase_values import BY_GROUP, FEW_TENANTS, conversion_rate, phase_values, values_since
from flagconsole.rollout.slot import References
from flagconsole.server import telemetry_intake
from flagconsole.server.telemetry_intake import TelemetryIntake

from ..conftest import ADMIN
from .plans import a_plan

FLAG = "pos.lite"
SDK = Actor(name="billing", role=Role.SDK)
SINCE = 20_000 * 86_400
NOW = SINCE + 600
INSIDE = tuple(f"in{number}" for number in range(10))
RULES = Ruleset("e", 1, {FLAG: Rule(FLAG, FlagState.CANARY, 0, frozenset(INSIDE), (), 1)}, {})
PHASES = {FLAG: PhaseUnderWay(SINCE, frozenset({"accepted", "tickets", "csat", "gap"}))}
SUBJECT = Subject(FLAG, SINCE, (*INSIDE, "out"), Group.CANARY, References())
ACTIVE = {Group.CANARY: 10, Group.CONTROL: 90}


async def report(store, values, start=SINCE, batch_id="b", **options):
    """``values``: for each tenant its custom metrics as (kind, total, count)."""
    buckets = [
        {
            "start": start,
            "flag_name": FLAG,
            "tenant_id": tenant,
            "group": "canary" if tenant in INSIDE else "control",
            "custom": {
                name: {"kind": kind, "total": total, "count": count} for name, (kind, total, count) in own.items()
            },
        }
        for tenant, own in values.items()
    ]
    body = TelemetryBatch.model_validate({"batch_id": batch_id, "instance": "i", "service": "s", "buckets": buckets})
    write, _ = telemetry_write(SDK, body, RULES, NOW, in_rollout=PHASES, **options)
    await store.metrics.save([write])


async def say(store, *events, batch_id="e"):
    body = FeedbackBatch.model_validate({"batch_id": batch_id, "events": events})
    write, _ = feedback_write(SDK, body, RULES, NOW, in_rollout=PHASES)
    await store.metrics.save([write])


def ticket(tenant):
    return {"kind": "ticket", "tenant_id": tenant}


async def test_a_share_has_the_spread_between_its_tenants(store):
    own = {name: {"accepted": ("ratio", 2 * number, 20)} for number, name in enumerate(INSIDE)}
    await report(store, own | {"out": {"accepted": ("ratio", 9, 10)}})
    await report(store, own, start=SINCE + 30, batch_id="b2")
    found = (await phase_values(store.metrics, SUBJECT, ACTIVE))["accepted"]
    assert (found.canary.value, found.canary.count, found.canary.tenants) == (0.45, 400, 10)
    totals = np.array([4.0 * number for number in range(10)])
    expected = math.sqrt(((totals - 0.45 * 40) ** 2).sum() * 10 / 9) / 400
    assert found.canary.error == pytest.approx(expected)
    assert expected > 3 * math.sqrt(0.45 * 0.55 / 400)  # answers of one tenant are not independent
    assert found.note == ""
    assert found.control.error is None


async def test_few_tenants_have_no_spread_and_the_note_says_so(store):
    await report(store, {name: {"gap": ("gauge", 3.0, 2)} for name in INSIDE[:4]})
    found = (await phase_values(store.metrics, SUBJECT, ACTIVE))["gap"]
    assert (found.canary.value, found.canary.error, found.note) == (1.5, None, FEW_TENANTS)


async def test_tickets_are_counted_in_active_tenants_and_none_is_measured_where_others_had_some(store):
    await say(store, *[ticket(INSIDE[0])] * 3, ticket(INSIDE[1]), {"kind": "csat", "tenant_id": "out", "value": 0.5})
    found = await phase_values(store.metrics, SUBJECT, ACTIVE)
    tickets = found["ticket_increase"]
    assert (tickets.canary.value, tickets.canary.exposure, tickets.canary.squared) == (4, 10, 10)
    assert (tickets.control.value, tickets.control.exposure) == (0, 90)
    assert found["csat"].canary is None
    assert found["csat"].control.value == 0.5
    assert (await phase_values(store.metrics, SUBJECT, {}))["ticket_increase"].canary is None


async def test_what_the_plan_does_not_limit_or_was_before_the_phase_is_not_summed_up(store):
    await report(store, {"in1": {"unlimited": ("count", 3, 1)}})
    await report(store, {"in1": {"accepted": ("ratio", 1, 1)}}, start=SINCE - 30, batch_id="b2")
    assert await phase_values(store.metrics, SUBJECT, ACTIVE) == {}
    assert await store.metrics.phase_moments(FLAG, SINCE) == []


async def test_a_repeated_batch_counts_once_and_sums_stay_small(store):
    for number in range(20):
        await report(store, {"in1": {"accepted": ("ratio", 1, 2)}}, start=SINCE + 30 * number)
    [moments] = await store.metrics.phase_moments(FLAG, SINCE)
    assert (moments.tenants, moments.total, moments.samples) == (1, 1, 2)


async def test_old_sums_go(store):
    await report(store, {"in1": {"accepted": ("ratio", 1, 2)}})
    later = SINCE + 91 * 86_400
    while await store.metrics.roll_up(later, Retention()):
        pass
    assert await store.metrics.phase_moments(FLAG, SINCE) == []


async def test_any_other_span_is_known_by_group_and_the_note_says_so(store):
    own = {name: {"accepted": ("ratio", number, 20)} for number, name in enumerate(INSIDE)}
    await report(store, own)
    found = (await values_since(store.metrics, SUBJECT, SINCE + 30, ACTIVE))["accepted"]
    assert (found.canary.value, found.canary.count, found.canary.error) == (0.225, 200, None)
    assert found.note == BY_GROUP


def test_conversions_are_a_share_of_operations():
    canary = np.arange(20) < 10
    operations = np.full(20, 100.0)
    conversions = np.where(canary, 20.0 + np.arange(20), 10.0)
    found = conversion_rate(operations, conversions, canary, None)
    assert found.canary.value == pytest.approx(0.245)
    assert found.canary.error > 0
    assert found.control.value == pytest.approx(0.1)
    assert conversion_rate(operations, np.zeros(20), canary, None) is None


async def test_the_intake_knows_the_phase_and_names_so_many_tenants(store, operations, clock, flag, monkeypatch):
    monkeypatch.setattr(telemetry_intake, "TENANTS_PER_BUCKET", 2)
    plan = a_plan()
    phases = [
        phase.model_copy(update={"success": (phase.rollback[0].model_copy(update=_ACCEPTED),)}) for phase in plan.phases
    ]
    await RolloutOperations(store).start(ADMIN, flag, plan.model_copy(update={"phases": tuple(phases)}), "go")
    clock.forward(seconds=60)
    start = int(clock.at.timestamp()) // 30 * 30
    values = {"accepted": {"kind": "ratio", "total": 1, "count": 1}}
    buckets = [
        {"start": start, "flag_name": flag, "tenant_id": tenant, "group": "shadow", "custom": values}
        for tenant in ("t1", "t2", "t3", "t1")
    ]
    body = TelemetryBatch.model_validate({"batch_id": "b", "instance": "i", "service": "s", "buckets": buckets})
    rules = Ruleset("e", 1, {flag: Rule(flag, FlagState.SHADOW, 0, frozenset(), (), 1)}, {})
    await TelemetryIntake(store, lambda: rules).telemetry(SDK, body)
    since = int((await _under_way(store, flag)).phase_started_at.timestamp())
    [moments] = await store.metrics.phase_moments(flag, since)
    assert (moments.tenants, moments.samples) == (3, 4)  # t1, t2 and the nameless


_ACCEPTED = {"metric": "accepted", "kind": MetricKind.RATIO, "value": 0.5}


async def _under_way(store, flag):
    async with store.read() as reader:
        return await reader.active_rollout(flag)
