"""Which flags the table shows and in what order, and how the selection moves: by the flag's name, never by row number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from flagconsole.console.rows import FlagRow
from flagconsole.console.state import ConsoleState, Order
from flagconsole.domain.states import FlagState

FILTER_HELP: Final = "text  !text  state:canary  domain:pos  type:domain  who:ops"

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


def words_of(filter_text: str) -> tuple[str, ...]:
    """The words of a filter."""
    return tuple(filter_text.casefold().split())


def passes(row: FlagRow, state: ConsoleState, words: Sequence[str]) -> bool:
    """Whether a flag passes a filter: words that all must hold; ``!`` turns a word round, ``field:`` asks one field."""
    return all(_holds(row, word) for word in words)


def _holds(row: FlagRow, word: str) -> bool:
    if word.startswith("!"):
        return len(word) == 1 or not _holds(row, word[1:])
    field, colon, wanted = word.partition(":")
    if colon:
        match field:
            case "state":
                return row.state.value.startswith(wanted)
            case "domain":
                return row.name.partition(".")[0].startswith(wanted)
            case "type":
                return row.flag_type.startswith(wanted)
            case "who":
                return row.last is not None and wanted in row.last.who.casefold()
            case "why":
                return row.last is not None and wanted in row.last.reason.casefold()
            case "tag":
                return any(wanted in tag.casefold() for tag in row.tags)
            case "owner":
                return wanted in row.owner.casefold()
    return word in row.name.casefold()


def rank(state: ConsoleState, row: FlagRow) -> Rank:
    """What a flag is sorted by in the chosen order."""
    match state.order:
        case Order.CHANGED:
            return (-(row.last.change_id if row.last else 0), row.name)
        case Order.STATE:
            return (_STATE_ORDER[row.state], row.name)
        case Order.NAME:
            return (row.name,)


def visible(state: ConsoleState) -> tuple[str, ...]:
    """The names of the flags that pass the filter, in the chosen order."""
    words = words_of(state.filter_text)
    return tuple(
        item[-1] for item in sorted(rank(state, row) for row in state.flags.values() if passes(row, state, words))
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
