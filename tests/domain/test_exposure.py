"""Which of two settings exposes more tenants."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagconsole.domain.evaluation import Rule, Ruleset
from flagconsole.domain.exposure import raises, raises_state
from flagconsole.domain.flag import Setting
from flagconsole.domain.states import EXPOSURE_RANK, FlagState

TENANTS = tuple(f"tenant-{number}" for number in range(8))


def setting(state: str, percentage: int = 0, *chosen: str) -> Setting:
    return Setting(current_state=FlagState(state), canary_percentage=percentage, canary_tenant_ids=chosen)


LADDER = [
    setting("kill"),
    setting("off"),
    setting("shadow"),
    setting("canary", 0),
    setting("canary", 10),
    setting("canary", 100),
    setting("on"),
]


def test_the_ladder_is_climbed_only_upwards():
    for (low, before), (high, after) in product(enumerate(LADDER), repeat=2):
        assert raises(before, after) is (high > low), (before.describe(), after.describe())


def test_the_states_follow_the_ladder():
    order = [FlagState.KILL, FlagState.OFF, FlagState.SHADOW, FlagState.CANARY, FlagState.ON]
    for lower, higher in pairwise(order):
        assert raises_state(lower, higher)
        assert not raises_state(higher, lower)
        assert not raises_state(lower, lower)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (setting("canary", 0, "a", "b"), setting("canary", 0, "a"), False),
        (setting("canary", 0, "a"), setting("canary", 0, "a", "b"), True),
        (setting("canary", 0, "a"), setting("canary", 0, "b"), True),
        (
            setting("canary", 50, "a"),
            setting("canary", 90, "a"),
            False,
        ),  # the percentage of a chosen cohort means nothing
        (setting("canary", 50), setting("canary", 0, "a"), True),  # nobody knows whether a was inside
        (setting("canary", 0, "a"), setting("canary", 1), True),
        (setting("canary", 100), setting("canary", 0, "a"), False),
        (setting("canary", 0, "a"), setting("canary", 0), False),
        (setting("canary", 100, "a"), setting("canary", 100), True),
        (setting("on"), setting("canary", 100), False),
        (setting("off", 10), setting("off", 90), False),
    ],
)
def test_cohorts(before: Setting, after: Setting, expected: bool):
    assert raises(before, after) is expected


settings = st.builds(
    lambda state, percentage, chosen: setting(state, percentage, *chosen),
    st.sampled_from([state.value for state in FlagState]),
    st.integers(0, 100),
    st.one_of(st.just([]), st.lists(st.sampled_from(TENANTS), max_size=4)),
)


@given(settings, settings)
def test_what_does_not_raise_gives_nobody_more_than_before(before: Setting, after: Setting):
    def states(value: Setting) -> list[int]:
        rule = Rule(
            "a.b", value.current_state, value.canary_percentage, frozenset(value.canary_tenant_ids), (), version=1
        )
        ruleset = Ruleset("e", 1, {"a.b": rule}, {})
        return [EXPOSURE_RANK[ruleset.evaluate("a.b", tenant, 0.0).state] for tenant in TENANTS]

    # From one state to another the order of the states decides, whatever the cohorts are.
    if before.current_state is after.current_state and not raises(before, after):
        assert all(new <= old for old, new in zip(states(before), states(after), strict=True))
