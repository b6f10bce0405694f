"""Flows as a user meets them: keys in, screen out, requests counted."""

from __future__ import annotations

from typing import Any

import pytest
from rich.text import Text

from flagconsole.domain.errors import NotAllowed, OutcomeUnknown, RaiseRefused, Unreachable
from flagconsole.domain.role import Role

Console = Any


def footer(console: Console) -> str:
    return console.rows()[-1]


async def test_three_keys_kill_and_receipts_count_up(open_console: Console) -> None:
    async with open_console() as console:
        server = console.server
        await console.press("K")
        screen = console.screen()
        assert "KILL pos.loyalty_points  in PRODUCTION" in screen
        assert "tenants lose it" in screen
        assert "12 instances expected to confirm" in screen
        assert "nothing sent yet" in screen
        assert server.requests == []
        await console.press("1", "Y")
        await console.until("PROPAGATING 0/12")
        for number, name in enumerate(list(server.instances_by_id), start=1):
            server.confirm(name)
            await console.until(f"{number}/12")
        await console.until("CONFIRMED 12/12")
        ((verb, name, body, key),) = server.requests
        assert (verb, name, body.kill_reason) == ("kill", "pos.loyalty_points", "error rate")
        assert key
        await console.press("x")
        assert "CONFIRMED 12/12" in console.rows()[-2], "it goes on in the ledger"
        assert "■ kill" in console.rows()[2]


