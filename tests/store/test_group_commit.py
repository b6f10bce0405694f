"""Writers that wait for one another share a commit, and nothing else."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from flagconsole.domain.audit import verify_chain
from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.requests import FlagCreate, FlagUpdate, Kill
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import Operations
from flagconsole.store import group_commit

from ..conftest import ADMIN

FLAGS = [f"a.flag{number}" for number in range(4)]


@pytest.fixture
async def asked(store, monkeypatch):
    """Operations on a store with some flags, whose transactions are listed, and are left open however slow the machine is."""
    monkeypatch.setattr(group_commit, "LONGEST", 3600)
    operations = Operations(store)
    for name in FLAGS:
        await operations.create(ADMIN, FlagCreate(flag_name=name))
    opened, open_ = [], store._writing._open

    async def listed():
        opened.append(await open_())
        return opened[-1]

    monkeypatch.setattr(store._writing, "_open", listed)
    operations.opened = opened
    return operations


async def setting(asked, name, state=FlagState.ON, **given):
    return await asked.update(ADMIN, name, FlagUpdate(current_state=state, change_reason="x"), **given)


class Holding:
    """A writer that keeps its part of a transaction until it is let go."""

    def __init__(self, store):
        self._store = store
        self.inside, self.go = asyncio.Event(), asyncio.Event()
        self.error = None
        self.task = asyncio.create_task(self._hold())

    async def _hold(self):
        async with self._store.write(shares=True) as tx:
            await tx.head()
            self.inside.set()
            await self.go.wait()
            if self.error is not None:
                raise self.error


async def waiting(*works):
    """Tasks that have come to the gate."""
    tasks = [asyncio.create_task(work) for work in works]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def revision(store):
    async with store.read() as reader:
        return (await reader.head()).revision


async def test_those_who_wait_share_a_commit_and_none_is_told_before_it(asked, store):
    holding = Holding(store)
    await holding.inside.wait()
    before = await revision(store)
    seen = []

    async def told(work):
        try:
            return await work
        finally:
            seen.append(await revision(store) - before)

    refused = asked.update(ADMIN, "a.nobody", FlagUpdate(current_state=FlagState.ON, change_reason="x"))
    of_old = setting(asked, FLAGS[2], version=7)
    works = [setting(asked, FLAGS[0]), refused, setting(asked, FLAGS[1]), of_old, setting(asked, FLAGS[3])]
    tasks = await waiting(*map(told, works))
    holding.go.set()
    one, nobody, two, stale, three = await asyncio.gather(*tasks, return_exceptions=True)
    assert [one.revision, two.revision, three.revision] == [before + 1, before + 2, before + 3]
    assert (nobody.code, stale.code) == ("flag_not_found", "version_conflict")
    assert seen == [3] * 5, "somebody was told something before all of it was durable"
    assert len(asked.opened) == 1
    async with store.read() as reader:
        log, head = await reader.changes_after(0, 100), await reader.head()
        assert (await reader.flag(FLAGS[2])).current_state is FlagState.OFF
    assert verify_chain(log, head.revision, head.audit_hash).verified
    assert [event.revision for event in store.committed_after(head.epoch, before)] == [
        before + 1,
        before + 2,
        before + 3,
    ]


async def test_what_one_wrote_before_it_failed_is_undone_alone(asked, store):
    before = await revision(store)

    class Remembering:
        fingerprint, body = "print", "{}"

    async def failing(name):
        async with store.write(shares=True) as tx:
            await tx.remember(name, Remembering)
            raise RuntimeError(name)

    async def discarding(name):
        async with store.write(shares=True) as tx:
            await tx.remember(name, Remembering)
            tx.discard()

    holding = Holding(store)
    await holding.inside.wait()
    works = [setting(asked, FLAGS[0]), failing("k1"), setting(asked, FLAGS[1]), discarding("k2"), failing("k3")]
    tasks = await waiting(*works)
    holding.go.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one).__name__ for one in found] == [
        *("ChangeResult", "RuntimeError", "ChangeResult", "NoneType", "RuntimeError")
    ]
    assert (len(asked.opened), await revision(store)) == (1, before + 2)
    async with store.read() as reader:
        assert [await reader.remembered(key) for key in ("k1", "k2", "k3")] == [None] * 3


async def test_when_the_commit_fails_all_are_told_and_nothing_is_there(asked, store):
    before = await revision(store)
    holding = Holding(store)
    await holding.inside.wait()
    opened = asked.opened[0]

    class Failing:
        def __getattr__(self, name):
            return getattr(opened, name)

        async def commit(self):
            await opened.abandon()
            raise OSError("the disk is gone")

    store._writing._group.opened = Failing()
    tasks = await waiting(*(setting(asked, name) for name in FLAGS))
    holding.go.set()
    found = await asyncio.gather(holding.task, *tasks, return_exceptions=True)
    assert [type(one) for one in found] == [StoreUnavailable] * 5
    assert await revision(store) == before
    assert (await setting(asked, FLAGS[0])).revision == before + 1


async def test_a_kill_shares_with_nobody(asked, store):
    first = Holding(store)
    await first.inside.wait()
    last = Holding(store)
    (killing,) = await waiting(asked.kill(ADMIN, FLAGS[0], Kill(kill_reason="bad")))
    first.go.set()
    killed = await asyncio.wait_for(killing, 30)
    # It was answered while the one behind it had not ended.
    assert killed.changed
    await first.task
    await asyncio.wait_for(last.inside.wait(), 30)
    async with store.read() as reader:
        assert (await reader.flag(FLAGS[0])).current_state is FlagState.KILL
    last.go.set()
    await last.task


async def test_who_gives_up_takes_nothing_from_the_others(asked, store):
    before = await revision(store)
    first = Holding(store)
    await first.inside.wait()
    second = Holding(store)
    tasks = await waiting(setting(asked, FLAGS[0]), setting(asked, FLAGS[1]))
    first.go.set()
    await asyncio.wait_for(second.inside.wait(), 30)
    first.task.cancel()  # it has written, and waits for the commit
    second.task.cancel()  # it is in the middle of its part
    found = await asyncio.wait_for(asyncio.gather(*tasks), 30)
    assert [one.revision for one in found] == [before + 1, before + 2]
    for holding in (first, second):
        with suppress(asyncio.CancelledError):
            await holding.task


async def test_a_turn_that_nobody_takes_any_more_ends_the_transaction(asked, store):
    before = await revision(store)
    holding = Holding(store)
    await holding.inside.wait()
    (gone,) = await waiting(setting(asked, FLAGS[0]))
    gate = store._writing._gate
    take = gate.leave

    def leave():
        gate.leave = take
        take()
        gone.cancel()  # in the very moment in which its turn has come

    gate.leave = leave
    holding.go.set()
    await asyncio.wait_for(holding.task, 30)
    with suppress(asyncio.CancelledError):
        await gone
    assert (await asyncio.wait_for(setting(asked, FLAGS[1]), 30)).revision == before + 1


async def test_who_are_told_together_and_ask_again_share_the_next_commit_too(asked, store):
    async def asking(name):
        for state in (FlagState.ON, FlagState.SHADOW, FlagState.OFF):
            await setting(asked, name, state)

    before = await revision(store)
    await asyncio.gather(*map(asking, FLAGS))
    assert await revision(store) == before + 3 * len(FLAGS)
    assert len(asked.opened) == 3, "somebody committed alone while the others were on their way"


async def test_who_gives_up_while_it_lets_others_come_has_done_nothing(asked, store):
    before = await revision(store)
    task = asyncio.create_task(setting(asked, FLAGS[0]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    done = await setting(asked, FLAGS[1])
    assert done.revision == before + 1
    async with store.read() as reader:
        assert (await reader.flag(FLAGS[0])).current_state is FlagState.OFF
