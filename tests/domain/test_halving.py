"""Half of an exposure: fewer, never others, and the same half everywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagconsole.domain.exposure import raises
from flagconsole.domain.flag import Setting
from flagconsole.domain.halving import halved
from flagconsole.domain.states import FlagState


def canary(**fields) -> Setting:
    return Setting(current_state=FlagState.CANARY, **fields)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Setting(current_state=FlagState.ON), canary(canary_percentage=50)),
        (canary(canary_percentage=10), canary(canary_percentage=5)),
        (canary(canary_percentage=1), canary(canary_percentage=0)),
        (canary(canary_tenant_ids=("t1",), canary_percentage=40), canary(canary_percentage=0)),
        (Setting(current_state=FlagState.SHADOW), Setting(current_state=FlagState.SHADOW)),
        (Setting(current_state=FlagState.KILL), Setting(current_state=FlagState.KILL)),
    ],
)
def test_half(before, after):
    assert halved("a.b", before) == after


def test_a_drawn_cohort_keeps_its_dropped_half_out_of_the_hash():
    before = canary(canary_percentage=10, canary_tenant_ids=("t1", "t2", "t3", "t4"), canary_holdout_ids=("t9",))
    after = halved("a.b", before)
    assert len(after.canary_tenant_ids) == 2
    dropped = set(before.canary_tenant_ids) - set(after.canary_tenant_ids)
    assert set(after.canary_holdout_ids) == dropped | {"t9"}
    assert after.canary_percentage == 5


tenants = st.lists(st.text("abcdef", min_size=1, max_size=4), unique=True, max_size=30)


@given(tenants, st.integers(0, 100), st.none() | tenants)
def test_it_never_raises_and_always_halves(chosen, percentage, held):
    before = canary(canary_percentage=percentage, canary_tenant_ids=tuple(chosen), canary_holdout_ids=held)
    after = halved("a.b", before)
    assert not raises(before, after)
    assert len(after.canary_tenant_ids) == len(chosen) // 2
    assert after.canary_percentage <= percentage // 2
    assert halved("a.b", before) == after
