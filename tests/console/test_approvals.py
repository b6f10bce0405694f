"""What waits for a second person, and what was done under break-glass: seen, allowed and reviewed from the console."""

from __future__ import annotations

import re
from typing import Any

from flagconsole.console.asked_change import asked_change
from flagconsole.console.oversight import oversight_of
from flagconsole.console.oversight_rows import ApprovalRow
from flagconsole.console.rows import flag_row
from flagconsole.console.state import ConsoleState
from flagconsole.domain.errors import ApprovalOver
from flagconsole.domain.role import Role

Console = Any


def asked(operation: str, request: str, flag_name: str = "pos.lite") -> ApprovalRow:
    return ApprovalRow("a1", flag_name, "ada", 0.0, "", None, operation, request)


def test_what_a_request_asks_for_is_told_by_its_operation() -> None:
    row = flag_row({"flag_name": "pos.lite", "current_state": "canary", "canary_percentage": 10})
    state = ConsoleState(flags={"pos.lite": row})

    def words(operation: str, request: str) -> tuple[str, str]:
        change = asked_change(state, asked(operation, request))
        return change.before, change.after

    assert words("update", '{"canary_percentage": 50}') == ("canary 10 %", "canary 50 %")
    assert words("update", '{"current_state": "on"}') == ("canary 10 %", "on")
    assert words("revive", "{}") == ("canary 10 %", "off")
    assert words("override", '{"tenant_id": "t1", "override_state": "on"}') == ("no override", "on")
    assert words("start", '{"plan_name": "slow"}') == ("canary 10 %", "a rollout by slow")
    assert words("anything", "not JSON \x1b") == ("canary 10 %", "anything")
    assert words("update", "[1]") == ("canary 10 %", "update")


def test_a_promotion_goes_to_the_next_phase_and_a_set_counts_its_changes() -> None:
    many = asked_change(ConsoleState(), asked("update", '{"items": [{}, {}]}', "(many)"))
    assert many.after == "2 changes at once"


async def open_list(console: Console, key: str, text: str) -> None:
    console.clock.now += 5
    await console.press(key)
    await console.until(text)


async def test_somebody_elses_request_is_allowed_after_its_name_was_typed(open_console: Console, server: Any) -> None:
    server.ask_for("pos.lite", current_state="canary", canary_percentage=50, change_reason="canary 10 was clean")
    async with open_console() as console:
        await open_list(console, "8", "1 waits for a second person")
        await console.until("gain it")
        await console.press("A")
        await console.until("type lite to allow it")
        assert "canary 10 was clean" in console.screen()
        await console.press("Y", "enter")
        assert server.allowed == []
        console.clock.now += 5
        for key in ("backspace", *"lite"):  # the Y stands there as text
            console.clock.now += 0.2
            await console.press(key)
        await console.until("ALLOWED pos.lite: ada can ask again until")
        assert len(server.allowed) == 1
        await console.until("✓ allowed")


async def test_one_outside_production_takes_a_y_and_a_refusal_is_told(open_console: Console, server: Any) -> None:
    server.environment = "staging"
    server.ask_for("pos.lite", current_state="on", change_reason="go")
    async with open_console() as console:
        await open_list(console, "8", "gain it")
        await console.press("A")
        await console.until("Y allow it")
        await console.press("1")  # there is no reason to choose
        server.failures = [ApprovalOver("Ask for it anew.", approval_id="appr-1")]
        console.clock.now += 2
        await console.press("Y")
        await console.until("NOT ALLOWED pos.lite")


async def test_ones_own_request_and_a_role_that_may_not_are_told_why(open_console: Console, server: Any) -> None:
    server.ask_for("pos.lite", who="ops1", current_state="on", change_reason="go")
    async with open_console() as console:
        await open_list(console, "8", "you asked for it yourself: somebody else has to allow it")
        await console.press("A")
        assert console.app.console_screen.sheet is None
    server.role = Role.OPERATOR
    server.approvals_by_id.clear()
    server.ask_for("pos.lite", current_state="on", change_reason="go")
    async with open_console() as console:
        await open_list(console, "8", "allowing takes an admin's key; yours is operator's")
        await console.press("A")
        await console.until("ALLOW not sent")
        assert "A allow" not in console.screen()


async def test_a_list_that_is_not_answered_any_more_says_how_old_it_is(open_console: Console, server: Any) -> None:
    server.ask_for("pos.lite", current_state="on", change_reason="go")

    async def silent() -> Any:
        raise OSError

    async with open_console() as console:
        await open_list(console, "8", "1 waits for a second person")
        server.approvals = silent
        console.clock.now += 40
        await console.until(lambda: re.search(r"asked 4\ds ago", console.screen()) is not None)


async def test_what_was_done_under_break_glass_is_reviewed_with_a_note(open_console: Console, server: Any) -> None:
    change = server.change("pos.lite", "canary", percentage=10, who="olu", reason="needed for the fix")
    server.take_rights("olu", "registers are down", changes=(change,), calls=("PUT /api/tenants",))
    async with open_console() as console:
        await open_list(console, "9", "1 to review")
        await console.until("needed for the fix")
        assert "PUT /api/tenants" in console.screen()
        await console.press("C")
        await console.until("nothing sent yet")
        await console.press("1")
        console.clock.now += 2
        await console.press("Y")
        await console.until("REVIEWED olu's")
        assert server.reviews == [("glass-000000000001", "right, and only what was needed")]
        await console.until("✓ reviewed")
        await console.press("C")
        await console.until("ops1 has reviewed it already")


def test_ones_own_deeds_and_rights_in_force_are_not_reviewed() -> None:
    grant = {"grant": {"grant_id": "g1", "taken_by": "olu", "ends_at": "2027-01-15T08:30:00Z"}}
    known = oversight_of([], [grant], [])
    assert known.to_review(1_800_000_000.0) == ()
    assert [row.grant_id for row in known.to_review(1_800_002_000.0)] == ["g1"]
