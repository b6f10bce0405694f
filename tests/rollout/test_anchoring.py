"""Anchors are kept on a schedule, and what can't be kept is tried again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flagconsole.domain.anchor import read_anchors
from flagconsole.domain.errors import AnchorNotKept
from flagconsole.domain.requests import FlagCreate
from flagconsole.rollout.anchoring import RETRY_SECONDS, Anchoring, Anchors

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
    anchoring = Anchoring(store, Anchors(str(place), 3600.0, KEY), environment="production", pause=pause)
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


async def test_a_webhook_that_does_not_take_it_is_named_without_its_query(store):
    anchors = Anchors("http://127.0.0.1:9/hook?token=hidden", 60.0, KEY)
    with pytest.raises(AnchorNotKept) as refused:
        await Anchoring(store, anchors, environment="production").tick()
    assert "127.0.0.1:9/hook" in str(refused.value)
    assert "hidden" not in str(refused.value)


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)
