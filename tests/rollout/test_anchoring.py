"""Anchors are kept on a schedule, and what can't be kept is tried again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flagconsole.domain.anchor import read_anchors
from flagconsole.domain.errors import AnchorNotKept, LeaseLost
from flagconsole.domain.requests import FlagCreate
from flagconsole.rollout.anchoring import LOOK_SECONDS, RETRY_SECONDS, Anchoring, Anchors
from flagconsole.rollout.lease import Leadership

from ..conftest import ADMIN

KEY = b"kept by somebody else"


async def test_the_head_is_appended_again_and_again(operations, store, tmp_path: Path):
    waits: list[float] = []
    go_on = asyncio.Event()

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        await go_on.wait()
        go_on.clear()

    place = tmp_path / "missing" / "anchors.jsonl"
    anchoring = Anchoring(
        store, Anchors(str(place), 3600.0, KEY), Leadership(store), environment=lambda: "production", pause=pause
    )
    anchoring.start()
    try:
        await until(lambda: waits == [RETRY_SECONDS])
        place.parent.mkdir()
        go_on.set()
        await until(lambda: waits == [RETRY_SECONDS, 3600.0])
        await operations.create(ADMIN, FlagCreate(flag_name="pos.lite"))
        go_on.set()
        await until(lambda: len(waits) == 3)
    finally:
        await anchoring.stop()
    first, second = read_anchors(place.read_text(), KEY, "anchors")
    async with store.read() as reader:
        head = await reader.head()
    assert (first.revision, second.revision) == (0, 1)
    assert (second.epoch, second.audit_hash, second.environment) == (head.epoch, head.audit_hash, "production")
    assert place.stat().st_mode & 0o077 == 0


async def test_a_webhook_that_does_not_take_it_is_named_without_what_may_be_a_secret(store):
    anchors = Anchors("http://user:hidden@127.0.0.1:9/hidden?token=hidden", 60.0, KEY)
    with pytest.raises(AnchorNotKept) as refused:
        await Anchoring(store, anchors, Leadership(store), environment=lambda: "production").tick()
    assert "http://127.0.0.1:9/…" in str(refused.value)
    assert "hidden" not in str(refused.value)
    assert repr(KEY) not in repr(anchors)


async def test_of_several_servers_the_one_that_leads_anchors_and_another_once_it_is_gone(store, tmp_path: Path):
    clock = [0.0]
    waits: dict[str, list[float]] = {"first": [], "second": []}
    rounds = {"first": asyncio.Event(), "second": asyncio.Event()}

    def server(name: str) -> Anchoring:
        async def pause(seconds: float) -> None:
            waits[name].append(seconds)
            await rounds[name].wait()
            rounds[name].clear()

        leadership = Leadership(store, holder=name, ttl_seconds=15.0, monotonic=lambda: clock[0])
        anchors = Anchors(str(tmp_path / f"{name}.jsonl"), 3600.0, KEY)
        return Anchoring(store, anchors, leadership, environment=lambda: "production", pause=pause)

    first, second = server("first"), server("second")
    first.start()
    await until(lambda: waits["first"] == [3600.0])
    second.start()
    try:
        await until(lambda: waits["second"] == [LOOK_SECONDS])
        assert not (tmp_path / "second.jsonl").exists()
        clock[0] += 16.0  # the first one has stood still for longer than its lease
        rounds["second"].set()
        await until(lambda: waits["second"] == [LOOK_SECONDS, 3600.0])
        assert len(read_anchors((tmp_path / "second.jsonl").read_text(), KEY, "anchors")) == 1
        rounds["first"].set()  # it goes on, and finds that it leads no more
        await until(lambda: waits["first"] == [3600.0, LOOK_SECONDS])
        assert len(read_anchors((tmp_path / "first.jsonl").read_text(), KEY, "anchors")) == 1
    finally:
        await first.stop()
        await second.stop()


async def test_a_leader_that_was_replaced_between_looking_and_reading_anchors_nothing(store, tmp_path: Path):
    place = tmp_path / "anchors.jsonl"
    clock = [0.0]
    other = Leadership(store, monotonic=lambda: clock[0])

    class Stopped(Leadership):
        async def acquire(self) -> bool:
            taken = await super().acquire()
            assert not await other.acquire()
            clock[0] += 16.0
            assert await other.acquire()
            return taken

    anchoring = Anchoring(store, Anchors(str(place), 60.0, KEY), Stopped(store), environment=lambda: "production")
    with pytest.raises(LeaseLost):
        await anchoring.tick()
    assert not place.exists()


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)
