"""Which flags the table shows and in what order, and how the selection moves: by the flag's name, never by row number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from flagconsole.console import filtering
from flagconsole.console.attention import UNDER_WAY_RANK, Problem
from flagconsole.console.filtering import Fields, Words, words_of
from flagconsole.console.rows import FlagRow
from flagconsole.console.state import ConsoleState, Order
from flagconsole.domain.states import FlagState

FILTER_HELP: Final = "text  !text  state:canary  domain:pos  is:problem  who:ops"

#: Killed flags first, then what is moving, then what is fully on.
_STATE_ORDER: Final = {
    FlagState.KILL: 0,
    FlagState.CANARY: 1,
    FlagState.SHADOW: 2,
    FlagState.ON: 3,
    FlagState.OFF: 4,
}


#: What flags are sorted by; the name stands last, so that no two are alike.
Rank = tuple[Any, ...]


def passes(state: ConsoleState, row: FlagRow, words: Words) -> bool:
    """Whether a flag passes a filter."""
    return not words or filtering.passes(words, row.name.casefold(), _fields(row, row.name in state.problems))


def _fields(row: FlagRow, problem: bool) -> Fields:
    """What ``field:word`` asks."""
    last = row.last
    return {
        "is": ("problem" if problem else "fine",),
        "state": (row.state.value,),
        "domain": (row.name.partition(".")[0].casefold(),),
        "type": (row.flag_type,),
        "who": last.who.casefold() if last is not None else "",
        "why": last.reason.casefold() if last is not None else "",
        "tag": " ".join(row.tags).casefold(),
        "owner": row.owner.casefold(),
    }


#: Behind every problem.
NO_PROBLEM: Final = 9


def rank(state: ConsoleState, row: FlagRow) -> Rank:
    """What a flag is sorted by in the chosen order."""
    match state.order:
        case Order.CHANGED:
            return (-(row.last.change_id if row.last else 0), row.name)
        case Order.URGENCY:
            problem = state.problems.get(row.name)
            newest = -(row.last.change_id if row.last else 0)
            return (_urgency(state, row.name, problem), newest, row.name)
        case Order.STATE:
            return (_STATE_ORDER[row.state], row.name)
        case Order.NAME:
            return (row.name,)


def _urgency(state: ConsoleState, name: str, problem: Problem | None) -> int:
    if problem is not None:
        return problem.rank
    rollout = state.rollouts.get(name)
    return UNDER_WAY_RANK if rollout is not None and rollout.active else NO_PROBLEM


def visible(state: ConsoleState) -> tuple[str, ...]:
    """The names of the flags that pass the filter, in the chosen order."""
    words = words_of(state.filter_text)
    return tuple(
        item[-1] for item in sorted(rank(state, row) for row in state.flags.values() if passes(state, row, words))
    )


def resting(shown: Sequence[str], wanted: Sequence[str]) -> Sequence[str]:
    """The rows in the order they have on screen, for while the cursor moves: those that left go, new ones come last."""
    still = set(wanted)
    kept = [name for name in shown if name in still]
    known = set(kept)
    return (*kept, *(name for name in wanted if name not in known))


def select(state: ConsoleState, name: str | None) -> ConsoleState:
    """The state with the cursor on a flag."""
    return state if state.selected == name else replace(state, selected=name)


def moved(state: ConsoleState, shown: Sequence[str], rows: int) -> ConsoleState:
    """The state with the cursor ``rows`` further down (up where negative), stopping at the ends."""
    if not shown:
        return state
    position = shown.index(state.selected) if state.selected in shown else 0
    return select(state, shown[max(0, min(len(shown) - 1, position + rows))])


def next_order(order: Order) -> Order:
    """The order after this one."""
    orders = list(Order)
    return orders[(orders.index(order) + 1) % len(orders)]
