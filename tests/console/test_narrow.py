"""At 60×20, the smallest terminal that the console takes: what there isn't room for is left out whole, or goes on below."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flagconsole.console import state as model
from flagconsole.console.attention import ARRIVING_RANK, Attention, Problem, problem_of
from flagconsole.console.keymap import CONTEXTS, KeyMap, Powers
from flagconsole.console.line import line_width, text_of
from flagconsole.console.oversight import oversight_of
from flagconsole.console.state import Connection, ConsoleState, Phase
from flagconsole.console.widgets.env_bar import env_bar
from flagconsole.console.widgets.footer import footer
from flagconsole.domain.evaluation import Ruleset

Console = Any
SMALLEST = (60, 20)
NOW = 1_800_000_000.0
POWERS = {
    "admin": Powers(operate=True, administer=True),
    "offline": Powers(offline=True, warned=True, arm=True),
    "everything": Powers(*(True for _ in Powers._fields)),
    "nothing": Powers(),
}


@pytest.mark.parametrize("powers", POWERS)
@pytest.mark.parametrize("width", [60, 80])
def test_the_footer_is_never_cut_and_keeps_the_help(powers: str, width: int) -> None:
    keymap = KeyMap()
    for context in CONTEXTS:
        commands = tuple(keymap.available(context, POWERS[powers]))
        shown = footer(commands, width)
        assert line_width(shown) <= width, context
        if any(command.id == "help" for command in commands):
            assert text_of(shown).endswith("? help"), context
        if any(command.id == "sheet.cancel" for command in commands):
            assert "Esc cancel" in text_of(shown)


def bar_state(**more: Any) -> ConsoleState:
    connection = Connection(
        phase=Phase.LIVE,
        server="flags-eu1.example.com:8765",
        environment="production",
        you="olu",
        role="admin",
        fresh_at=0.0,
    )
    problems = {f"pos.f{number}": Problem(0, "!", "FAILING", "why") for number in range(12)}
    return ConsoleState(connection=connection, ruleset=Ruleset("e", 123_456, {}, {}), problems=problems, **more)


def test_the_bar_leaves_out_whole_facts_and_last_what_needs_attention() -> None:
    waits = {"approval_id": "appr-1", "flag_name": "pos.lite", "requested_by": "ada", "ends_at": "2027-01-15T09:00:00Z"}
    grant = {"grant": {"grant_id": "glass-1", "taken_by": "olu", "ends_at": "2027-01-15T08:30:00Z"}}
    state = bar_state(oversight=oversight_of([waits], [grant], []))
    whole = text_of(env_bar(state, 200, NOW, 700.0, "journal not written")).split("  ")
    facts = {fact.strip() for fact in whole}
    for width in range(60, 110):
        shown = text_of(env_bar(state, width, NOW, 700.0, "journal not written"))
        assert "…" not in shown, width
        assert {"PRODUCTION", "● LIVE 11m40s", "! 12", "GLASS"} <= {fact.strip() for fact in shown.split("  ")}, (
            width,
            shown,
        )
    assert "! journal not written" in facts


def test_the_past_is_told_whole_too() -> None:
    state = bar_state()
    state = replace(state, past=model.PastView(revision=123_400, at=NOW - 700, newest=123_456, oldest=1))
    for width in (60, 64, 70, 80):
        shown = text_of(env_bar(state, width, NOW, 700.0))
        assert "…" not in shown
        assert {"TIME", "TRAVEL", "PRODUCTION", "T"} <= set(shown.split()), shown


async def test_sheets_and_palette_break_between_words(open_console: Console) -> None:
    async with open_console(SMALLEST) as console:
        await console.press("K")
        await console.until("only a revive clears it")
        await console.press("n", "R")
        await console.until("UNDOES")
        assert "[undo newest]" in console.screen()
        assert " then Y roll back" in console.screen()
        await console.press("n", ":")
        await console.until("GO")
        assert "kill a flag for everyone" in console.screen()
        await console.press("escape")
        await console.until(lambda: "GO " not in console.screen())


async def test_what_the_cache_does_not_know_is_not_counted(server: Any) -> None:
    name = "pos.lite"
    listing = await server.flags()
    state = model.with_listing(ConsoleState(), listing.model_dump(mode="json"), 0.0).state
    # Kept a moment before the confirmations came: that is how a console that is left just after a kill leaves its cache.
    state = model.with_instances(state, (item.model_dump(mode="json") for item in (await server.instances()).instances))
    server.change(name, "kill", reason="stop", who="ops1")
    listing = await server.flags()
    state = model.with_listing(state, listing.model_dump(mode="json"), 0.0).state
    state = model.with_history(state, [item.model_dump(mode="json") for item in reversed(server.changes)])
    now = server._now.timestamp() + 60
    for phase in (Phase.CONNECTING, Phase.OFFLINE):
        connection = state.connection._replace(phase=phase, recalled=True, fresh_at=0.0)
        recalled = Attention().look(replace(state, connection=connection), state.flags, now)[0]
        problem = problem_of(recalled, recalled.flags[name], now)
        assert problem is not None
        assert (problem.rank, problem.word) == (ARRIVING_RANK, "KILL ?")
        assert problem.why == "not known whether the kill is everywhere: 0/12 had confirmed it when this was kept"
        shown = text_of(env_bar(recalled, 120, now, 1.0))
        assert "SDK ?" in shown
        assert "! KILL ?" in shown
        assert "0/12" not in shown
    # Once the connection was there what is known is told as such, with and without it.
    lost = replace(state, connection=state.connection._replace(phase=Phase.OFFLINE, fresh_at=0.0))
    lost = Attention().look(lost, state.flags, now)[0]
    assert "! KILL was 0/12" in text_of(env_bar(lost, 120, now, 1.0))
