"""The order of the flags, kept by small steps, is the order that sorting anew would give."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from flagconsole.console import view
from flagconsole.console.roster import Roster
from flagconsole.console.rows import ChangeRow, FlagRow
from flagconsole.console.state import ConsoleState, Order
from flagconsole.domain.states import FlagState


def row(name: str, state: FlagState, change_id: int) -> FlagRow:
    change = ChangeRow(change_id, name, None, "set", "manual", "because", "ops1", 0.0, "off", state.value)
    return FlagRow(name, "feature", state, 0, 0, (), 1, "", "", (), "", 30, 0.0, "ops1", change)


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("filter_text", ["", "!3", "state:on"])
def test_small_steps_lead_where_sorting_leads(order: Order, filter_text: str) -> None:
    chance = random.Random(7)
    flags = {f"pos.f{n:02}": row(f"pos.f{n:02}", chance.choice(list(FlagState)), n) for n in range(40)}
    state = ConsoleState(flags=flags, order=order, filter_text=filter_text)
    roster = Roster()
    roster.rebuild(state)
    for change_id in range(100, 160):
        name, flags = f"pos.f{chance.randrange(50):02}", dict(state.flags)
        if chance.random() < 0.2:
            flags.pop(name, None)
        else:
            flags[name] = row(name, chance.choice(list(FlagState)), change_id)
        state = replace(state, flags=flags)
        roster.update(state, {name})
        assert tuple(roster.names) == view.visible(state)


def test_rows_that_stay_are_told_from_rows_that_come_and_go() -> None:
    state = ConsoleState(flags={"pos.lite": row("pos.lite", FlagState.ON, 1)})
    roster = Roster()
    roster.rebuild(state)
    before, names = roster.members, roster.names
    roster.update(state, {"pos.lite"})
    assert (roster.members, roster.names) == (before, names)
    assert roster.names is names
    roster.update(replace(state, flags={"pos.lite": row("pos.lite", FlagState.ON, 2)}), {"pos.lite"})
    assert roster.members == before
    roster.update(replace(state, flags={}), {"pos.lite"})
    assert roster.members != before
    assert roster.names == []
