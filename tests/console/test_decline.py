"""Saying no to what waits for a second person, from the console: by whom, when, and what others are told of it."""

from __future__ import annotations

from typing import Any

from flagconsole.console.oversight import oversight_of
from flagconsole.domain.approval import Approval
from flagconsole.domain.errors import ApprovalOver
from flagconsole.domain.role import Role
from flagconsole.domain.text import is_hostile, safe_text

from .hostile_texts import HOSTILE

Console = Any


async def open_list(console: Console, text: str) -> None:
    console.clock.now += 5
    await console.press("8")
    await console.until(text)


async def open_sheet(console: Console, text: str = "1 waits for a second person") -> None:
    await open_list(console, text)
    await console.press("D")
    await console.until("nothing sent yet")


async def confirm(console: Console) -> None:
    """Press ``Y`` once the sheet has been on screen for long enough."""
    await console.until(lambda: console.app.console_screen.sheet.confirmation.painted_at is not None)
    console.clock.now += 2
    await console.press("Y")


def footer(console: Console) -> str:
    """The keys that there are."""
    return console.rows()[-1]


async def asked_again(console: Console, text: str) -> None:
    """Let it be time to ask the server again, and wait for what that brings."""
    console.clock.now += 2
    await console.until(text)


async def test_a_request_is_declined_with_a_reason_and_a_y(open_console: Console, server: Any) -> None:
    approval = server.ask_for("pos.lite", current_state="canary", canary_percentage=50, change_reason="was clean")
    async with open_console() as console:
        await open_list(console, "D declines it")
        await console.press("D")
        await console.until("DECLINE pos.lite")
        assert "was clean" in console.screen()
        assert "asking again makes a new request" in " ".join(console.screen().replace("┃", " ").split())
        await console.press("Y")
        await console.until("choose a reason first")
        await console.press("enter", "3")
        await console.until("Y decline it")
        assert server.declines == []
        await confirm(console)
        await console.until("DECLINED pos.lite: ada has to ask anew")
        assert server.declines == [(approval.approval_id, "the canary hasn't shown enough")]
        await console.until("– declined by ops1")
        await console.until("“the canary hasn't shown enough”")
        await console.until(lambda: "D declines it" not in console.screen())
        await console.until(lambda: "1 waits" not in console.rows()[0])
        await console.press("A")
        await console.until("doesn't wait any more: ops1 declined it at")
        await console.press("D")
        await console.until("nothing is left to decline: ops1 declined it")
        assert console.app.console_screen.sheet is None


async def test_the_palette_and_the_footer_call_it_and_a_reason_can_be_written(
    open_console: Console, server: Any
) -> None:
    approval = server.ask_for("(many)", items=[{}, {}], change_reason="both")  # it names no flag that there is
    async with open_console(size=(140, 40)) as console:
        await open_list(console, "1 waits")
        await console.until(lambda: "D decline" in footer(console))
        await console.press(":", *"decline", "enter")
        await console.until("nothing sent yet")
        await console.press("6")
        await console.type("ask me first")
        await console.press("enter")
        await console.until("Y decline it")
        await confirm(console)
        await console.until("DECLINED (many)")
        assert server.declines == [(approval.approval_id, "ask me first")]
        await console.press("/", *"state:declined", "enter")
        await console.until("1 of 1")


async def test_ones_own_request_and_a_given_consent_can_be_taken_back(open_console: Console, server: Any) -> None:
    own = server.ask_for("pos.lite", who="ops1", current_state="on", change_reason="go")
    server.take_rights("ops1", "alone at night", ago=60.0)  # under which nobody allows anything
    async with open_console() as console:
        await open_list(console, "somebody else has to allow it")
        await console.until("D declines it")
        server.approvals_by_id[own.approval_id] = own.model_copy(
            update={"approved_by": "bob", "approved_at": server._now}
        )
        await asked_again(console, "D takes the consent back")
        await console.press("D")
        await console.until("the consent is taken back: ops1 may not do it")
        await console.press("5")
        await confirm(console)
        await console.until("DECLINED pos.lite")
        await console.until("bob had allowed it: the consent was taken back")


async def test_who_may_not_is_told_why(open_console: Console, server: Any) -> None:
    server.ask_for("pos.lite", current_state="on", change_reason="go")
    server.role = Role.OPERATOR
    async with open_console() as console:
        await open_list(console, "1 waits")
        await console.press("D")
        await console.until("DECLINE not sent")
        assert "D decline" not in console.screen()
        assert console.app.console_screen.sheet is None


async def test_what_ran_out_or_was_done_is_not_declined(open_console: Console, server: Any) -> None:
    server.ask_for("pos.lite", ago=7200.0, current_state="on", change_reason="go")
    done = server.ask_for("ai.vector_search", ago=60.0, current_state="on", change_reason="go")
    server.approvals_by_id[done.approval_id] = done.model_copy(update={"approved_by": "bob", "used_at": server._now})
    async with open_console() as console:
        await open_list(console, "0 wait for a second person")
        await console.press("g", "D")
        await console.until("nothing is left to decline: ada has done it")
        await console.press("j", "D")
        await console.until("nothing is left to decline: it ran out")
        assert server.declines == []


