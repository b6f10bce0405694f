"""Snapshots and events from a stranger: nothing but ``PayloadError`` is raised, and what can't be read is off."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagconsole.domain.evaluation import OverrideRule, Reason, Rule, Ruleset
from flagconsole.domain.payload import PayloadError, apply_event, dump_snapshot, parse_snapshot
from flagconsole.domain.states import FlagState

NOW = 1_800_000_000.0


def flag(name="a.b", **changes):
    return {
        "flag_name": name,
        "flag_type": "feature",
        "current_state": "on",
        "canary_percentage": 0,
        "canary_tenant_ids": [],
        "dependencies": [],
        "version": 1,
        **changes,
    }


def snapshot(*flags, **changes):
    return json.dumps({"schema": 1, "epoch": "e1", "revision": 5, "flags": flags, "overrides": [], **changes})


def event(revision, flag, *, name="a.b", tenant=None, override=None, epoch="e1"):
    change = {"flag_name": name, "tenant_id": tenant}
    return json.dumps({"epoch": epoch, "revision": revision, "change": change, "flag": flag, "override": override})


def override(state="on", expires_at=None, tenant="t"):
    return {"flag_name": "a.b", "tenant_id": tenant, "override_state": state, "expires_at": expires_at}


def state_of(rules, tenant="t", name="a.b"):
    return rules.evaluate(name, tenant, NOW).state


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '"on"',
        b"\xff\xfe\x00",
        "[" * 100_000,
        "1" * 10_000,
        "<html>502</html>",
        snapshot(schema=2),
        snapshot(epoch=""),
        snapshot(epoch="x" * 65),
        snapshot(epoch=5),
        snapshot(revision=-1),
        snapshot(revision=True),
        snapshot(revision=1.5),
        snapshot(revision=2**63),
        snapshot(flags={}),
        snapshot(overrides=None),
        snapshot(5),
        snapshot({"current_state": "on"}),
        snapshot(flag(name=None)),
        snapshot(overrides=[{"flag_name": "a.b"}]),
    ],
    ids=lambda text: repr(text[:40]),
)
def test_what_is_no_snapshot_is_refused(text):
    with pytest.raises(PayloadError):
        parse_snapshot(text)


@pytest.mark.parametrize(
    "damage",
    [
        {"current_state": "enabled"},
        {"current_state": None},
        {"current_state": ["on"]},
        {"current_state": "canary", "canary_percentage": 101},
        {"current_state": "canary", "canary_percentage": "100"},
        {"current_state": "canary", "canary_percentage": True},
        {"current_state": "canary", "canary_percentage": 100, "canary_tenant_ids": [1]},
        {"dependencies": "other.flag"},
        {"dependencies": [None]},
    ],
    ids=str,
)
def test_a_flag_that_cannot_be_understood_is_off(damage):
    assert state_of(parse_snapshot(snapshot(flag(**damage)))) is FlagState.OFF


@pytest.mark.parametrize(
    "damage", [{"canary_percentage": 200}, {"dependencies": 5}, {"canary_tenant_ids": None}], ids=str
)
def test_a_kill_stays_a_kill_whatever_else_is_damaged(damage):
    assert state_of(parse_snapshot(snapshot(flag(current_state="kill", **damage)))) is FlagState.KILL


@pytest.mark.parametrize(
    "damaged",
    [
        override("kill"),
        override("enabled"),
        override(None),
        override("on", "tomorrow"),
        override("on", 1_900_000_000),
        override("on", "2099-01-01T00:00:00"),
    ],
    ids=lambda item: f"{item['override_state']}-{item['expires_at']}",
)
def test_an_override_that_cannot_be_understood_is_off(damaged):
    rules = parse_snapshot(snapshot(flag(), overrides=[damaged]))
    got = rules.evaluate("a.b", "t", NOW)
    assert (got.state, got.reason) == (FlagState.OFF, Reason.OVERRIDE)
    assert state_of(rules, "another") is FlagState.ON


def test_an_event_goes_one_revision_forward():
    before = parse_snapshot(snapshot(flag()))
    after = apply_event(before, event(6, flag(current_state="kill")))
    assert after is not None
    assert (after.revision, state_of(after)) == (6, FlagState.KILL)
    assert state_of(before) is FlagState.ON


@pytest.mark.parametrize(("revision", "epoch"), [(7, "e1"), (6, "e2"), (6, "e0"), (1000, "e1")])
def test_an_event_that_does_not_follow_asks_for_a_snapshot(revision, epoch):
    assert apply_event(parse_snapshot(snapshot(flag())), event(revision, flag(), epoch=epoch)) is None


@pytest.mark.parametrize("revision", [0, 4, 5])
def test_an_event_of_the_past_changes_nothing(revision):
    rules = parse_snapshot(snapshot(flag(current_state="kill")))
    assert apply_event(rules, event(revision, flag())) is rules


def test_an_event_archives():
    after = apply_event(parse_snapshot(snapshot(flag())), event(6, None))
    assert after is not None
    assert after.evaluate("a.b", "t", NOW).reason is Reason.FLAG_NOT_FOUND


def test_an_event_sets_and_removes_a_tenants_override():
    rules = parse_snapshot(snapshot(flag(current_state="off")))
    with_it = apply_event(rules, event(6, flag(current_state="off"), tenant="t", override=override("shadow")))
    assert with_it is not None
    assert (state_of(with_it), state_of(with_it, "u")) == (FlagState.SHADOW, FlagState.OFF)
    without = apply_event(with_it, event(7, flag(current_state="off"), tenant="t"))
    assert without is not None
    assert state_of(without) is FlagState.OFF


@pytest.mark.parametrize(
    "text",
    [
        event(6, flag("other.flag")),
        event(6, 5),
        event(6, flag(), tenant=5),
        event(6, flag(), tenant="t", override={"override_state": "on"}),
        json.dumps({"epoch": "e1", "revision": 6}),
        json.dumps({"epoch": "e1", "revision": 6, "change": {}}),
        "half an ev",
    ],
)
def test_what_is_no_event_is_refused(text):
    with pytest.raises(PayloadError):
        apply_event(parse_snapshot(snapshot(flag())), text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(list(FlagState)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(list(flag())).flatmap(lambda name: st.tuples(st.just(name), json_values))


@given(st.lists(fields, max_size=4), json_values)
def test_any_damage_to_one_flag_never_turns_it_on(changes, extra):
    """A flag that is off stays off, killed or unknown, whatever happens to its other fields."""
    damaged = {**flag(current_state="off"), **dict(changes), "extra": extra}
    if damaged["current_state"] in ("on", "canary", "shadow"):
        damaged["current_state"] = "off"
    try:
        rules = parse_snapshot(snapshot(damaged))
    except PayloadError:
        return
    assert not rules.evaluate("a.b", "t", NOW).enabled


@given(json_values)
def test_any_json_is_read_or_refused(value):
    text = json.dumps(value)
    rules = parse_snapshot(snapshot(flag()))
    for read in (parse_snapshot, lambda given: apply_event(rules, given)):
        try:
            read(text)
        except PayloadError:
            continue


@pytest.mark.parametrize("unreadable", ["t", 7, [7], {"t": 1}, False])
def test_a_drawn_canary_with_an_unreadable_holdout_is_off(unreadable):
    given = flag(current_state="canary", canary_percentage=100, canary_tenant_ids=["t"])
    assert parse_snapshot(snapshot(given | {"canary_holdout_ids": []})).evaluate("a.b", "new", NOW).enabled
    rules = parse_snapshot(snapshot(given | {"canary_holdout_ids": unreadable}))
    assert not any(rules.evaluate("a.b", tenant, NOW).enabled for tenant in ("t", "new"))


expiries = st.just(float("inf")) | st.floats(-1e18, 1e18)


@given(
    st.dictionaries(
        st.sampled_from(("a.b", "c.d", "e.f")),
        st.tuples(
            st.sampled_from(list(FlagState)),
            st.integers(0, 100),
            st.frozensets(st.sampled_from(("t", "u")), max_size=2),
            st.lists(st.sampled_from(("a.b", "c.d", "mailgun")), max_size=2).map(tuple),
            st.integers(0, 9),
            st.none() | st.frozensets(st.sampled_from(("t", "v")), max_size=2),
        ),
    ),
    st.dictionaries(
        st.sampled_from(("t", "u", "\ud800")), st.tuples(st.sampled_from(("off", "shadow", "on")), expiries)
    ),
)
def test_a_dumped_ruleset_reads_back_to_the_same_answers(rules, overrides):
    held = Ruleset(
        "e1",
        9,
        {name: Rule(name, *rest) for name, rest in rules.items()},
        {"a.b": {tenant: OverrideRule(FlagState(state), expiry) for tenant, (state, expiry) in overrides.items()}},
    )
    again = parse_snapshot(dump_snapshot(held))
    assert (again.epoch, again.revision) == ("e1", 9)
    assert again.rules == held.rules
    for name in ("a.b", "c.d", "e.f"):
        for tenant in ("t", "u", "\ud800", "v"):
            assert again.evaluate(name, tenant, NOW) == held.evaluate(name, tenant, NOW)


def without_cohort(**changes):
    return {name: value for name, value in flag(**changes).items() if name != "canary_tenant_ids"}


def test_an_event_without_a_cohort_keeps_the_one_that_is_known():
    before = parse_snapshot(snapshot(flag(current_state="canary", canary_tenant_ids=["t1"], canary_holdout_ids=["t2"])))
    killed = apply_event(before, event(6, without_cohort(current_state="kill")))
    assert state_of(killed, "t1") is FlagState.KILL
    revived = apply_event(killed, event(7, without_cohort(current_state="canary", canary_percentage=100)))
    assert state_of(revived, "t1") is FlagState.CANARY
    assert state_of(revived, "t2") is FlagState.OFF


def test_an_event_without_a_cohort_for_an_unknown_flag_asks_for_a_snapshot():
    assert apply_event(parse_snapshot(snapshot()), event(6, without_cohort())) is None


def test_a_canary_whose_tenants_are_not_told_is_off_in_a_snapshot():
    told = parse_snapshot(snapshot(without_cohort(current_state="canary", canary_percentage=100)))
    assert state_of(told) is FlagState.OFF
