"""Creating and archiving flags, one by one and as a catalogue."""

from __future__ import annotations

import pytest

from flagconsole.domain.errors import (
    DependencyCycle,
    FlagExists,
    FlagKilled,
    FlagNameRetired,
    FlagNotFound,
    HasDependents,
    StoreNotEmpty,
)
from flagconsole.domain.requests import Archive, FlagCreate, FlagUpdate, Kill
from flagconsole.domain.states import FlagState
from flagconsole.operations.catalogue import shipped_catalogue

from ..conftest import ADMIN

GONE = Archive(change_reason="cleaned up")


async def test_a_flag_starts_in_its_default_state(operations):
    result = await operations.create(ADMIN, FlagCreate(flag_name="a.b", default_state=FlagState.SHADOW, owner="me"))
    assert result.flag.current_state is FlagState.SHADOW
    assert result.flag.created_by == "ada"
    assert result.change.previous is None
    with pytest.raises(FlagExists):
        await operations.create(ADMIN, FlagCreate(flag_name="a.b"))


async def test_a_new_flag_that_an_old_one_names_as_dependency_closes_no_cycle(operations):
    await operations.create(ADMIN, FlagCreate(flag_name="a.b", dependencies=("a.c",)))
    with pytest.raises(DependencyCycle, match=r"a\.c → a\.b → a\.c"):
        await operations.create(ADMIN, FlagCreate(flag_name="a.c", dependencies=("a.b",)))


async def test_an_archived_name_is_never_used_again(operations, flag):
    await operations.archive(ADMIN, flag, GONE)
    with pytest.raises(FlagNotFound):
        await operations.flag(ADMIN, flag)
    with pytest.raises(FlagNameRetired):
        await operations.create(ADMIN, FlagCreate(flag_name=flag))
    log = (await operations.history(ADMIN, flag)).changes
    assert [change.action for change in log] == ["archived", "created"]


async def test_neither_killed_flags_nor_dependencies_are_archived(operations, flag):
    await operations.create(ADMIN, FlagCreate(flag_name="pos.loyalty", dependencies=(flag,)))
    with pytest.raises(HasDependents, match=r"pos\.loyalty"):
        await operations.archive(ADMIN, flag, GONE)
    await operations.kill(ADMIN, "pos.loyalty", Kill(kill_reason="x"))
    with pytest.raises(FlagKilled):
        await operations.archive(ADMIN, "pos.loyalty", GONE)


async def test_the_shipped_catalogue_loads_whole_into_an_empty_store_only(operations):
    flags = shipped_catalogue("thorbis")
    assert await operations.load_catalogue(ADMIN, flags, dry_run=True) == 27
    assert (await operations.status(ADMIN)).flags == 0
    assert await operations.load_catalogue(ADMIN, flags) == 27
    status = await operations.status(ADMIN)
    assert (status.flags, status.revision) == (27, 27)
    assert len({change.correlation_id for change in (await operations.history(ADMIN, limit=50)).changes}) == 1
    with pytest.raises(StoreNotEmpty):
        await operations.load_catalogue(ADMIN, flags)


async def test_a_catalogue_with_a_mistake_loads_nothing(operations):
    flags = [FlagCreate(flag_name="a.b", dependencies=("a.c",)), FlagCreate(flag_name="a.c", dependencies=("a.b",))]
    with pytest.raises(DependencyCycle):
        await operations.load_catalogue(ADMIN, flags)
    assert (await operations.status(ADMIN)).revision == 0


async def test_history_pages_reach_the_beginning(operations, flag):
    for percentage in range(1, 6):
        request = FlagUpdate(change_reason="x", current_state=FlagState.CANARY, canary_percentage=percentage)
        await operations.update(ADMIN, flag, request)
    first = await operations.history(ADMIN, flag, limit=4)
    rest = await operations.history(ADMIN, flag, limit=4, before=first.next_before)
    assert [change.change_id for change in first.changes + rest.changes] == [6, 5, 4, 3, 2, 1]
    assert rest.next_before is None
    with pytest.raises(FlagNotFound):
        await operations.history(ADMIN, "no.such")
