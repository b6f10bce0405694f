"""Which flags the table shows and in what order, and how the selection moves: by the flag's name, never by row number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

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


def matches(row: FlagRow, filter_text: str) -> bool:
    """Whether a flag passes a filter: words that all must hold; ``!`` turns a word round, ``field:`` asks one field."""
    return all(_holds(row, word) for word in filter_text.casefold().split())


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


def visible(state: ConsoleState) -> tuple[str, ...]:
    """The names of the flags that pass the filter, in the chosen order."""
    rows = [row for row in state.flags.values() if matches(row, state.filter_text)]
    match state.order:
        case Order.CHANGED:
            rows.sort(key=lambda row: (-(row.last.change_id if row.last else 0), row.name))
        case Order.STATE:
            rows.sort(key=lambda row: (_STATE_ORDER[row.state], row.name))
        case Order.NAME:
            rows.sort(key=lambda row: row.name)
    return tuple(row.name for row in rows)


def resting(shown: Sequence[str], state: ConsoleState) -> tuple[str, ...]:
    """The rows in the order they have on screen, for while the cursor moves: those that left go, new ones come last."""
    wanted = visible(state)
    still = set(wanted)
    kept = [name for name in shown if name in still]
    known = set(kept)
    return (*kept, *(name for name in wanted if name not in known))


def select(state: ConsoleState, name: str | None) -> ConsoleState:
    """The state with the cursor on a flag."""
    return state if state.selected == name else replace(state, selected=name)


def settle(state: ConsoleState, shown: Sequence[str], before: Sequence[str] = ()) -> ConsoleState:
    """The state with the cursor on a row that is shown: where it was, else its neighbour in the rows ``before``."""
    if state.selected in shown:
        return state
    if not shown:
        return state if state.flags.get(state.selected or "") else select(state, None)
    position = before.index(state.selected) if state.selected in before else 0
    return select(state, shown[min(position, len(shown) - 1)])


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
