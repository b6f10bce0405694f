"""Nothing is cut while there is room beside or below it."""

from __future__ import annotations

from typing import Any

import pytest

from flagconsole.console.keymap import CONTEXTS, KeyMap, Powers, key_name
from flagconsole.console.line import line_width, text_of
from flagconsole.console.screens.help import found_lines, help_lines
from flagconsole.console.widgets.change_table import columns_of
from flagconsole.console.widgets.flag_table import columns
from flagconsole.console.widgets.virtual_table import Column, fitted

Console = Any
ALL = Powers(*(True for _ in Powers._fields))


@pytest.mark.parametrize("width", [80, 120, 200])
def test_help_has_every_key_and_every_word_whole(width: int) -> None:
    keymap = KeyMap()
    for context in CONTEXTS:
        rows = help_lines(keymap, context, ALL, "", width - 4)
        assert max(map(line_width, rows)) < width, context
        text = "\n".join(map(text_of, rows))
        assert "…" not in text
        for command in keymap.available(context, ALL):
            keys = " ".join(map(key_name, command.keys)) or f":{command.words[0]}"
            assert f"  {keys}  " in text, (context, keys)
            assert all(word in text for word in command.help.split()), (context, command.id)


@pytest.mark.parametrize("width", [80, 120])
def test_what_the_help_finds_is_whole_too(width: int) -> None:
    keymap = KeyMap()
    for wanted in ("", "kill", "a"):
        rows = found_lines(keymap, "fleet", ALL, wanted, width - 4)
        assert max(map(line_width, rows)) <= width - 4
        assert not [row for row in map(text_of, rows) if row.endswith("…")]


async def test_the_palette_shows_whole_notes(open_console: Console) -> None:
    async with open_console() as console:
        await console.press(":")
        await console.type("rollb")
        await console.until("│ ▶ rollback  R   roll back, by a playbook or its newest change: R, a  │")
        await console.until("│                 digit, Y                                             │")


def test_what_is_left_over_goes_where_it_is_needed_before_it_grows_a_column() -> None:
    wanted = [Column("id", "ID", 10, grows=True), Column("sdk", "SDK", 8, most=14), Column("via", "VIA", 5)]
    assert [column.width for column in fitted(wanted, 40)] == [17, 14, 5]
    assert [column.width for column in fitted(wanted, 30)] == [10, 11, 5], "a little room goes as far as it does"
    assert [column.width for column in fitted(wanted, 27)] == [10, 8, 5]


async def test_instances_show_their_sdk_whole(open_console: Console, server: Any) -> None:
    name = next(iter(server.instances_by_id))
    server.instances_by_id[name] = server.instances_by_id[name].model_copy(
        update={"sdk_version": "python-0.1.0+thorbis"}
    )
    async with open_console(size=(200, 50)) as console:
        await console.press("5")
        await console.until("INSTANCES 1")
        await console.until("python-0.1.0+thorbis│")


@pytest.mark.parametrize(("width", "what"), [(80, 17), (120, 24), (200, 40)])
def test_history_has_room_for_a_change_of_a_canary(width: int, what: int) -> None:
    found = {column.id: column.width for column in fitted(columns_of(width, with_flag=True, around=False), width)}
    assert found["what"] >= what
    assert width < 200 or found["why"] >= 60


def test_in_the_fleet_a_reason_comes_before_a_type() -> None:
    shown = {column.id: column.width for column in columns(139, 24)}
    assert "type" not in shown
    assert shown["why"] >= 22
    assert {column.id: column.width for column in columns(160, 24)}["type"] == 11


@pytest.mark.parametrize(("longest_name", "why"), [(24, 32), (34, 26), (48, 19)])
def test_beside_long_names_reasons_have_room_on_a_large_terminal(longest_name: int, why: int) -> None:
    shown = {column.id: column.width for column in columns(149, longest_name)}
    assert (shown["name"], shown["why"]) == (longest_name, why)
    assert shown["who"] >= len("controller")
