"""Clients that are told and can't confirm: neither counted as having a change nor as missing it, and it is said why."""

from __future__ import annotations

from typing import Any

from flagconsole.console import actions
from flagconsole.console.actions import PARTIAL_AFTER, Action, Kind, Stage
from flagconsole.console.arrival import arrival
from flagconsole.console.rows import InstanceRow

Console = Any
MUTE = "unleash:payments-edge"


def row(name: str, revision: int, told: int | None = None, presence: str = "live") -> InstanceRow:
    return InstanceRow(name, "billing", "e1", revision, presence, "ready", "stream", "0.1", 0.0, None, told)


def accepted() -> Action:
    begun = Action("key-1", Kind.KILL, "pos.lite", "production", "errors", 3, "on", 0.0)
    return actions.accepted(actions.sent(begun, 9.0), 10.0, "e1", 8, changed=True, after="kill")


def test_who_was_told_is_counted_apart() -> None:
    fleet = [row("a", 8), row("b", 7), row("told", 0, 8), row("untold", 0, 7), row("gone", 8, presence="left")]
    found = arrival(fleet, "e1", 8)
    assert [item.instance_id for item in found.confirmed] == ["a"]
    assert [item.instance_id for item in found.told] == ["told"]
    assert [item.instance_id for item in found.behind] == ["b", "untold"], "one that wasn't told yet may miss it"
    assert found.words == "1/3 + 1 told"
    assert not arrival([row("told", 0, 8)], "e2", 8).told, "of another lineage nothing is known"


def test_a_kill_waits_until_it_was_told_and_no_longer() -> None:
    fleet = {"a": row("a", 8), "mute": row("mute", 0, 7)}
    late = actions.observed(accepted(), fleet, 10.0 + PARTIAL_AFTER)
    assert (late.stage, late.behind) == (Stage.PARTIAL, ("mute",))
    done = actions.observed(late, {**fleet, "mute": row("mute", 0, 8)}, 16.0)
    assert (done.stage, done.expected, done.told) == (Stage.CONFIRMED, 1, ("mute",))


def test_where_only_they_run_nothing_is_ever_confirmed() -> None:
    seen = actions.observed(accepted(), {"mute": row("mute", 0, 8)}, 99.0)
    assert (seen.stage, seen.told) == (Stage.ACCEPTED, ("mute",))


def tell(console: Console, revision: int) -> None:
    known = console.server.instances_by_id[MUTE]
    console.server.instances_by_id[MUTE] = known.model_copy(update={"told_revision": revision, "epoch": "e1"})
    console.server.confirm(MUTE, 0)


async def test_a_kill_says_who_was_told_and_that_they_cannot_confirm(open_console: Console, server: Any) -> None:
    server.instance(MUTE, told_revision=server.revision)
    async with open_console(size=(120, 40)) as console:
        await console.press("K", "1")
        assert "12 instances expected to confirm; 1 more will be told, and can't confirm" in console.screen()
        await console.press("Y")
        await console.until("PROPAGATING 0/13")
        for name in list(server.instances_by_id)[:12]:
            server.confirm(name)
        await console.until("12/13")
        tell(console, server.revision)
        await console.until("CONFIRMED 12/12")
        screen = console.screen()
        assert "all that can confirm in" in screen
        assert "all instances" not in screen
        assert f"~ 1 told, can't confirm  {MUTE}" in screen
        assert "gives no receipt" in screen
        await console.press("x")
        await console.until("CONFIRMED 12/12  1 told, can't confirm")
        await console.press("5")
        await console.until("12/12 have rev 8")
        assert "+ 1 told, can't confirm" in console.screen()
        assert any(MUTE in line and "~ told" in line for line in console.rows())
        await console.press("G")
        await console.until("told of rev 8 of 8")


async def test_one_that_was_not_told_is_behind(open_console: Console, server: Any) -> None:
    server.instance(MUTE, told_revision=3)
    async with open_console(size=(120, 40)) as console:
        await console.press("5")
        await console.until("12/13 have rev 7")
        assert any(MUTE in line and "! 4" in line for line in console.rows())
        assert "told of rev 3 of 7" in console.screen()
