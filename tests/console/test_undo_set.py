"""Several changes chosen in the history and undone as one set."""

from __future__ import annotations

from typing import Any

from flagconsole.console.actions import Kind
from flagconsole.console.set_impact import set_impact
from flagconsole.domain.bulk import BulkOutcome, BulkResult
from flagconsole.domain.errors import OutcomeUnknown
from flagconsole.domain.evaluation import Rule, Ruleset
from flagconsole.domain.flag import Setting
from flagconsole.domain.role import Role
from flagconsole.domain.states import FlagState

Console = Any


async def two_marked(console: Console) -> None:
    """Two flags are turned on by somebody, and both changes chosen."""
    console.server.change("pos.lite", "on", reason="go")
    console.server.change("pos.loyalty_points", "on", reason="go too")
    await console.until(lambda: console.app.state.revision == 9)
    await console.press("l")
    await console.until("9 changes")
    await console.press("m", "m")
    await console.until("2 chosen · R undoes them as one")


async def ready(console: Console) -> None:
    """The sheet has its answer and was painted: from now on its keys count."""
    await console.until(lambda: (sheet := console.app.screen.sheet) is not None and sheet.confirmation.ready)
    await console.until(lambda: console.app.screen.sheet.confirmation.painted_at is not None)


async def test_the_chosen_changes_are_undone_as_one_set(server: Any, open_console: Console) -> None:
    before = {name: flag.current_state for name, flag in server.flags_by_name.items()}
    async with open_console((120, 40)) as console:
        await two_marked(console)
        await console.press("R")
        await console.until("#8, #9, as one set or not at all")
        assert "UNDO SET  2 changes of 2 flags" in console.screen()
        assert "tenants lose a feature" in console.screen()
        assert server.requests == [], "nothing is sent by looking"
        await ready(console)
        await console.press("4", "Y")
        await console.until(lambda: server.requests)
        verb, _, body, key = server.requests[0]
        assert (verb, body.change_ids, body.rollback_reason) == ("bulk_rollback", (8, 9), "wrong change")
        assert key is not None
        for name in server.instances_by_id:
            server.confirm(name)
        await console.until("CONFIRMED 12/12")
        assert {name: flag.current_state for name, flag in server.flags_by_name.items()} == before
        await console.press("x")
        await console.until("UNDO SET pos.lite and 1 more")
        assert "chosen" not in console.screen(), "what is undone is chosen no more"


async def test_marks_are_taken_back_one_by_one_and_all_by_escape(server: Any, open_console: Console) -> None:
    async with open_console((120, 40)) as console:
        await two_marked(console)
        assert console.screen().count("✓ ") >= 2
        await console.press("k", "m")
        await console.until("1 chosen")
        await console.press("escape")
        await console.until(lambda: "chosen" not in console.screen())
        assert "HISTORY" in console.screen(), "Escape took the marks, not the screen"
        await console.press("g", "R")
        await console.until("ROLLBACK pos.loyalty_points")


async def test_what_would_raise_exposure_is_asked_for(server: Any, open_console: Console) -> None:
    async with open_console((120, 40)) as console:
        server.change("pos.lite", "on", reason="go")
        server.change("pos.lite", "off", reason="stop")
        await console.until(lambda: console.app.state.revision == 9)
        await console.press("l")
        await console.until("9 changes")
        await console.press("m", "R")
        await console.until("REFUSED")
        await console.press("1", "Y")
        assert server.requests == []
        await console.press("right")
        await console.until("nothing of it would change")
        await console.press("right")
        await console.until("off → on")
        await console.until("then type lite")
        await console.press("1")
        await console.until("lite>")
        await ready(console)
        assert server.requests == [], "what raises exposure in production takes the name typed"
        await console.type("lite")
        await console.until(lambda: server.requests)
        assert (server.requests[0][2].change_ids, server.requests[0][2].allow_raise) == ((9,), True)


async def test_a_flag_that_moves_meanwhile_is_asked_about_anew(server: Any, open_console: Console) -> None:
    async with open_console((120, 40)) as console:
        await two_marked(console)
        await console.press("R")
        await console.until("as one set or not at all")
        server.change("pos.lite", "shadow", reason="mine")
        await console.until("changed meanwhile: asked the server anew")
        await console.until("shadow → ")


async def test_an_answer_that_was_lost_is_read_back_from_the_log(server: Any, open_console: Console) -> None:
    async with open_console((120, 40)) as console:
        await two_marked(console)
        await console.press("R")
        await console.until("as one set or not at all")
        await ready(console)
        await console.press("1")
        server.failures.append(OutcomeUnknown(problem="the connection broke", idempotency_key="x"))
        await console.press("Y")
        await console.until(lambda: len(server.requests) > 1)
        assert server.requests[0][3] == server.requests[1][3], "asked again with the same key"
        (action,) = console.app.state.ledger
        assert (action.kind, action.asked.changes) == (Kind.REVERT, (8, 9))


async def test_who_only_looks_chooses_nothing(server: Any, open_console: Console) -> None:
    server.role = Role.VIEWER
    async with open_console((120, 40)) as console:
        await console.press("l")
        await console.until("7 changes")
        await console.press("m")
        assert "chosen" not in console.screen()
        assert "m mark" not in console.screen()


async def test_all_that_changed_before_an_incident(server: Any, open_console: Console) -> None:
    server.incident_of("pos.loyalty_points")
    async with open_console((120, 40)) as console:
        await console.until(lambda: console.app.state.incidents)
        await console.press("i")
        await console.until("inc-1")
        await console.press("@")
        await console.until("nearest first")


def test_the_reach_of_a_set_counts_each_tenant_once_and_dependents_too() -> None:
    rules = {
        "a.base": Rule("a.base", FlagState.ON, 0, frozenset(), (), 1),
        "a.top": Rule("a.top", FlagState.ON, 0, frozenset(), ("a.base",), 1),
        "b.own": Rule("b.own", FlagState.CANARY, 0, frozenset({"t1"}), (), 1),
        "c.off": Rule("c.off", FlagState.OFF, 0, frozenset(), (), 1),
    }
    ruleset = Ruleset("e1", 5, rules, {})
    outcomes = [
        BulkOutcome(
            flag_name="a.base", changed=True, setting=Setting(current_state="canary", canary_tenant_ids=("t1",))
        ),
        BulkOutcome(flag_name="b.own", changed=True, setting=Setting(current_state="off")),
        BulkOutcome(flag_name="c.off", changed=False, setting=Setting(current_state="on"), left_out="no"),
    ]
    result = BulkResult(changed=2, epoch="e1", revision=5, outcomes=tuple(outcomes))
    found = set_impact(ruleset, result, ("t1", "t2", "t3"), 0.0)
    assert found == (3, 3, 3, 0)
    assert ruleset.evaluate("a.top", "t2", 0.0).enabled, "what is in force stays as it is"
