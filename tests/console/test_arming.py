"""Without a connection: a kill can be armed, the break-glass commands are ready, and nothing is ever sent by itself."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from flagconsole.console import breakglass
from flagconsole.console.place import Place
from flagconsole.domain.role import Role

Console = Any


async def lose(console: Console) -> None:
    console.server.cut(retry_in=60.0)
    await console.until("OFFLINE · READ-ONLY · nothing is queued")


async def arm(console: Console) -> None:
    await lose(console)
    await console.press("a")
    await console.until("ARM A KILL pos.loyalty_points")
    await console.press("1", "Y")
    await console.until("ARMED kill pos.loyalty_points")


async def come_back(console: Console) -> None:
    await console.press("r")
    await console.until("● LIVE")


async def test_an_armed_kill_asks_again_and_shows_what_changed(open_console: Console) -> None:
    async with open_console() as console:
        await arm(console)
        assert "until 03:12:" in console.screen()
        console.server.change("pos.loyalty_points", "canary", percentage=5, reason="less of it", silent=True)
        await come_back(console)
        await console.until("CONNECTION BACK")
        screen = console.screen()
        assert "by ci" not in screen
        assert "ci: canary 10 % → canary 5 %" in screen
        assert "“error rate”" in screen
        assert "Nothing was sent while offline." in screen
        assert console.server.requests == []
        await console.press("d")
        await console.until("“less of it”")
        console.clock.now += 3
        await console.press("Y")
        await console.until("ACCEPTED")
        ((verb, name, body, _),) = console.server.requests
        assert (verb, name, body.kill_reason) == ("kill", "pos.loyalty_points", "error rate")
        await console.press("x")
        await console.until(lambda: "ARMED" not in console.screen())


async def test_nothing_is_sent_by_itself_however_long_one_waits(open_console: Console) -> None:
    async with open_console() as console:
        await arm(console)
        await come_back(console)
        await console.until("CONNECTION BACK")
        for _ in range(8):
            console.clock.now += 40
            console.server.beat()
            await console.pilot.pause(0.01)
        console.app._tick()
        await console.until("has expired: nothing was sent")
        assert "CONNECTION BACK" not in console.screen()
        assert console.server.requests == []


async def test_fingers_that_were_about_to_kill_another_flag_send_nothing(open_console: Console) -> None:
    async with open_console() as console:
        await arm(console)
        await come_back(console)
        await console.until("CONNECTION BACK")
        await console.press("K", "1", "Y", pause=0.4)
        assert "look at it first" in console.screen()
        assert console.server.requests == []
        await console.press("Y", pause=2.5)
        await console.until(lambda: console.server.requests)


@pytest.mark.parametrize("key", ["enter", "space", "y", "a"])
async def test_only_y_sends_an_armed_kill(open_console: Console, key: str) -> None:
    async with open_console() as console:
        await arm(console)
        await come_back(console)
        await console.until("CONNECTION BACK")
        await console.press(key, pause=3.0)
        await console.paste("Y")
        assert console.server.requests == []


async def test_escape_keeps_it_and_n_drops_it(open_console: Console) -> None:
    async with open_console() as console:
        await arm(console)
        await come_back(console)
        await console.until("CONNECTION BACK")
        await console.press("escape")
        await console.until("ARMED kill pos.loyalty_points · until")
        await console.press("a")
        await console.until("CONNECTION BACK")
        await console.press("n")
        await console.until("was dropped: nothing was sent")
        assert "ARMED kill" not in console.screen()
        assert console.server.requests == []


async def test_offline_it_can_be_looked_at_and_dropped_but_not_sent(open_console: Console) -> None:
    async with open_console() as console:
        await arm(console)
        await console.press("a")
        await console.until("ARMED KILL pos.loyalty_points  not sent")
        assert "Y send" not in console.rows()[-1]
        await console.press("Y", pause=3.0)
        assert console.server.requests == []
        await console.press("n")
        await console.until("was dropped")


async def test_a_kill_by_somebody_else_meanwhile_is_said(open_console: Console) -> None:
    async with open_console() as console:
        await arm(console)
        console.server.change("pos.loyalty_points", "kill", action="killed", reason="first", who="maria", silent=True)
        await come_back(console)
        await console.until("already killed")
        assert "maria" in console.screen()


async def test_a_high_risk_kill_still_asks_for_the_name(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("G")
        await lose(console)
        await console.press("a", "1", "Y")
        await console.until("ARMED kill billing.retry")
        await come_back(console)
        await console.until("CONNECTION BACK")
        await console.press("enter", pause=3.0)
        assert console.server.requests == []
        await console.type("retry")
        await console.until(lambda: console.server.requests)


async def test_an_open_sheet_is_not_pushed_away(open_console: Console) -> None:
    async with open_console() as console:
        await arm(console)
        await console.press("t")
        await console.until("TENANT")
        console.app.session.reconnect()
        await console.until("● LIVE")
        assert "CONNECTION BACK" not in console.screen()
        await console.press("escape")
        console.clock.now += 1
        console.app._tick()
        await console.until("CONNECTION BACK")


async def test_a_viewer_and_a_read_only_console_arm_nothing(open_console: Console, server: Any) -> None:
    async with open_console(readonly=True) as console:
        await lose(console)
        await console.press("a")
        assert "ARM A KILL" not in console.screen()
    server.role = Role.VIEWER
    async with open_console() as console:
        await lose(console)
        await console.press("a")
        assert "ARM A KILL" not in console.screen()
        assert "arm" not in console.rows()[-1]


async def test_offline_the_footer_has_no_actions_and_the_way_out(open_console: Console) -> None:
    async with open_console(size=(120, 40)) as console:
        await lose(console)
        keys = console.rows()[-1]
        assert "a kill later  b by hand" in keys
        assert "kill " not in keys.replace("kill later", "")


async def test_break_glass_shows_and_copies_the_commands(open_console: Console, monkeypatch: Any) -> None:
    async with open_console(size=(120, 40)) as console:
        await lose(console)
        copied: list[str] = []
        monkeypatch.setattr(console.app, "copy", copied.append)
        await console.press("b")
        await console.until("BY HAND  kill pos.loyalty_points in PRODUCTION")
        assert "flagconsole kill pos.loyalty_points 'break-glass kill, console offline'" in console.screen()
        assert "http://flags-eu1:8765/api/flags/pos.loyalty_points/kill" in console.screen()
        await console.press("1", "y", "c")
        assert "flagconsole kill pos.loyalty_points 'error rate'" in copied[0]
        assert '"error rate"' in copied[1]
        assert console.server.requests == []


PLACE = Place("https://flags.example.com", "fc_admin_secret", key_reference='"$(pass show flags)"')


def test_the_commands_never_hold_the_key() -> None:
    for place in (PLACE, PLACE._replace(key_reference=""), PLACE._replace(context="prod")):
        for make in (breakglass.command_line, breakglass.curl):
            assert "fc_admin_secret" not in make(place, "pos.lite", "why")
    assert breakglass.command_line(PLACE._replace(context="prod"), "a.b", "x y") == (
        "flagconsole kill a.b 'x y' --context prod"
    )
    assert breakglass.curl(PLACE._replace(known_as="sqlite:x.db"), "a.b", "x") == ""


def test_what_cannot_be_trusted_in_a_shell_gets_no_command() -> None:
    assert breakglass.command_line(PLACE, "a\nb", "x") == ""
    assert breakglass.curl(PLACE, "a.b\u202e", "x") == ""


def test_the_curl_is_what_a_shell_takes_it_for() -> None:
    """Run it with a curl that says what it was given: the key comes on standard input, quotes hold."""
    text = breakglass.curl(PLACE._replace(key_reference='"$KEY"'), "it's;rm", 'it\'s "bad" $(x)')
    script = 'curl() { cat; for word in "$@"; do printf "\\n<%s>" "$word"; done; }\n' + text
    run = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True, env={"KEY": "k", "PATH": "/usr/bin:/bin"}
    )
    head, *words = run.stdout.split("\n")
    assert head == "Authorization: Bearer k"
    assert "<@->" in words
    assert '<{"kill_reason": "it\'s \\"bad\\" $(x)"}>' in words
    assert words[-1] == "<https://flags.example.com/api/flags/it%27s%3Brm/kill>"
