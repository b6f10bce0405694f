"""What the palette makes of what is typed."""

from __future__ import annotations

from dataclasses import replace

from flagconsole.console.keymap import KeyMap, Powers
from flagconsole.console.state import ConsoleState
from flagconsole.console.suggestions import Choice, choices, closest

from .test_view import STATE

ALL = KeyMap().available("fleet", Powers(operate=True, administer=True))
NOW = 1_773_458_400.0  # 2026-03-14 03:20 UTC


def offered(typed: str, state: ConsoleState = STATE) -> list[Choice]:
    return choices(ALL, replace(state, selected="pos.offline"), typed, NOW)


def texts(typed: str) -> list[str]:
    return [choice.text for choice in offered(typed)]


def test_a_word_alone_offers_its_flags_the_selected_one_first() -> None:
    assert texts("kill")[0] == "kill pos.offline"
    assert set(texts("kill")) == {f"kill {name}" for name in STATE.flags}


def test_the_beginning_of_a_word_is_enough() -> None:
    assert "history" in texts("hist")
    assert texts(":tenants") == ["tenants"] or "tenants" in texts(":tenants")


def test_letters_in_order_are_enough() -> None:
    assert closest("psl", STATE.flags) == ["pos.lite", "pos.offline"]
    assert texts("detail psof") == ["detail pos.offline"]
    assert "instances" in texts("insts")


def test_a_slip_of_the_finger_is_asked_about() -> None:
    found = offered("histroy")
    assert "history" in [choice.command_id for choice in found]
    assert all("did you mean" in choice.note for choice in found)


def test_a_flag_by_its_name_alone() -> None:
    assert [(choice.command_id, choice.argument) for choice in offered("ai.search")] == [("detail", "ai.search")]


def test_a_time_is_read_back_before_it_is_gone_to() -> None:
    (choice,) = offered("around 03:14")
    assert (choice.command_id, choice.argument) == ("around", "03:14")
    assert "03:14:00Z, 6m ago" in choice.note
    (choice,) = offered("around noon")
    assert choice.argument == ""
    assert "03:14" in choice.note


def test_nonsense_offers_nothing() -> None:
    for typed in ("zzzzqqq", "frobnicate", "kill nosuch", "canary zzzz"):
        assert offered(typed) == []


def test_what_may_not_be_done_is_not_offered() -> None:
    readonly = KeyMap().available("fleet", Powers())
    assert not [choice for choice in choices(readonly, STATE, "kill", NOW) if choice.command_id == "kill"]
