"""Effective states and their reasons, against golden vectors and against the definition itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagconsole.domain import evaluation
from flagconsole.domain.evaluation import Evaluation, OverrideRule, Reason, Rule, Ruleset
from flagconsole.domain.payload import parse_snapshot
from flagconsole.domain.states import OVERRIDE_STATES, FlagState

from ..vectors.reference import effective

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "evaluation.json").read_text("utf-8"))
NOW = 1_800_000_000.0


def rule(name, state, *, percentage=0, cohort=(), needs=()):
    return Rule(name, FlagState(state), percentage, frozenset(cohort), tuple(needs), 1)


def ruleset(*rules, overrides=None):
    return Ruleset("e1", 7, {item.flag_name: item for item in rules}, overrides or {})


def test_golden_vectors():
    rules = parse_snapshot(json.dumps(VECTORS["snapshot"]))
    now = datetime.fromisoformat(VECTORS["now"]).timestamp()
    wrong = []
    for case in VECTORS["cases"]:
        got = rules.evaluate(case["flag"], case["tenant"], now)
        if (got.state, got.reason) != (case["state"], case["reason"]):
            wrong.append((case, got))
    assert wrong == []
    assert {case["reason"] for case in VECTORS["cases"]} == set(Reason) - {Reason.STALE}
    assert {case["state"] for case in VECTORS["cases"]} == set(FlagState)


def test_a_kill_comes_before_all_else():
    rules = ruleset(
        rule("a.b", "kill", needs=["base.off"]),
        rule("base.off", "off"),
        overrides={"a.b": {"t": OverrideRule(FlagState.ON)}},
    )
    assert rules.evaluate("a.b", "t", NOW) == Evaluation("a.b", FlagState.KILL, Reason.KILLED, 7)


def test_an_override_counts_until_the_second_it_expires():
    rules = ruleset(rule("a.b", "off"), overrides={"a.b": {"t": OverrideRule(FlagState.ON, NOW)}})
    assert rules.evaluate("a.b", "t", NOW - 0.001).state is FlagState.ON
    assert rules.evaluate("a.b", "t", NOW).state is FlagState.OFF
    assert rules.evaluate("a.b", "t", NOW + 1).reason is Reason.STATE
    # Asked before the expiry again, as a reader with a slower clock does: remembered answers don't leak across it.
    assert rules.evaluate("a.b", "t", NOW - 0.001).reason is Reason.OVERRIDE


def test_the_dependency_that_caps_is_named_also_through_others():
    rules = ruleset(
        rule("top.flag", "on", needs=["mid.flag", "mailgun"]),
        rule("mid.flag", "on", needs=["low.flag"]),
        rule("low.flag", "kill"),
    )
    assert rules.evaluate("top.flag", "t", NOW) == Evaluation(
        "top.flag", FlagState.OFF, Reason.DEPENDENCY, 7, "low.flag"
    )
    assert rules.closure("top.flag") == ("mid.flag", "low.flag")
    assert rules.dependents("low.flag") == ["mid.flag", "top.flag"]


def test_off_wins_over_shadow_among_dependencies():
    rules = ruleset(
        rule("a.b", "on", needs=["one.shadow", "two.off"]), rule("one.shadow", "shadow"), rule("two.off", "off")
    )
    assert rules.evaluate("a.b", "t", NOW)[1:] == (FlagState.OFF, Reason.DEPENDENCY, 7, "two.off")


def test_a_cycle_in_a_damaged_payload_ends():
    rules = ruleset(rule("a.b", "on", needs=["c.d"]), rule("c.d", "on", needs=["a.b"]))
    assert rules.evaluate("a.b", "t", NOW).state is FlagState.ON


def test_what_is_unknown_is_off():
    got = ruleset().evaluate("no.such", "t", NOW)
    assert got == Evaluation("no.such", FlagState.OFF, Reason.FLAG_NOT_FOUND, 7)
    assert not got.enabled
    assert not got.shadow


@pytest.mark.parametrize(
    ("state", "enabled", "shadow"),
    [
        ("off", False, False),
        ("shadow", False, True),
        ("canary", True, False),
        ("on", True, False),
        ("kill", False, False),
    ],
)
def test_what_a_state_runs(state, enabled, shadow):
    got = ruleset(rule("a.b", state, percentage=100)).evaluate("a.b", "t", NOW)
    assert (got.enabled, got.shadow) == (enabled, shadow)


def test_a_changed_ruleset_leaves_the_old_one_alone():
    before = ruleset(rule("a.b", "on"), rule("c.d", "on", needs=["a.b"]))
    assert before.evaluate("c.d", "t", NOW).state is FlagState.ON
    after = before.with_rule(8, "a.b", rule("a.b", "kill"))
    assert (after.revision, after.evaluate("c.d", "t", NOW).state) == (8, FlagState.OFF)
    assert (before.revision, before.evaluate("c.d", "t", NOW).state) == (7, FlagState.ON)


def test_dependencies_follow_when_they_change():
    before = ruleset(rule("a.b", "on"), rule("base.off", "off"))
    after = before.with_rule(8, "a.b", rule("a.b", "on", needs=["base.off"]))
    assert after.evaluate("a.b", "t", NOW).dependency == "base.off"
    without = after.with_rule(9, "base.off", None)
    assert without.evaluate("a.b", "t", NOW).state is FlagState.ON


def test_an_archived_flag_takes_its_overrides_along():
    before = ruleset(rule("a.b", "off"), overrides={"a.b": {"t": OverrideRule(FlagState.ON)}})
    after = before.with_rule(8, "a.b", None).with_rule(9, "a.b", rule("a.b", "off"))
    assert after.evaluate("a.b", "t", NOW).state is FlagState.OFF


def test_overrides_come_and_go():
    rules = ruleset(rule("a.b", "off")).with_override(8, "a.b", "t", OverrideRule(FlagState.SHADOW, NOW + 5))
    assert rules.evaluate("a.b", "t", NOW).state is FlagState.SHADOW
    assert rules.evaluate("a.b", "u", NOW).state is FlagState.OFF
    assert rules.next_expiry == NOW + 5
    gone = rules.with_override(9, "a.b", "t", None)
    assert gone.evaluate("a.b", "t", NOW).state is FlagState.OFF
    assert gone.next_expiry == inf


def test_remembered_answers_are_bounded(monkeypatch):
    monkeypatch.setattr(evaluation, "MEMO_LIMIT", 10)
    rules = ruleset(rule("a.b", "canary", percentage=50))
    first = [rules.evaluate("a.b", f"t{number}", NOW) for number in range(50)]
    assert len(rules.memo) <= 10
    assert [rules.evaluate("a.b", f"t{number}", NOW) for number in range(50)] == first


FLAGS = ("a.one", "a.two", "a.three", "a.four")
TENANTS = ("t1", "t2", "t3")


@st.composite
def snapshots(draw):
    """Any small snapshot whose dependencies only point forward, so that the definition's recursion ends."""
    flags = [
        {
            "flag_name": name,
            "current_state": draw(st.sampled_from(list(FlagState))).value,
            "canary_percentage": draw(st.integers(0, 100)),
            "canary_tenant_ids": draw(st.lists(st.sampled_from(TENANTS), max_size=2)),
            "dependencies": draw(st.lists(st.sampled_from((*FLAGS[at + 1 :], "external.thing")), max_size=3)),
            "version": 1,
        }
        for at, name in enumerate(FLAGS)
    ]
    overrides = [
        {
            "flag_name": flag,
            "tenant_id": tenant,
            "override_state": draw(st.sampled_from(sorted(OVERRIDE_STATES))).value,
            "expires_at": draw(
                st.sampled_from((None, "2026-11-23T02:59:59Z", "2026-11-23T03:00:00Z", "2026-11-23T03:00:01Z"))
            ),
        }
        for flag, tenant in draw(st.sets(st.tuples(st.sampled_from(FLAGS), st.sampled_from(TENANTS)), max_size=6))
    ]
    return {"schema": 1, "epoch": "e", "revision": 1, "flags": flags, "overrides": overrides}


@given(snapshots())
def test_like_the_definition_for_any_ruleset(snapshot):
    rules = parse_snapshot(json.dumps(snapshot))
    moment = datetime(2026, 11, 23, 3, 0, 0, tzinfo=UTC)
    for now in (moment, moment + timedelta(seconds=1), moment):
        for flag in FLAGS:
            for tenant in TENANTS:
                got = rules.evaluate(flag, tenant, now.timestamp())
                assert (got.state, got.reason) == effective(snapshot, flag, tenant, now.timestamp())
