"""The one key map: nothing clashes, nothing is dead, and what isn't allowed isn't there."""

from __future__ import annotations

from typing import Any

import pytest

from flagconsole.console.keymap import COMMANDS, CONTEXTS, Command, KeyMap, Needs, Powers
from flagconsole.domain.errors import InvalidInput

OPERATOR = {"kill", "rollback", "promote", "hold", "override", "undo"}
ALL = Powers(*(True for _ in Powers._fields))
FORBIDDEN = {"ctrl+k", "ctrl+d", "space", *(f"f{number}" for number in range(1, 25))}


@pytest.mark.parametrize("context", CONTEXTS)
def test_no_two_commands_of_a_context_share_a_key(context: str) -> None:
    assert KeyMap().clash(context) is None


def test_no_key_that_shells_and_terminals_take() -> None:
    assert not FORBIDDEN & {key for command in COMMANDS for key in command.keys}


def test_upper_case_changes_the_world_and_lower_case_looks() -> None:
    movement = {"G", "T"}
    for command in COMMANDS:
        if command.context in {"flag", "rows", "look", "fleet", "everywhere"}:
            letters = {key for key in command.keys if len(key) == 1 and key.isalpha()} - movement
            assert all(key.isupper() == (command.group == "act") for key in letters), command.id


@pytest.mark.parametrize(
    ("powers", "there"),
    [
        (Powers(), set()),
        (Powers(operate=True), OPERATOR),
        (Powers(operate=True, administer=True), OPERATOR | {"revive", "set", "start"}),
        (Powers(offline=True), {"reconnect", "break_glass"}),
    ],
    ids=["viewer", "operator", "admin", "offline"],
)
def test_what_is_not_allowed_is_not_there(powers: Powers, there: set[str]) -> None:
    needing = {command.id for command in COMMANDS if command.needs is not Needs.NOTHING}
    for context in ("fleet", "history", "detail"):
        own = {"mark"} if context == "history" and powers.operate else set()
        assert needing & {command.id for command in KeyMap().available(context, powers)} == there | own


async def test_every_command_has_a_handler(open_console: Any) -> None:
    async with open_console() as console:
        everywhere = console.app.handlers()
        for context, keys in (("fleet", ""), ("history", "h"), ("detail", "d"), ("canary", "enter")):
            if keys:
                await console.press(keys)
            await console.until(lambda context=context: console.app.screen.name_in_keymap == context)
            own = console.app.screen.handlers()
            for command in console.app.keymap.available(context, ALL):
                assert command.id in own or command.id in everywhere, command.id
            if keys:
                await console.press("-")


def test_keys_can_be_remapped_by_id() -> None:
    keymap = KeyMap().remapped({"kill": "Z", "detail": ["d", "w"]})
    resolved = keymap.resolve("fleet", "Z", ALL)
    assert resolved is not None
    assert resolved.id == "kill"
    assert keymap.resolve("fleet", "K", ALL) is None


def test_remapping_names_what_is_wrong() -> None:
    with pytest.raises(InvalidInput, match=r"keys\.boom"):
        KeyMap().remapped({"boom": "b"})
    with pytest.raises(InvalidInput, match=r"another command has this key.*'h'"):
        KeyMap().remapped({"kill": "h"})


def test_test_would_see_a_clash() -> None:
    twice = (*COMMANDS, Command("again", ("K",), "flag", "again", "again"))
    assert KeyMap(twice).clash("fleet") == ("K", "kill", "again")