async def test_a_request_that_was_declined_meanwhile_is_not_allowed(open_console: Console, server: Any) -> None:
    server.environment = "staging"
    approval = server.ask_for("pos.lite", current_state="on", change_reason="go")
    async with open_console() as console:
        await open_list(console, "gain it")
        await console.press("A")
        await console.until("Y allow it")
        assert "declining: Esc, then D; else it runs out at" in console.screen()
        server.say_no(approval.approval_id, "maria", "not on a Friday")
        await asked_again(console, "not any more: maria declined it at")
        assert "not on a Friday" in console.screen()
        await console.until(lambda: "Y allow it" not in console.screen() and "Y confirm" not in footer(console))
        server.change("pos.lite", "shadow", reason="moved too")  # counts anew whom it reaches
        await console.until(lambda: console.app.state.revision == server.revision)
        await console.settled()
        await console.press("Y")
        assert server.allowed == []
        await console.press("escape")
        await console.until("– declined by maria")


async def test_a_name_that_was_typed_too_late_allows_nothing(open_console: Console, server: Any) -> None:
    approval = server.ask_for("pos.lite", current_state="on", change_reason="go")
    async with open_console() as console:
        await open_list(console, "gain it")
        await console.press("A")
        await console.until("type lite to allow it")
        await console.press(*"lit")
        server.say_no(approval.approval_id, "maria", "no")
        await asked_again(console, "maria declined it")
        await console.press("e")
        assert server.allowed == []


async def test_a_request_that_somebody_else_declined_first_is_told_as_theirs(
    open_console: Console, server: Any
) -> None:
    approval = server.ask_for("pos.lite", current_state="on", change_reason="go")
    async with open_console() as console:
        await open_sheet(console)
        await console.press("1")
        await console.until("Y decline it")
        server.say_no(approval.approval_id, "maria", "not on a Friday")
        await asked_again(console, "! maria declined it at")
        await console.until(lambda: "Y confirm" not in footer(console))
        await console.press("2", "Y")
        assert server.declines == []
        await console.press("escape")


async def test_an_answer_that_names_another_is_not_told_as_ones_own(open_console: Console, server: Any) -> None:
    approval = server.ask_for("pos.lite", current_state="on", change_reason="go")
    asked: list[int] = []

    async def silent() -> Any:
        asked.append(1)
        raise OSError

    async with open_console() as console:
        await open_sheet(console)
        await console.press("1")
        await console.until("Y decline it")
        server.approvals = silent  # the list doesn't bring it before the answer does
        console.clock.now += 2
        await console.until(lambda: asked)
        server.say_no(approval.approval_id, "maria", "not on a Friday")
        await confirm(console)
        await console.until("DECLINE pos.lite: maria declined it at")
        assert "DECLINED pos.lite" not in console.screen()


async def test_what_the_server_refuses_is_told_and_not_shown_as_declined(open_console: Console, server: Any) -> None:
    server.ask_for("pos.lite", current_state="on", change_reason="go")
    async with open_console() as console:
        await open_sheet(console)
        await console.press("1")
        await console.until("Y decline it")
        server.failures = [ApprovalOver("There is nothing left to decline.", approval_id="appr-1")]
        await confirm(console)
        await console.until("DECLINE pos.lite not confirmed: The approval")
        await console.until("! waits")


async def test_a_consent_that_was_given_meanwhile_has_to_be_seen_before_y_counts(
    open_console: Console, server: Any
) -> None:
    approval = server.ask_for("pos.lite", current_state="on", change_reason="go")
    async with open_console() as console:
        await open_sheet(console)
        await console.press("1")
        await console.until("Y decline it")
        server.approvals_by_id[approval.approval_id] = approval.model_copy(update={"approved_by": "bob"})
        earlier = console.clock.now
        await asked_again(console, "ALLOWED bob")
        await console.until("the consent is taken back: ada may not do it")
        sheet = console.app.console_screen.sheet
        await console.until(lambda: (sheet.confirmation.painted_at or 0.0) > earlier)
        await confirm(console)
        await console.until("DECLINED pos.lite")


async def test_strangers_reasons_are_shown_as_they_were_written(open_console: Console, server: Any) -> None:
    texts = [text[:500] for text in HOSTILE[::5] if not any("\ud800" <= char <= "\udfff" for char in text)]
    for text in texts:
        approval: Approval = server.ask_for("pos.lite", ago=60.0, current_state="on", change_reason="go")
        server.say_no(approval.approval_id, text, text)
    async with open_console(size=(120, 40)) as console:
        await open_list(console, "– declined by")
        seen = []
        for text in texts:
            await console.until(f"“{safe_text(text)[:9]}")
            seen.append(console.screen())
            await console.press("j")
        assert not [char for screen in seen for char in screen if is_hostile(char) and char != "\n"]


def test_what_was_declined_is_read_from_the_api_and_is_over_at_once() -> None:
    told = {"approval_id": "a1", "flag_name": "pos.lite", "requested_by": "ada", "ends_at": "2027-01-15T08:30:00Z"}
    no = {"declined_by": "bob", "declined_at": "2027-01-15T08:30:00Z", "decline_reason": "no"}
    waiting, declined = oversight_of([told, told | no], [], []).approvals
    just_before = waiting.ends_at - 1  # where this clock is a little behind the server's
    assert waiting.waits(just_before)
    assert not declined.waits(just_before)
    assert not declined.open(just_before)
    assert (declined.declined_by, declined.declined_at, declined.decline_reason) == ("bob", declined.ends_at, "no")
