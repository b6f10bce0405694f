"""Unleash's payload says what our evaluator says, for every state, cohort, override and dependency, at every moment."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagconsole.domain.evaluation import OverrideRule, Rule, Ruleset
from flagconsole.domain.states import OVERRIDE_STATES, FlagState
from flagconsole.domain.unleash import feature, feature_names

from ..unleash_reference import Reference, murmur3

TENANTS = ["t-1", "t-2", "t-3", "Jürgen's", 'a "b" \\c', "日本", "x" * 128, "1", "true"]
FLAGS = ["a.one", "a.two", "b.one", "b.two", "b.three"]
TIMES = [1_700_000_000.0, 1_700_000_000.5, 1_700_000_001.0]

tenant_sets = st.frozensets(st.sampled_from(TENANTS))
overrides = st.dictionaries(
    st.sampled_from(TENANTS),
    st.builds(OverrideRule, st.sampled_from(sorted(OVERRIDE_STATES)), st.sampled_from([*TIMES, inf])),
    max_size=4,
)


@st.composite
def rules(draw):
    """Flags that depend on earlier ones only, so that there is no cycle."""
    found = {}
    for number, name in enumerate(FLAGS):
        found[name] = Rule(
            name,
            draw(st.sampled_from(list(FlagState))),
            draw(st.sampled_from([0, 1, 10, 50, 99, 100])),
            draw(tenant_sets),
            tuple(draw(st.lists(st.sampled_from([*FLAGS[:number], "ext.thing"]), max_size=3, unique=True))),
            1,
            draw(st.none() | tenant_sets),
        )
    return found


def client_of(ruleset: Ruleset) -> Reference:
    client = Reference()
    client.take(json.dumps({"features": [feature(ruleset, name) for name in feature_names(ruleset)]}))
    return client


@given(rules(), st.dictionaries(st.sampled_from(FLAGS), overrides))
def test_it_says_what_our_evaluator_says(some_rules, some_overrides):
    ruleset = Ruleset("e", 1, some_rules, some_overrides)
    client = client_of(ruleset)
    for now in TIMES:
        at = datetime.fromtimestamp(now, UTC)
        for name in FLAGS:
            for tenant in TENANTS:
                ours = ruleset.evaluate(name, tenant, now).enabled
                assert client.is_enabled(name, {"tenantId": tenant}, at) is ours, (name, tenant, now)


@given(rules(), st.dictionaries(st.sampled_from(FLAGS), overrides))
def test_who_names_no_tenant_gets_only_what_every_tenant_gets(some_rules, some_overrides):
    ruleset = Ruleset("e", 1, some_rules, some_overrides)
    client = client_of(ruleset)
    for name in FLAGS:
        if client.is_enabled(name, {}, datetime.fromtimestamp(TIMES[0], UTC)):
            everybody = ruleset.evaluate_for_all(name, TIMES[0])
            assert everybody is None or everybody.enabled
            assert all(ruleset.evaluate(name, tenant, TIMES[0]).enabled for tenant in [*TENANTS, "somebody"])


@given(rules(), st.dictionaries(st.sampled_from(FLAGS), overrides))
def test_what_is_said_to_be_so_for_all_is_so_for_each(some_rules, some_overrides):
    ruleset = Ruleset("e", 1, some_rules, some_overrides)
    for name in FLAGS:
        everybody = ruleset.evaluate_for_all(name, TIMES[0])
        if everybody is not None:
            for tenant in [*TENANTS, "somebody"]:
                assert ruleset.evaluate(name, tenant, TIMES[0]).state is everybody.state


@pytest.mark.parametrize("state", [FlagState.OFF, FlagState.KILL, FlagState.SHADOW])
def test_what_is_not_enabled_is_there_and_says_so(state):
    ruleset = Ruleset("e", 1, {"a.one": Rule("a.one", state, 50, frozenset(), (), 1)}, {})
    assert feature(ruleset, "a.one")["enabled"] is False


def test_a_kill_goes_before_an_override():
    override = {"t-1": OverrideRule(FlagState.ON)}
    ruleset = Ruleset("e", 1, {"a.one": Rule("a.one", FlagState.KILL, 0, frozenset(), (), 1)}, {"a.one": override})
    assert feature(ruleset, "a.one")["enabled"] is False
    assert feature(ruleset, "a.one")["strategies"] == []


def test_an_id_that_clients_would_trim_is_never_taken_in_and_is_kept_out():
    rule = Rule("a.one", FlagState.ON, 0, frozenset(), (), 1)
    odd = {" t-1": OverrideRule(FlagState.OFF), "t-2 ": OverrideRule(FlagState.OFF)}
    client = client_of(Ruleset("e", 1, {"a.one": rule}, {"a.one": odd}))
    now = datetime.fromtimestamp(TIMES[0], UTC)
    enabled = {
        tenant for tenant in (" t-1", "t-1", "t-2 ", "t-2") if client.is_enabled("a.one", {"tenantId": tenant}, now)
    }
    assert enabled == {"t-1", "t-2"}
    chosen = rule._replace(state=FlagState.CANARY, cohort=frozenset({" t-1", "t-3"}))
    client = client_of(Ruleset("e", 1, {"a.one": chosen}, {}))
    assert not client.is_enabled("a.one", {"tenantId": "t-1"}, now)
    assert client.is_enabled("a.one", {"tenantId": "t-3"}, now)


def test_the_reference_hashes_as_everybody_does():
    # The values of Unleash's own description of its hash.
    assert murmur3("gr1:123") % 100 + 1 == 73
    assert murmur3("groupX:999") % 100 + 1 == 25
