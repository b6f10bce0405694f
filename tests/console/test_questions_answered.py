"""The questions of somebody on call, each answered by a few keys."""

from __future__ import annotations

from typing import Any

import pytest

from flagconsole.domain.requests import TenantRecord
from flagconsole.domain.verdict import VerdictKind

from .drawn_cohorts import a_drawn_cohort


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was copied."""
    from flagconsole.console.app import ConsoleApp

    texts: list[str] = []
    monkeypatch.setattr(ConsoleApp, "copy", lambda _, text: texts.append(text))
    return texts


async def test_which_rollout_did_it(open_console: Any, server: Any) -> None:
    server.rollout_of("pos.loyalty_points")
    server.look("pos.loyalty_points", server.verdict("pos.loyalty_points", VerdictKind.FAIL), silent=True)
    server.change("billing.retry", "on", reason="newer than all", silent=True)
    async with open_console(size=(120, 40)) as console:
        await console.until("! 1 needs attention")
        await console.press("G", "!")
        await console.until("FAIL: error_rate > 2 %")
        assert console.app.state.selected == "pos.loyalty_points"
        assert "4.21" in console.screen()
        assert ">2.00" in console.screen()


async def test_who_is_affected_by_name(open_console: Any, server: Any, copied: list[str]) -> None:
    server.tenant_records = (
        TenantRecord(tenant_id="t-1", name="Cedar Diner"),
        TenantRecord(tenant_id="t-2", name="Canal Taxi"),
    )
    server.override("billing.retry", "t-2", "off", reason="asked to wait")
    async with open_console() as console:
        await console.press("/", *"billing.retry", "enter", "d", "y")
        assert copied == ["billing.retry: 1 tenants have it\nt-1\tCedar Diner"]


async def test_what_does_this_tenant_get_and_why(open_console: Any, server: Any) -> None:
    server.override("billing.retry", "tenant-0042", "off", reason="disputes open")
    async with open_console(size=(120, 40)) as console:
        await console.press(":", *"tenants 0042", "enter")
        await console.until("its own override by maria: disputes open")
        assert "tenant-0042  Tenant 42" in console.screen()


async def test_which_incidents_reached_this_tenant(open_console: Any, server: Any) -> None:
    server.incident_of("pos.loyalty_points", 7)
    async with open_console(size=(120, 40)) as console:
        await console.press(":", *"tenants 0007", "enter")
        await console.until("1 of the newest 1 reached it")
        await console.press("j")
        await console.until("none of the newest 1 reached it")


async def test_did_the_kill_arrive_everywhere(open_console: Any, server: Any, copied: list[str]) -> None:
    async with open_console() as console:
        server.change("pos.lite", "kill", action="killed", reason="p95")
        names = list(server.instances_by_id)
        for name in names[1:]:
            server.confirm(name)
        await console.press("5")
        await console.until("11/12 have rev 8")
        await console.until("may not have the kill of pos.lite")
        await console.press("y")
        assert copied == [f"behind rev 8:\n{names[0]}\tbilling\trev 7"]
        server.confirm(names[0])
        await console.until("12/12 have rev 8")


async def test_what_changed_around_a_time(open_console: Any, server: Any) -> None:
    async with open_console() as console:
        await console.press(":", *"around 02:01", "enter")
        await console.until("around 02:01:00Z")
        await console.until("#5 created ai.vector_search")
        near = [row for row in console.rows() if " created " in row]
        assert "ai.vector_search" in near[0]
        await console.press("escape")
        await console.until("#7 set pos.loyalty_points")


async def test_a_time_that_is_none_is_said(open_console: Any) -> None:
    async with open_console() as console:
        console.app.handlers()["around"]("noon")
        await console.until("'noon' is no time; write it like 03:14")


async def test_is_the_log_whole(open_console: Any, server: Any) -> None:
    async with open_console() as console:
        await console.press("4", "v")
        await console.until("chain holds: all 7 entries")
        server.changes[2] = server.changes[2].model_copy(update={"changed_by": "somebody"})
        await console.press("v")
        await console.until("CHAIN BROKEN at entry 3")


async def test_a_forged_entry_is_shown_as_such(open_console: Any, server: Any) -> None:
    server.changes[-1] = server.changes[-1].model_copy(update={"changed_by": "somebody"})
    async with open_console() as console:
        await console.press("4")
        await console.until("BROKEN")


async def test_why_is_a_tenant_in_the_drawn_cohort(open_console: Any, server: Any) -> None:
    server.cohorts["pos.loyalty_points"] = a_drawn_cohort("pos.loyalty_points")
    async with open_console() as console:
        await console.press("d", "2")
        await console.until("! 2 fewer than wanted")
        await console.press("pagedown")
        await console.until("takes part in the beta")
        await console.press("8", "t", *"tenant-0001", "enter")
        await console.until("inside: takes part in the beta")


async def test_history_filters(open_console: Any) -> None:
    async with open_console() as console:
        await console.press("4", "/", *"who:ops1 !ai", "enter")
        await console.until("3 of 7")
        await console.press("escape", "/", *"since:30m", "enter")
        await console.until("1 of 7")


async def test_detail_asks_once_and_again_after_a_change(open_console: Any, server: Any) -> None:
    asked: list[str] = []
    cohort = server.cohort

    async def counted(name: str, **more: Any) -> Any:
        asked.append(name)
        return await cohort(name, **more)

    server.cohort = counted
    server.cohorts["pos.loyalty_points"] = a_drawn_cohort("pos.loyalty_points")
    async with open_console() as console:
        await console.press("d", "2")
        await console.until("TIME ZONES")
        for _ in range(3):
            console.app.paint()
        await console.press("1", "2")
        assert asked == ["pos.loyalty_points"]
        server.change("pos.loyalty_points", "canary", percentage=20)
        await console.until(lambda: len(asked) == 2)


async def test_digits_after_a_refused_kill_go_nowhere(open_console: Any, server: Any) -> None:
    async with open_console() as console:
        server.cut()
        await console.until("OFFLINE")
        await console.press("K", "4", "Y")
        assert "HISTORY" not in console.screen()
        console.clock.now += 5
        await console.press("4")
        await console.until("HISTORY")
