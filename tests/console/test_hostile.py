"""Text from strangers on every screen: shown as it is written, and nothing of it reaches the terminal as a command."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flagconsole.client.stream import ChangeFrame, ReceiptFrame
from flagconsole.console.actions import Stage
from flagconsole.console.rows import ChangeRow
from flagconsole.console.state import Connection, ConsoleState, Phase
from flagconsole.console.widgets.env_bar import env_bar
from flagconsole.console.widgets.ledger import ledger
from flagconsole.domain.errors import RouteNotFound
from flagconsole.domain.requests import TenantRecord
from flagconsole.domain.text import is_hostile, safe_text

from .hostile_texts import HOSTILE


def shown_start(text: str) -> str:
    """What has to be readable of a text at the least: the beginning of its safe spelling."""
    return safe_text(text)[:9]


class Looker:
    """Keeps every screen that was looked at."""

    def __init__(self, console: Any) -> None:
        self.console = console
        self.seen: list[str] = []

    async def at(self, *keys: str) -> None:
        await self.console.press(*keys)
        self.seen.append(self.console.screen())

    def count(self, text: str) -> int:
        return sum(shown_start(text) in screen for screen in self.seen)


def hostile_event(server: Any, name: str, text: str) -> ChangeFrame:
    """A change in which a stranger wrote everything that a stranger can write."""
    change = server.change(name, "shadow", silent=True)
    server.changes[-1] = change.model_copy(update={"change_reason": text, "changed_by": text})
    flag = json.loads(server.flags_by_name[name].model_dump_json())
    flag |= {"description": text, "owner": text, "updated_by": text, "dependencies": [text]}
    data = {"epoch": "e1", "revision": change.change_id, "flag": flag, "override": None}
    data["change"] = json.loads(change.model_dump_json()) | {"change_reason": text, "changed_by": text}
    return ChangeFrame("e1", change.change_id, json.dumps(data))


@pytest.mark.parametrize(
    ("size", "texts"), [((80, 24), HOSTILE[::4]), ((120, 40), HOSTILE[1::9])], ids=["small", "large"]
)
async def test_hostile_text_everywhere(open_console: Any, server: Any, size: tuple[int, int], texts: list[str]) -> None:
    names = [f"hostile.f{number:02}" for number in range(len(texts))]
    for name in names:
        server.add(name)
    server.tenant_records = tuple(
        TenantRecord.model_construct(tenant_id=text, name=text, active=True) for text in texts
    )
    async with open_console(size=size) as console:
        look = Looker(console)
        instance = json.loads(next(iter(server.instances_by_id.values())).model_dump_json())
        for name, text in zip(names, texts, strict=True):
            server.send(hostile_event(server, name, text))
            server.send(ReceiptFrame(json.dumps(instance | {"instance_id": text, "service": text, "revision": 0})))
        await console.until(lambda: console.app.state.revision == server.revision)
        await look.at("s")
        await look.at("t")
        await look.at("escape", ":")
        await look.at("escape", "?")
        await look.at("?", "l")
        for _ in names:
            await look.at("j")
        await look.at("-", "/")
        await console.type("hostile")
        await look.at("enter", "g")
        for text in texts:
            console.app.choose_tenant(text)
            await look.at("d")
            await look.at("-", "j")
        for text in texts:
            console.server.failures = [RouteNotFound(path=text)]
            await console.press("K", "6")
            await console.paste(text)
            await look.at("enter")
            await console.until("Y kill now")
            await console.press("Y")
            await console.until(lambda: not console.server.failures)
            await console.until(lambda: console.app.state.ledger[-1].stage is Stage.REJECTED)
            look.seen.append(console.screen())
            await look.at("x")
        for text in texts:
            server.cut(text, retry_in=60.0)
            await console.until(lambda text=text: shown_start(text) in console.rows()[2])
            look.seen.append(console.screen())
        for text in texts:
            assert look.count(text) >= 6, f"{shown_start(text)!r} must be visible as it was written"
        for screen in look.seen:
            bad = {hex(ord(char)) for char in screen if is_hostile(char) and char != "\n"}
            assert not bad
        assert console.app.is_running


async def test_clicking_on_hostile_text_runs_nothing(open_console: Any, server: Any) -> None:
    async with open_console() as console:
        for name, text in zip(("pos.lite", "ai.vector_search", "pos.loyalty_points"), HOSTILE[4:7], strict=True):
            server.change(name, "on", reason=text, who=text)
            await console.until(shown_start(text))
        for x, y in ((66, 2), (75, 2), (66, 3), (75, 3), (66, 4), (75, 4), (30, 20), (40, 20), (50, 22)):
            await console.pilot.click(offset=(x, y))
        assert console.app.is_running
        assert server.requests == []


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_bar_and_ledger_show_hostile_text_as_text(text: str) -> None:
    connection = Connection(phase=Phase.LIVE, server=text, environment=text, you=text, role=text, may_operate=True)
    change = ChangeRow(1, text, text, text, text, text, text, 0.0, text, text)
    state = ConsoleState(connection=connection, history=(change,), loaded=True)
    rows = [env_bar(state, 200, 0.0, 0.0, text), *ledger(state, 3, 0.0, 0.0, text), *ledger(state, 3, 0.0, 0.0)]
    shown = "".join(part.text for row in rows for part in row)
    assert not is_hostile(shown)
    assert shown_start(text) in shown


async def test_sheets_that_need_a_lost_connection_or_a_killed_flag(open_console: Any, server: Any) -> None:
    texts = HOSTILE[4::7]
    async with open_console(size=(100, 30)) as console:
        for text in texts:
            server.change("pos.loyalty_points", "kill", action="killed", reason=text, who=text)
            await console.until(lambda: console.app.state.revision == server.revision)
            await console.press("g", "V")
            await console.until("REVIVE")
            await console.press("escape")
            server.change("pos.loyalty_points", "on", reason=text, who=text)
            await console.until(lambda: console.app.state.revision == server.revision)
            server.cut(text, retry_in=60.0)
            await console.until("OFFLINE")
            for key in ("b", "a"):
                await console.press("g", key)
                bad = {hex(ord(char)) for char in console.screen() if is_hostile(char) and char != "\n"}
                assert not bad
                await console.press("escape")
            server.beat()
            await console.until("LIVE")
        assert server.requests == []
