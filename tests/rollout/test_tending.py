"""The runs of open incidents have their turns one after the other, and none of them holds up the rest."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from flagconsole.domain.errors import LeaseLost
from flagconsole.rollout.playbook_runner import PlaybookRunner

RUNS: Any = [SimpleNamespace(run_id=f"run-{number}") for number in range(5)]


def runner(monkeypatch: Any, tend: Any) -> PlaybookRunner:
    made = PlaybookRunner(*[None] * 2, **dict.fromkeys(("response", "verdicts", "metrics", "fence", "connection")))  # type: ignore[arg-type]
    monkeypatch.setattr(made, "_tend", tend)
    return made


async def test_runs_that_only_look_at_the_store_never_crowd_the_loop(monkeypatch: Any) -> None:
    under_way: set[str] = set()
    most = 0

    async def tend(run_id: str) -> None:
        nonlocal most
        under_way.add(run_id)
        most = max(most, len(under_way))
        for _ in range(3):
            await asyncio.sleep(0)
        under_way.discard(run_id)

    monkeypatch.setattr("flagconsole.rollout.playbook_runner._BEFORE_THE_NEXT", 60.0)
    assert await runner(monkeypatch, tend)._tended(RUNS) == [None] * len(RUNS)
    assert most == 1


async def test_one_that_waits_for_somebody_outside_lets_the_next_go_on(monkeypatch: Any) -> None:
    last_is_done = asyncio.Event()

    async def tend(run_id: str) -> None:
        if run_id == "run-0":
            await last_is_done.wait()
        if run_id == "run-3":
            raise LeaseLost(epoch=2, ours=1)
        if run_id == "run-4":
            last_is_done.set()

    async with asyncio.timeout(60):
        found = await runner(monkeypatch, tend)._tended(RUNS)
    assert [type(one) for one in found] == [type(None)] * 3 + [LeaseLost, type(None)]


async def test_whoever_breaks_off_the_round_breaks_off_its_runs(monkeypatch: Any) -> None:
    begun, broken_off = asyncio.Event(), []

    async def tend(run_id: str) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            broken_off.append(run_id)
            raise

    round_ = asyncio.create_task(runner(monkeypatch, tend)._tended(RUNS[:1]))
    await begun.wait()
    round_.cancel()
    await asyncio.wait({round_}, timeout=60)
    await asyncio.sleep(0)
    assert round_.cancelled()
    assert broken_off == ["run-0"]
