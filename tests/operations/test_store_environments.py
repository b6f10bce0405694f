"""Making an environment where something is in its place already."""

from __future__ import annotations

import pytest

from flagconsole.domain.errors import TargetNotEmpty
from flagconsole.domain.requests import FlagCreate
from flagconsole.operations.service import Operations
from flagconsole.operations.store_environments import create_environment, environments_of, rename_environment
from flagconsole.store import open_store
from flagconsole.store.partition_making import make_partition

from ..conftest import ADMIN


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request) -> str:
    name: str = request.param
    return name


async def test_an_attempt_that_ended_half_way_is_finished_and_what_is_used_is_never_taken_over(store, store_url):
    await rename_environment(store_url, "local", "production", "ada")
    # The place was made, and then whoever made it was killed before the name was kept.
    for name in ("staging", "pre-prod"):
        await make_partition(store_url, name)
    assert [one.name for one in await environments_of(store_url)] == ["production"]
    made = await create_environment(store_url, "staging", "ada")
    assert (made.name, made.revision, made.created_by) == ("staging", 0, "ada")
    used = await open_store(store_url, partition="pre-prod")
    await Operations(used).create(ADMIN, FlagCreate(flag_name="pos.lite"))
    await used.close()
    with pytest.raises(TargetNotEmpty, match="revision 1 and 0 keys"):
        await create_environment(store_url, "pre-prod", "ada")
    assert [one.name for one in await environments_of(store_url)] == ["production", "staging"]


async def test_each_has_a_head_of_its_own_and_no_writer_waits_for_another_ones(store, store_url, clock):
    await rename_environment(store_url, "local", "production", "ada")
    await create_environment(store_url, "staging", "ada")
    staging = await open_store(store_url, partition="staging", clock=clock)
    try:
        for number in range(3):
            await Operations(staging).create(ADMIN, FlagCreate(flag_name=f"pos.f{number}"))
        async with store.read() as first, staging.read() as second:
            assert (await first.head()).revision == 0
            assert (await second.head()).revision == 3
            assert (await first.head()).epoch != (await second.head()).epoch
        # Both write at the same time, each in a transaction of its own, and neither waits for the other.
        async with store.write() as one, staging.write() as other:
            assert await one.flag("pos.f0") is None
            assert await other.flag("pos.f0") is not None
            one.discard()
            other.discard()
    finally:
        await staging.close()
