"""Tenants that are imported while the console runs: nobody has to start it again to see whom a kill reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flagconsole.console import feed

Console = Callable[..., Any]


@pytest.fixture(autouse=True)
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "POLL", 0.01)


async def test_an_open_kill_sheet_counts_tenants_that_came_after_the_console(
    server: Any, open_console: Console
) -> None:
    arriving, server.tenant_records = server.tenant_records, server.tenant_records[:40]
    async with open_console((80, 24)) as console:
        await console.press("K")
        await console.until("of 40 tenants lose it")
        server.tenant_records = arriving
        await console.until("of 500 tenants lose it")


async def test_the_same_tenants_told_again_are_not_counted_anew(
    server: Any, open_console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "TENANTS_PACE", -1.0)
    asked = 0
    answer = server.tenants

    async def tenants() -> Any:
        nonlocal asked
        asked += 1
        return await answer()

    monkeypatch.setattr(server, "tenants", tenants)
    async with open_console((80, 24)) as console:
        await console.until("LIVE")
        known = console.app.state.tenants
        await console.until(lambda: bool(asked > 3))
        assert console.app.state.tenants is known
