"""What a tenant's key sees gives its tenant the same answers, names no other one, and answers nothing for others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from flagconsole.domain.evaluation import OverrideRule, Reason, Rule, Ruleset
from flagconsole.domain.flag import Flag
from flagconsole.domain.payload import dump_snapshot, parse_snapshot
from flagconsole.domain.states import OVERRIDE_STATES, FlagState
from flagconsole.domain.tenant_view import flag_of_tenant
from flagconsole.domain.unleash import feature, feature_names

from ..unleash_reference import Reference

TENANTS = ["t-1", "t-2", "t-3", "Jürgen's", "x" * 128]
FLAGS = ["a.one", "a.two", "b.one", "b.two"]
NOW = 1_700_000_000.0

tenant_sets = st.frozensets(st.sampled_from(TENANTS))
overrides = st.dictionaries(
    st.sampled_from(TENANTS),
    st.builds(OverrideRule, st.sampled_from(sorted(OVERRIDE_STATES)), st.sampled_from([NOW, NOW + 1, inf])),
    max_size=4,
)


@st.composite
def rulesets(draw):
    rules = {
        name: Rule(
            name,
            draw(st.sampled_from(list(FlagState))),
            draw(st.sampled_from([0, 10, 50, 100])),
            draw(tenant_sets),
            tuple(draw(st.lists(st.sampled_from([*FLAGS[:number], "ext.thing"]), max_size=3, unique=True))),
            1,
            draw(st.none() | tenant_sets),
        )
        for number, name in enumerate(FLAGS)
    }
    return Ruleset("e", 1, rules, draw(st.dictionaries(st.sampled_from(FLAGS), overrides)))


@given(rulesets(), st.sampled_from([*TENANTS, "newcomer"]))
def test_the_tenant_gets_the_same_answers_and_every_other_one_none(ruleset, tenant):
    sent = parse_snapshot(dump_snapshot(ruleset.of_tenant(tenant)))
    assert sent.tenant == tenant
    for name in FLAGS:
        assert sent.evaluate(name, tenant, NOW) == ruleset.evaluate(name, tenant, NOW)
        assert sent.evaluate_for_all(name, NOW) == ruleset.evaluate(name, tenant, NOW)
        for other in {*TENANTS, "newcomer"} - {tenant}:
            answer = sent.evaluate(name, other, NOW)
            killed = ruleset.rules[name].state is FlagState.KILL
            assert answer.reason is (Reason.KILLED if killed else Reason.FLAG_NOT_FOUND)
            assert not answer.enabled


@given(rulesets(), st.sampled_from([*TENANTS, "newcomer"]))
def test_no_other_tenant_is_named(ruleset, tenant):
    text = dump_snapshot(ruleset.of_tenant(tenant))
    assert not [other for other in TENANTS if other != tenant and json.dumps(other) in text]


@given(rulesets(), st.sampled_from(TENANTS))
def test_unleashs_clients_get_the_same_for_the_tenant_and_nothing_for_others(ruleset, tenant):
    seen = ruleset.of_tenant(tenant)
    client = Reference()
    client.take(json.dumps({"features": [feature(seen, name) for name in feature_names(seen)]}))
    at = datetime.fromtimestamp(NOW, UTC)
    for name in FLAGS:
        expected = ruleset.evaluate(name, tenant, NOW).enabled
        assert client.is_enabled(name, {"tenantId": tenant}, at) is expected
        for other in [*TENANTS, "newcomer"]:
            assert other == tenant or not client.is_enabled(name, {"tenantId": other}, at)


@given(rulesets(), st.sampled_from([*TENANTS, "newcomer"]))
def test_a_change_leaves_it_of_the_tenant(ruleset, tenant):
    seen = ruleset.of_tenant(tenant)
    rule = Rule("a.one", FlagState.ON, 0, frozenset(), (), 2)
    for after in (
        seen.with_rule(2, "a.one", rule),
        seen.with_override(2, "a.one", tenant, OverrideRule(FlagState.ON)),
        seen.killing(frozenset({"b.one"})),
    ):
        assert after.tenant == tenant


def test_a_flag_tells_of_its_cohort_whether_the_tenant_is_inside():
    when = datetime.fromtimestamp(NOW, UTC)
    about = {"created_at": when, "created_by": "ada", "updated_at": when, "updated_by": "ada", "version": 3}
    flag = Flag(flag_name="a.one", current_state="canary", canary_tenant_ids=("t-1", "t-2"), **about)
    inside, outside = flag_of_tenant(flag, "t-1"), flag_of_tenant(flag, "t-3")
    assert (inside.canary_tenant_ids, inside.canary_holdout_ids) == (("t-1",), None)
    assert (outside.canary_tenant_ids, outside.canary_holdout_ids, outside.canary_percentage) == ((), ("t-3",), 0)
    by_hash = Flag(flag_name="a.one", current_state="canary", canary_percentage=30, **about)
    assert flag_of_tenant(by_hash, "t-1") is by_hash
