"""Which of two settings exposes more tenants."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagconsole.domain.bucketing import bucket
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


def drawn(percentage: int, chosen: tuple[str, ...], holdout: tuple[str, ...]) -> Setting:
    return setting("canary", percentage, *chosen).model_copy(update={"canary_holdout_ids": tuple(sorted(holdout))})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (drawn(10, ("a",), ("b",)), drawn(10, ("a",), ("b",)), False),
        (drawn(10, ("a",), ("b",)), drawn(10, ("a",), ()), True),  # the hash may take b now
        (drawn(10, ("a",), ("b",)), drawn(11, ("a",), ("b",)), True),  # and newcomers of bucket 11
        (drawn(10, ("a", "b"), ("c",)), drawn(5, ("a",), ("b", "c")), False),
        (drawn(10, ("a",), ()), setting("canary", 10, "a"), False),
        (setting("canary", 10, "a"), drawn(10, ("a",), ()), True),
        (setting("canary", 100), drawn(10, ("a",), ("b",)), False),
        (drawn(10, ("a",), ("b",)), setting("canary", 10), True),
        (drawn(10, ("a",), ("b",)), setting("canary", 0), False),
    ],
)
def test_drawn_cohorts(before: Setting, after: Setting, expected: bool):
    assert raises(before, after) is expected


def test_the_hash_tells_whom_a_shorter_holdout_releases():
    by_bucket = sorted((f"t{number}" for number in range(200)), key=lambda tenant: bucket("a.b", tenant))
    low, high = by_bucket[0], by_bucket[-1]
    assert bucket("a.b", low) <= 10 < bucket("a.b", high)
    wider = drawn(50, ("x", "y"), (low, high))
    assert not raises(wider, drawn(10, ("x",), (low,)), "a.b")
    assert raises(wider, drawn(10, ("x",), (low,))), "without the flag's name nobody knows"
    assert raises(wider, drawn(10, ("x",), (high,)), "a.b")


settings = st.builds(
    lambda state, percentage, chosen, holdout: setting(state, percentage, *chosen).model_copy(
        update={"canary_holdout_ids": None if holdout is None or not chosen else tuple(sorted(set(holdout)))}
    ),
    st.sampled_from([state.value for state in FlagState] + ["canary"] * 5),
    st.integers(0, 100),
    st.one_of(st.just([]), st.lists(st.sampled_from(TENANTS), max_size=4)),
    st.one_of(st.none(), st.lists(st.sampled_from(TENANTS), max_size=4)),
)


@given(settings, settings)
def test_what_does_not_raise_gives_nobody_more_than_before(before: Setting, after: Setting):
    def states(value: Setting) -> list[int]:
        holdout = None if value.canary_holdout_ids is None else frozenset(value.canary_holdout_ids)
        chosen = frozenset(value.canary_tenant_ids)
        rule = Rule("a.b", value.current_state, value.canary_percentage, chosen, (), 1, holdout)
        ruleset = Ruleset("e", 1, {"a.b": rule}, {})
        return [EXPOSURE_RANK[ruleset.evaluate("a.b", tenant, 0.0).state] for tenant in TENANTS]

    # From one state to another the order of the states decides, whatever the cohorts are.
    if before.current_state is after.current_state and not (raises(before, after) and raises(before, after, "a.b")):
        assert all(new <= old for old, new in zip(states(before), states(after), strict=True))
