"""Setting a flag: what raises exposure is guarded, what lowers it is never refused."""

from __future__ import annotations

import pytest

from flagconsole.domain.errors import DependencyCycle, InvalidInput, NotAllowed, VersionConflict
from flagconsole.domain.requests import FlagCreate, FlagUpdate
from flagconsole.domain.states import FlagState

from ..conftest import ADMIN, OPERATOR


def to(state=None, percentage=None, tenants=None, **fields):
    if percentage is not None:
        fields["canary_percentage"] = percentage
    if tenants is not None:
        fields["canary_tenant_ids"] = tenants
    if state is not None:
        fields["current_state"] = state
    return FlagUpdate(change_reason="x", **fields)


@pytest.mark.parametrize(
    ("before", "after", "raises"),
    [
        (to(FlagState.OFF), to(FlagState.SHADOW), True),
        (to(FlagState.SHADOW), to(FlagState.CANARY, 0), True),
        (to(FlagState.CANARY, 10), to(FlagState.CANARY, 11), True),
        (to(FlagState.CANARY, 100), to(FlagState.ON), True),
        (to(FlagState.CANARY, 10), to(percentage=20), True),
        (to(FlagState.CANARY, tenants=("t1",)), to(tenants=("t1", "t2")), True),
        (to(FlagState.CANARY, tenants=("t1",)), to(tenants=("t2",)), True),
        (to(FlagState.CANARY, tenants=("t1",)), to(percentage=1), True),
        (to(FlagState.ON), to(FlagState.CANARY, 100), False),
        (to(FlagState.CANARY, 11), to(FlagState.CANARY, 10), False),
        (to(FlagState.CANARY, tenants=("t1", "t2")), to(tenants=("t2",)), False),
        (to(FlagState.CANARY, tenants=("t1",)), to(percentage=0), False),
        (to(FlagState.CANARY, 50), to(FlagState.SHADOW), False),
        (to(FlagState.ON), to(FlagState.OFF), False),
    ],
)
async def test_only_a_raise_is_refused_for_a_stale_version(operations, flag, before, after, raises):
    await operations.update(ADMIN, flag, before)
    if raises:
        with pytest.raises(VersionConflict):
            await operations.update(ADMIN, flag, after, version=99)
    else:
        await operations.update(ADMIN, flag, after, version=99)
    await operations.update(ADMIN, flag, after)


async def test_a_canary_needs_a_cohort(operations, flag):
    with pytest.raises(InvalidInput, match="canary_percentage"):
        await operations.update(ADMIN, flag, to(FlagState.CANARY))
    await operations.update(ADMIN, flag, to(FlagState.CANARY, 10))
    await operations.update(ADMIN, flag, to(FlagState.OFF))
    again = await operations.update(ADMIN, flag, to(FlagState.CANARY))
    assert again.flag.canary_percentage == 10


async def test_a_percentage_draws_by_hash_and_gives_up_a_chosen_cohort(operations, flag):
    chosen = await operations.update(ADMIN, flag, to(FlagState.CANARY, tenants=("t2", "t1", "t1")))
    assert chosen.flag.canary_tenant_ids == ("t1", "t2")
    drawn = await operations.update(ADMIN, flag, to(percentage=5))
    assert drawn.flag.canary_tenant_ids == ()


async def test_what_is_already_so_changes_nothing(operations, flag):
    result = await operations.update(ADMIN, flag, to(FlagState.OFF))
    assert not result.changed
    assert result.revision == 1


async def test_descriptions_change_without_a_version(operations, flag):
    result = await operations.update(ADMIN, flag, to(owner="payments", tags=("a",)), version=99)
    assert (result.flag.owner, result.flag.tags) == ("payments", ("a",))
    assert result.change.previous["owner"] == ""
    with pytest.raises(InvalidInput, match="owner"):
        await operations.update(ADMIN, flag, to(owner=None))


async def test_taking_a_dependency_away_counts_as_a_raise(operations, flag):
    await operations.create(ADMIN, FlagCreate(flag_name="pos.loyalty", dependencies=(flag,)))
    with pytest.raises(VersionConflict):
        await operations.update(ADMIN, "pos.loyalty", to(dependencies=()), version=99)
    await operations.update(ADMIN, "pos.loyalty", to(dependencies=(flag, "maps.google")), version=99)


async def test_a_cycle_is_refused_and_named(operations, flag):
    await operations.create(ADMIN, FlagCreate(flag_name="a.b", dependencies=(flag,)))
    await operations.create(ADMIN, FlagCreate(flag_name="a.c", dependencies=("a.b",)))
    with pytest.raises(DependencyCycle, match=r"pos\.lite → a\.c → a\.b → pos\.lite"):
        await operations.update(ADMIN, flag, to(dependencies=("a.c",)))


async def test_operators_do_not_set(operations, flag):
    with pytest.raises(NotAllowed):
        await operations.update(OPERATOR, flag, to(FlagState.OFF))
