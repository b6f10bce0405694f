"""What a tenant's operations count for, in every way a flag can come out."""

from __future__ import annotations

import pytest

from flagconsole.domain.evaluation import OverrideRule, Rule, Ruleset
from flagconsole.domain.group import Group, group_of
from flagconsole.domain.states import FlagState

IN, OUT = "in", "out"


def group(state, *, override=None, tenant=IN, capped=None):
    rules = {"a.b": Rule("a.b", state, 0, frozenset({IN}), ("c.d",) if capped else (), 1)}
    if capped:
        rules["c.d"] = Rule("c.d", capped, 0, frozenset(), (), 1)
    overrides = {} if override is None else {"a.b": {tenant: OverrideRule(override)}}
    return group_of(Ruleset("e", 1, rules, overrides).evaluate("a.b", tenant, 0.0))


def test_a_canary_has_two_groups():
    assert group(FlagState.CANARY) is Group.CANARY
    assert group(FlagState.CANARY, tenant=OUT) is Group.CONTROL


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (FlagState.SHADOW, Group.SHADOW),
        (FlagState.ON, Group.ON),
        (FlagState.OFF, Group.OFF),
        (FlagState.KILL, Group.OFF),
    ],
)
def test_states_that_everybody_has(state, expected):
    assert group(state) is expected


@pytest.mark.parametrize("override", [FlagState.OFF, FlagState.SHADOW, FlagState.CANARY, FlagState.ON])
def test_nobody_drew_an_override_so_it_is_compared_with_nothing(override):
    assert group(FlagState.CANARY, override=override) is Group.OTHER
    assert group(FlagState.CANARY, override=override, tenant=OUT) is Group.OTHER


@pytest.mark.parametrize("cap", [FlagState.OFF, FlagState.SHADOW, FlagState.KILL])
def test_a_capped_tenant_is_not_in_the_canary(cap):
    assert group(FlagState.CANARY, capped=cap) is Group.OTHER


def test_an_unknown_flag_is_other():
    assert group_of(Ruleset("e", 1, {}, {}).evaluate("x.y", IN, 0.0)) is Group.OTHER
