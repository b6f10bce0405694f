"""Filter, order and selection."""

from __future__ import annotations

import dataclasses

import pytest

from flagconsole.console import view
from flagconsole.console.rows import ChangeRow, FlagRow
from flagconsole.console.state import ConsoleState, Order
from flagconsole.domain.states import FlagState


def row(name: str, state: str = "off", change_id: int = 1, **more: str) -> FlagRow:
    change = ChangeRow(
        change_id, name, None, "set", "manual", more.get("why", "because"), more.get("who", "ops1"), 0, "off", state
    )
    return FlagRow(
        name, more.get("kind", "feature"), FlagState(state), 0, 0, (), 1, "", "", (), "", 30, 0.0, "ops1", change
    )


STATE = ConsoleState(
    flags={
        item.name: item
        for item in (
            row("pos.lite", "canary", 3, who="ci"),
            row("pos.offline", "off", 9),
            row("ai.search", "kill", 5, kind="kill_switch"),
            row("invoices.write", "on", 7, kind="domain", why="GA"),
        )
    }
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", {"pos.lite", "pos.offline", "ai.search", "invoices.write"}),
        ("pos", {"pos.lite", "pos.offline"}),
        ("POS lite", {"pos.lite"}),
        ("!pos", {"ai.search", "invoices.write"}),
        ("state:canary", {"pos.lite"}),
        ("domain:pos !state:off", {"pos.lite"}),
        ("type:kill", {"ai.search"}),
        ("who:ci", {"pos.lite"}),
        ("why:ga", {"invoices.write"}),
        ("!", {"pos.lite", "pos.offline", "ai.search", "invoices.write"}),
        ("nothing", set()),
    ],
)
def test_filter(text: str, names: set[str]) -> None:
    assert set(view.visible(dataclasses.replace(STATE, filter_text=text))) == names


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (Order.CHANGED, ("pos.offline", "invoices.write", "ai.search", "pos.lite")),
        (Order.NAME, ("ai.search", "invoices.write", "pos.lite", "pos.offline")),
        (Order.STATE, ("ai.search", "pos.lite", "invoices.write", "pos.offline")),
    ],
)
def test_order(order: Order, names: tuple[str, ...]) -> None:
    assert view.visible(dataclasses.replace(STATE, order=order)) == names


def test_moving_stops_at_the_ends() -> None:
    state = dataclasses.replace(STATE, selected="b")
    shown = ("a", "b", "c")
    assert view.moved(state, shown, -9).selected == "a"
    assert view.moved(state, shown, 9).selected == "c"
    assert view.moved(state, (), 1).selected == "b"


def test_resting_rows_keep_their_places() -> None:
    shown = ("invoices.write", "pos.lite", "gone.flag", "ai.search")
    assert view.resting(shown, view.visible(STATE)) == ("invoices.write", "pos.lite", "ai.search", "pos.offline")
