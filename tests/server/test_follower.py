"""A store that lost changes which were already streamed: it goes on under a new epoch, and every server and client with it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.requests import FlagUpdate, Kill
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import Operations
from flagconsole.server.follower import Follower
from flagconsole.server.hub import Hub
from flagconsole.server.instance_book import InstanceBook
from flagconsole.store import open_store

from ..conftest import ADMIN


async def following(store) -> Follower:
    hub = Hub()
    return await Follower.load(Operations(store), hub, InstanceBook(store, hub, "s"))


@pytest.fixture
async def lost(store, store_url, operations, flag, clock):
    """A follower at revision 4 of a file that was put back to revision 1, and a store on that file."""
    path = Path(store_url.removeprefix("sqlite:"))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(f"{path}.old")) as backup:
        source.backup(backup)
    follower = await following(store)
    for percentage in (1, 2, 3):
        request = FlagUpdate(change_reason="x", current_state=FlagState.CANARY, canary_percentage=percentage)
        await operations.update(ADMIN, flag, request)
    await follower.catch_up()
    assert follower.projection.ruleset.revision == 4
    back = await open_store(f"sqlite:{shutil.copy(f'{path}.old', f'{path}.back')}", clock=clock)
    follower._store = back
    yield follower, back
    await back.close()


@pytest.mark.parametrize("newer", [0, 3, 6])
async def test_a_store_that_went_back_goes_on_as_a_new_lineage(lost, flag, caplog, newer):
    """Whether it is noticed at once, or only when other changes have the same revisions or later ones."""
    follower, back = lost
    before = follower.projection.ruleset
    for percentage in range(newer):
        request = FlagUpdate(change_reason="y", current_state=FlagState.CANARY, canary_percentage=50 + percentage)
        await Operations(back).update(ADMIN, flag, request)
    await follower.catch_up()
    after = follower.projection.ruleset
    assert (after.epoch > before.epoch, after.revision) == (True, 1 + newer)
    assert "the store has lost changes: it was at revision 4" in caplog.text
    # Only once, whichever server looks next; and the next kill is one that everybody takes.
    other = await following(back)
    await follower.catch_up()
    assert other.projection.ruleset.epoch == follower.projection.ruleset.epoch == after.epoch
    killed = await Operations(back).kill(ADMIN, flag, Kill(kill_reason="bad"))
    await follower.catch_up()
    assert (killed.epoch, follower.projection.ruleset.revision) == (after.epoch, 2 + newer)
    assert (await Operations(back).verify_audit(ADMIN)).verified


async def test_a_copy_that_is_behind_is_no_loss(lost, store):
    """As behind a pooler that sends reads to a replica: nothing is lost, and nothing may be shown from there."""
    follower, back = lost
    before = follower.projection.ruleset

    class Split:
        read, write = back.read, store.write

    follower._store = Split()
    with pytest.raises(StoreUnavailable, match="a copy that is behind its writes"):
        await follower.catch_up()
    assert follower.projection.ruleset is before
    async with store.read() as reader:
        assert (await reader.head()).epoch == before.epoch


async def test_a_change_that_cannot_be_read_back_is_still_a_change(store, operations, flag, monkeypatch):
    follower = await following(store)
    await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))

    def broken():
        raise StoreUnavailable(problem="gone")

    with monkeypatch.context() as patch:
        patch.setattr(store, "read", broken)
        await follower.committed()
    assert not follower.healthy
    await follower.catch_up()
    assert follower.projection.flags[flag].current_state is FlagState.KILL