async def test_nothing_but_a_typed_y_confirms(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("Y", "enter")
        await console.press("-") if "KILL" not in console.screen() else None
        await console.press("K")
        await console.press("1")
        for key in ("enter", "space", "K", "y", "tab", "2", "down"):
            await console.press(key)
        await console.paste("Y")
        assert console.server.requests == []
        assert "nothing sent yet" in console.screen()
        await console.press("Y")
        await console.until(lambda: console.server.requests)


async def test_type_ahead_does_not_kill(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("K", "1", "Y", "Y", "Y", pause=0.01)
        assert console.server.requests == []
        assert "press Y again: typed too fast" in console.screen()  # what to do isn't cut off at 80 columns


@pytest.mark.parametrize("key", ["escape", "n", "ctrl+c"])
async def test_cancelling_sends_nothing(open_console: Console, key: str) -> None:
    async with open_console() as console:
        await console.press("K", "1", key)
        await console.until(lambda: "nothing sent yet" not in console.screen())
        assert console.server.requests == []
        assert "FLAG" in console.screen()


async def test_y_without_a_reason_asks_for_one(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("K", "Y")
        assert "choose a reason first" in console.screen()
        assert console.server.requests == []


async def test_typed_reason_goes_into_the_log(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("K", "6")
        await console.type("n: rack 4 is on fire, Y")
        await console.press("enter")
        assert console.server.requests == []
        await console.press("Y")
        await console.until(lambda: console.server.requests)
        assert console.server.requests[0][2].kill_reason == "n: rack 4 is on fire, Y"


async def test_target_is_bound_when_the_sheet_opens(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("j", "K")
        bound = console.app.state.selected
        console.server.change("billing.retry", "off", reason="newer")
        console.server.change("invoices.write", "off", reason="newest")
        await console.until(lambda: console.app.state.revision == console.server.revision)
        await console.press("1", "Y")
        await console.until(lambda: console.server.requests)
        assert console.server.requests[0][1] == bound == "ai.vector_search"


async def test_change_under_the_sheet_is_shown_and_seen_before_y_counts(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("K", "1")
        console.server.change("pos.loyalty_points", "on", who="somebody")
        await console.until("changed meanwhile by somebody: now v3, on")
        await console.press("Y", pause=0.0)
        assert console.server.requests == []
        await console.press("Y")
        await console.until(lambda: console.server.requests)


async def test_high_risk_asks_for_the_name_and_says_why(open_console: Console) -> None:
    server = None
    async with open_console() as console:
        server = console.server
        await console.press("/")
        await console.type("billing")
        await console.press("enter", "K")
        assert "HIGH RISK" in console.screen()
        assert "invoices.write would change for 500 of 500 tenants" in console.screen()
        assert "Y confirm" not in footer(console)
        await console.press("1", "Y")
        assert server.requests == []
        await console.press("backspace")
        await console.type("retr")
        assert server.requests == []
        await console.type("y")
        await console.until(lambda: server.requests)
        assert server.requests[0][:2] == ("kill", "billing.retry")


async def test_already_killed_says_so(open_console: Console) -> None:
    async with open_console() as console:
        console.server.change("pos.loyalty_points", "kill", action="killed", reason="first", who="maria")
        await console.until("■ kill")
        await console.press("K")
        assert "already killed" in console.screen()
        assert "by maria: a second kill changes nothing" in console.screen()
        await console.press("1", "Y")
        await console.until("already kill since rev 8: nothing had to change")


async def test_refused_kill_says_why_and_claims_nothing(open_console: Console) -> None:
    async with open_console() as console:
        console.server.failures = [NotAllowed(required="operator", role="viewer")]
        await console.press("K", "1", "Y")
        await console.until("REJECTED")
        assert "nothing was changed" in console.screen()
        assert "This needs the role operator" in console.screen()
        assert "CONFIRMED" not in console.screen()


async def test_unknown_outcome_is_asked_again_with_the_same_key(open_console: Console) -> None:
    async with open_console() as console:
        console.server.failures = [OutcomeUnknown(problem="no answer")]
        console.server.held.clear()
        await console.press("K", "1", "Y")
        await console.until("SENT")
        console.server.held.set()
        await console.until("UNKNOWN")
        await console.until("ACCEPTED")
        keys = {key for *_, key in console.server.requests}
        assert len(console.server.requests) == 2
        assert len(keys) == 1


async def test_partial_names_who_is_behind(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("K", "1", "Y")
        await console.until("PROPAGATING 0/12")
        names = list(console.server.instances_by_id)
        for name in names[1:]:
            console.server.confirm(name)
        await console.until("11/12")
        console.clock.now += 6
        await console.until("PARTIAL 11/12")
        assert f"! {names[0]}" in console.screen()
        console.server.confirm(names[0])
        await console.until("CONFIRMED 12/12")


async def test_viewer_has_no_actions_and_is_told(open_console: Console, server: Any) -> None:
    server.role = Role.VIEWER
    async with open_console(size=(120, 40)) as console:
        assert "RO role viewer" in console.rows()[0]
        for gone in ("kill", "rollback", "revive"):
            assert gone not in footer(console)
        await console.press("K", "R", "V")
        assert "┏" not in console.screen()
        await console.press("?")
        await console.until("nothing: role viewer")
        await console.press("?", ":")
        await console.type("kill pos")
        await console.until("kill: not now: the role viewer of your key may not do it")


async def test_operator_kills_but_does_not_revive(open_console: Console, server: Any) -> None:
    server.role = Role.OPERATOR
    async with open_console() as console:
        assert "K kill" in footer(console)
        assert "V revive" not in footer(console)
        await console.press("V")
        assert "REVIVE not sent: the role operator of your key may not do it" in console.screen()


async def test_readonly_removes_the_actions(open_console: Console) -> None:
    async with open_console(readonly=True) as console:
        assert "RO --readonly" in console.rows()[0]
        assert "kill" not in footer(console)
        await console.press("K")
        assert "┏" not in console.screen()
        assert "KILL not sent: this console is read-only (--readonly)" in console.screen()


async def test_lost_connection_keeps_the_data_and_removes_the_actions(open_console: Console) -> None:
    async with open_console() as console:
        console.clock.now += 40
        console.server.cut("connection reset", retry_in=4.0)
        await console.until("OFFLINE · READ-ONLY · nothing is queued")
        screen = console.screen()
        assert "40s old" in screen
        assert "connection reset" in screen
        assert "next try in 4s" in screen
        assert "pos.loyalty_points" in screen
        assert "r retry" in footer(console)
        assert "K kill" not in footer(console)
        await console.press("K")
        assert "┏" not in console.screen()
        assert "KILL not sent: the connection is lost, and nothing is queued" in console.screen()
        await console.press("1", "Y")
        assert "KILL not sent" in console.screen(), "fingers that go on by habit are still answered"
        await console.press("j")
        assert "KILL not sent" not in console.screen()


async def test_kill_confirmed_after_the_connection_went_is_never_sent(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("K", "1")
        console.server.cut()
        await console.until("OFFLINE")
        await console.press("Y")
        await console.until("REJECTED")
        assert "not sent: the connection is lost, and nothing is queued" in " ".join(console.screen().split("┃"))
        console.app.session.reconnect()
        await console.until("LIVE")
        assert console.server.requests == []


async def test_reconnecting_brings_what_was_missed(open_console: Console) -> None:
    async with open_console() as console:
        console.server.cut(retry_in=60.0)
        await console.until("OFFLINE")
        console.server.change("pos.lite", "on", reason="while away", silent=True)
        await console.press("r")
        await console.until("while away")
        await console.until(lambda: "OFFLINE" not in console.screen())


async def test_unreachable_server_is_said_and_tried_again(open_console: Console, server: Any) -> None:
    server.fetch_failures = [Unreachable(url="http://flags-eu1:8765", problem="refused")]
    async with open_console(live=False) as console:
        await console.until("there is no data yet")
        assert "refused" in console.screen()
        server.fetch_failures = []
        await console.press("r")
        await console.until("pos.loyalty_points")


async def test_gap_in_the_stream_fetches_the_listing(open_console: Console) -> None:
    async with open_console() as console:
        console.server.change("pos.lite", "on", reason="lost on the way", silent=True)
        console.server.change("billing.retry", "off", reason="seen")
        await console.until(lambda: console.app.state.revision == console.server.revision)
        assert console.app.state.revision == console.server.revision


async def test_change_that_the_stream_never_brings_is_noticed(open_console: Console) -> None:
    async with open_console() as console:
        console.server.change("pos.lite", "on", reason="silently", silent=True)
        console.server.beat()
        console.server.beat()
        await console.until(lambda: console.app.state.revision == console.server.revision)


async def test_cursor_follows_the_name_and_rows_rest_while_it_moves(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("j", "j")
        name = console.app.state.selected
        before = [row[2:20] for row in console.rows()[2:8]]
        console.server.change("billing.retry", "off", reason="bottom row")
        await console.until("bottom row")
        assert [row[2:20] for row in console.rows()[2:8]] == before
        console.clock.now += 10
        await console.until(lambda: "billing.retry" in console.rows()[2])
        assert console.app.state.selected == name
        assert any(row.startswith(f"▶ {name}") for row in console.rows())


async def test_filter_narrows_and_escape_shows_all(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("/")
        await console.type("state:on !inv")
        assert "1 of 6" in console.rows()[1]
        assert "billing.retry" in console.rows()[3]
        await console.press("enter", "escape")
        assert "invoices.write" in console.screen()


async def test_tenant_sees_its_state_and_why(open_console: Console) -> None:
    async with open_console(size=(120, 40)) as console:
        await console.press("t")
        await console.type("tenant-0042")
        await console.press("enter")
        await console.until("TENANT")
        assert "tenant-0042" in console.screen()
        assert "capped by its dependency pos.lite" in " ".join(console.screen().split()) or "cohort" in console.screen()
        await console.press("escape")
        await console.until(lambda: "tenant-0042" not in console.screen())


async def test_revive_in_production_needs_the_name(open_console: Console) -> None:
    async with open_console() as console:
        console.server.change("pos.loyalty_points", "kill", action="killed", reason="errors", who="maria")
        await console.until("■ kill")
        await console.press("V")
        assert "by maria: “errors”" in console.screen()
        await console.press("1")
        await console.type("loyalty_points")
        await console.until(lambda: console.server.requests)
        assert console.server.requests[0][:2] == ("revive", "pos.loyalty_points")
        await console.until("kill → off")


async def test_revive_outside_of_production_takes_y(open_console: Console, server: Any) -> None:
    server.environment = "local"
    async with open_console() as console:
        console.server.change("pos.loyalty_points", "kill", action="killed")
        await console.until("■ kill")
        await console.press("V", "1", "Y")
        await console.until(lambda: console.server.requests)


async def test_revive_of_what_is_not_killed_says_so(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("V")
        assert "is not killed (it is canary 10 %)" in console.screen()


async def test_rollback_shows_what_it_undoes_before_y_counts(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("R")
        await console.until("UNDOES #7")
        assert "by rel: off → canary 10 % “start canary”" in console.screen()
        assert console.server.requests == []
        await console.press("1", "Y")
        await console.until("ACCEPTED")
        assert console.server.requests[0][:2] == ("rollback", "pos.loyalty_points")


async def test_a_way_back_says_who_loses_it_and_which_flags_follow(open_console: Console) -> None:
    async with open_console() as console:
        console.server.change("billing.retry", "off", reason="stop")
        console.server.change("billing.retry", "on", reason="go")
        await console.until(lambda: console.app.state.revision == 9)
        await console.type(":rollback billing.retry")
        await console.press("enter")
        await console.until("on (v3) → off")
        for way in ("0 gain it · 500 lose it of 500", "up to 500 lose it of 500"):
            told = (way, "invoices.write on → off for 500", "invoices.auto_send stays as it is")
            await console.until(lambda told=told: all(words in console.screen() for words in told))
            await console.press("right")


async def test_refused_rollback_has_nothing_to_confirm(open_console: Console) -> None:
    async with open_console() as console:
        console.server.failures = [RaiseRefused(flag="pos.loyalty_points", before="off", after="on")]
        await console.press("R")
        await console.until("REFUSED")
        assert "REASON" not in console.screen()
        await console.press("1", "Y")
        assert console.server.requests == []


async def test_history_of_a_flag_and_of_all(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("h")
        await console.until("2 changes")
        assert "start canary" in console.screen()
        await console.press("tab")
        await console.until("7 changes")
        await console.press("G")
        assert "billing.retry  – → on" in console.screen()
        await console.press("K")
        assert "KILL billing.retry" in console.screen(), "the flag of the entry under the cursor"
        await console.press("escape", "h")
        await console.until("HISTORY billing.retry")
        await console.press("h")
        await console.until("the changes of billing.retry are here already")
        await console.press("l")
        await console.until("HISTORY all flags")
        await console.press("-")
        await console.until("REACH")


async def test_palette_opens_the_sheet_and_kills_nothing(open_console: Console) -> None:
    async with open_console() as console:
        await console.press(":")
        await console.type("kill pos.lite")
        await console.press("enter")
        await console.until("KILL pos.lite")
        assert console.server.requests == []


@pytest.mark.parametrize("screen", ["5", ":settings", "9", "enter"])
async def test_the_palette_calls_everything_from_every_screen(open_console: Console, screen: str) -> None:
    async with open_console() as console:
        if screen.startswith(":"):
            await console.type(screen)
            await console.until("▶ settings")
            await console.press("enter")
        else:
            await console.press(screen)
        await console.until(lambda: console.app.screen.name_in_keymap != "fleet")
        await console.type(":kill pos.lite")
        await console.until("▶ kill pos.lite")
        await console.press("enter")
        await console.until("KILL pos.lite")
        await console.press("n")
        await console.type(":frobnicate")
        await console.until("no command and no flag is called 'frobnicate'; ? shows all that")
        await console.press("enter")  # nothing that it could mean is run
        assert "there are" in console.screen()
        await console.press("escape")
        await console.type(":canary nosuch")
        await console.until("no flag is called 'nosuch'")
        await console.press("escape")
        await console.type(":fleet")
        await console.press("enter")
        await console.until(lambda: console.app.screen.name_in_keymap == "fleet")


async def test_palette_changes_the_theme(open_console: Console) -> None:
    async with open_console() as console:
        await console.press(":")
        await console.type("theme day")
        await console.press("enter")
        await console.until(lambda: console.app.palette.name == "day")
        assert "pos.loyalty_points" in console.screen()


async def test_leaving_asks_while_the_server_has_not_answered(open_console: Console) -> None:
    async with open_console() as console:
        console.server.held.clear()
        await console.press("K", "1", "Y", "x", "q")
        assert "while an action is on its way?" in console.screen()
        await console.press("n", "q", "Y")
        await console.until(lambda: console.app.return_value == 0)


async def test_too_small_says_so_and_does_nothing(open_console: Console) -> None:
    async with open_console() as console:
        await console.pilot.resize_terminal(50, 12)
        await console.until("50×12 is too small")
        await console.press("K", "1", "Y")
        await console.pilot.resize_terminal(80, 24)
        await console.until("REACH")
        assert console.server.requests == []


async def test_sheet_survives_a_resize(open_console: Console) -> None:
    async with open_console(size=(120, 40)) as console:
        await console.press("K", "1")
        await console.pilot.resize_terminal(80, 24)
        await console.until(lambda: console.app.size.width == 80)
        await console.until(lambda: len(console.rows()[-2]) == 80)
        assert "KILL pos.loyalty_points" in console.screen()
        assert "nothing sent yet" in console.screen()
        assert "▶ pos.loyalty_points" in console.screen(), "its row stays visible"


async def test_age_is_part_of_the_bar(open_console: Console) -> None:
    async with open_console() as console:
        console.clock.now += 45
        await console.until("LIVE 45s", seconds=3)


async def test_raw_text_of_any_widget_is_filtered_at_the_last_moment(open_console: Console) -> None:
    from textual.widgets import Static

    async with open_console() as console:
        await console.app.screen.mount(Static(Text("raw\x1b[2J"), id="raw"), before=0)
        await console.until("raw\ufffd[2J")


async def test_links_in_text_run_nothing(open_console: Console) -> None:
    async with open_console() as console:
        assert await console.app.run_action("app.exit") is False
        assert await console.app.run_action("simulate_key('K')") is False
        assert await console.app.run_action("screenshot") is False
        assert console.app.is_running


async def test_what_a_kill_would_do_is_never_an_old_count_that_looks_new(open_console: Console) -> None:
    async with open_console(size=(120, 40)) as console:
        await console.settled()
        await console.press("/", *"invoices.write", "enter")
        await console.until("IF KILLED")
        await console.until("500 of 500 tenants lose it")
        console.server.change("invoices.write", "off", reason="less")
        await console.until("rev 8")
        assert "counting again" in console.screen()
        await console.settled()
        assert "0 of 500 tenants lose it" in console.screen()
