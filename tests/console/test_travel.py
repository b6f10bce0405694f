"""Time travel: what was is worked out from the cache, shown as what it is, and left without a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flagconsole.console.cache import Cached
from flagconsole.console.cache_parts import FLAGS, OVERRIDES
from flagconsole.console.keeper import Keeper
from flagconsole.console.past import Timeline

from .kept_past import past_is_kept

Console = Any


def flag(name: str, state: str, version: int, **more: Any) -> dict[str, Any]:
    return {"flag_name": name, "current_state": state, "version": version, "canary_percentage": 0,
            "canary_tenant_ids": ["t1"], "canary_holdout_ids": None, "dependencies": [], **more}  # fmt: skip


def change(number: int, name: str, previous: Any, new: Any, tenant: str | None = None, **more: Any) -> dict[str, Any]:
    return {"change_id": number, "epoch": "e1", "flag_name": name, "tenant_id": tenant, "action": "set",
            "change_type": "manual", "change_reason": f"reason {number}", "changed_by": "ops1", "previous": previous,
            "new": new, "version": number, "changed_at": f"2026-03-14T03:{number:02}:00+00:00", **more}  # fmt: skip


def cached(revision: int, flags: Any, overrides: Any = ()) -> Cached:
    return Cached("e1", revision, {}, {FLAGS: tuple(flags), OVERRIDES: tuple(overrides)}, (), {}, 0.0, None)


ON, OFF, KILL = ({"current_state": state} for state in ("on", "off", "kill"))
CHANGES = [
    change(5, "a", {"current_state": "on", "canary_tenants": 1}, {"current_state": "kill", "canary_tenants": 1}),
    change(4, "b", None, {"override_state": "on"}, tenant="t9"),
    change(3, "gone", {"current_state": "on", "canary_percentage": 0, "canary_tenant_ids": ["t3"]}, None),
    change(2, "b", {**OFF, "canary_tenant_ids": ["t7"], "canary_percentage": 30}, ON),
    change(1, "a", None, ON),
]
NOW = cached(
    5, [flag("a", "kill", 5), flag("b", "on", 4)],
    [{"flag_name": "b", "tenant_id": "t9", "override_state": "on", "expires_at": None}],
)  # fmt: skip


def states(timeline: Timeline, place: int) -> dict[str, str]:
    return {item["flag_name"]: item["current_state"] for item in timeline.listing(place)[0]["flags"]}


def test_each_change_is_taken_back_in_turn() -> None:
    timeline = Timeline(NOW, CHANGES)
    assert [moment.revision for moment in timeline.moments] == [5, 4, 3, 2, 1, 0]
    assert states(timeline, 0) == {"a": "kill", "b": "on"}
    assert states(timeline, 1) == {"a": "on", "b": "on"}
    assert states(timeline, 3) == {"a": "on", "b": "on", "gone": "on"}, "an archived flag comes back"
    assert states(timeline, 4) == {"a": "on", "b": "off", "gone": "on"}
    assert states(timeline, 5) == {"b": "off", "gone": "on"}, "before it was created there is none"
    assert len(timeline.listing(1)[0]["overrides"]) == 1
    assert timeline.listing(2)[0]["overrides"] == []


def test_a_cohort_that_a_change_left_alone_stays_and_one_that_it_changed_comes_back() -> None:
    timeline = Timeline(NOW, CHANGES)
    cohorts = {item["flag_name"]: item["canary_tenant_ids"] for item in timeline.listing(4)[0]["flags"]}
    assert cohorts == {"a": ["t1"], "b": ["t7"], "gone": ["t3"]}


def test_a_flag_shows_the_change_that_was_its_newest_then() -> None:
    flags = {item["flag_name"]: item for item in Timeline(NOW, CHANGES).listing(1)[0]["flags"]}
    assert (flags["a"]["last_change"]["change_id"], flags["a"]["version"]) == (1, 4)


def test_a_gap_in_the_changes_ends_the_past() -> None:
    timeline = Timeline(NOW, [item for item in CHANGES if item["change_id"] != 3])
    assert [moment.revision for moment in timeline.moments] == [5, 4, 3]
    assert Timeline(NOW, []).moments[0].revision == 5


def test_a_time_finds_what_was_newest_then() -> None:
    timeline = Timeline(NOW, CHANGES)
    at = timeline.moments[2].at
    assert at is not None
    assert timeline.nearest(at + 5) == 2
    assert timeline.nearest(at - 1) == 3
    assert timeline.nearest(0) == 5


async def travelling(console: Console) -> None:
    await console.until(lambda: past_is_kept(console))
    await console.press("T")
    await console.until("TIME TRAVEL")


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path / "cache.db")


async def test_the_past_is_marked_and_nothing_can_be_done_from_there(open_console: Console, keeper: Keeper) -> None:
    async with open_console(keeper=keeper) as console:
        await travelling(console)
        assert console.app.screen.query_one("EnvBar").ground_of(0) == "past"
        assert "rev 6 of 7" in console.rows()[0]
        assert "LIVE" not in console.screen()
        assert "▲ canary" not in console.screen(), "the newest change is taken back"
        for gone in ("K kill", "R rollback"):
            assert gone not in console.rows()[-1]
        assert "T now" in console.rows()[-1]
        await console.press("K", "1", "Y")
        assert "KILL not sent: this is the past, T returns to now" in console.screen()
        await console.press("escape")
        await console.until("● LIVE")
        assert "▲ canary" in console.screen()
        assert console.server.requests == []


async def test_the_present_goes_on_beside_it(open_console: Console, keeper: Keeper) -> None:
    async with open_console(keeper=keeper) as console:
        await travelling(console)
        console.server.change("billing.retry", "kill", action="killed", reason="meanwhile", who="maria")
        await console.until(lambda: console.app.present.state.revision == 8)
        assert "meanwhile" not in console.screen()
        assert "TIME TRAVEL" in console.screen()
        await console.press("T")
        await console.until("meanwhile")
        assert "● LIVE" in console.screen()


async def test_steps_go_as_far_as_the_cache_reaches(open_console: Console, keeper: Keeper) -> None:
    async with open_console(keeper=keeper) as console:
        await travelling(console)
        await console.press("<")
        await console.until("rev 0 of 7")
        assert "there was no flag yet" in console.screen()
        assert "reaches back to revision 0" in console.screen()
        await console.press(".")
        await console.until("rev 1 of 7")
        assert "PRODUCTION" in console.rows()[0]
        assert "billing.retry" in console.screen()
        await console.press(">")
        await console.until("rev 7 of 7")
        await console.press(".")
        await console.until("T returns to now")


async def test_counts_are_those_of_the_moment_on_screen(open_console: Console, keeper: Keeper) -> None:
    async with open_console(size=(120, 40), keeper=keeper) as console:
        await travelling(console)
        await console.settled()
        await console.press("<", ".")
        await console.until("rev 1 of 7")
        await console.settled()
        assert set(console.app.state.reach) == {"billing.retry"}
        await console.press("T")
        await console.until("● LIVE")
        await console.settled()
        assert console.app.state.reach["invoices.write"].enabled == 500


async def test_a_lost_connection_is_said_in_the_past_as_well(open_console: Console, keeper: Keeper) -> None:
    async with open_console(keeper=keeper) as console:
        await travelling(console)
        console.server.cut()
        await console.until("OFFLINE · READ-ONLY · nothing is queued")
        assert "TIME TRAVEL" in console.rows()[0]


async def test_without_a_cache_there_is_no_past(open_console: Console, keeper: Keeper) -> None:
    async with open_console() as console:
        await console.press("T")
        await console.until("there is no cache, and so no past")


async def test_a_word_goes_to_a_time(open_console: Console, keeper: Keeper) -> None:
    async with open_console(keeper=keeper) as console:
        await travelling(console)
        await console.press(":")
        await console.type("at 1h")
        await console.press("enter")
        await console.until("rev 2 of 7")
