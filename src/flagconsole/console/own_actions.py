"""The actions of this console on their way: which have no answer yet, what instances have confirmed, what they did to a metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flagconsole.console.actions import IN_FLIGHT, Action, Kind, Stage, observed
from flagconsole.console.effects import wanted, with_effect

if TYPE_CHECKING:
    from flagconsole.console.state import ConsoleState


def in_flight(ledger: Sequence[Action]) -> list[Action]:
    """Those that the server hasn't answered for."""
    return [action for action in ledger if action.stage in IN_FLIGHT and not action.earlier]


def followed(state: ConsoleState, at: float, now: float) -> tuple[Action, ...]:
    """The ledger with what is known by ``at`` (monotonic seconds), which is ``now`` by the server's time."""
    return tuple(
        with_effect(observed(action, state.instances, at), state.metrics.get(action.flag_name), now)
        for action in state.ledger
    )


def arrived_words(before: Action, after: Action) -> str:
    """What is said of a kill that has just arrived everywhere; empty for all else."""
    if after.kind is not Kind.KILL or after.stage is not Stage.CONFIRMED or before.stage is Stage.CONFIRMED:
        return ""
    where = f"all {after.expected} instances" if not after.told else f"{after.expected} instances"
    told = f"; {len(after.told)} more were told and can't confirm" if after.told else ""
    return f"{after.flag_name} is killed on {where}{told}"


def measured_flag(ledger: Sequence[Action], now: float) -> str | None:
    """The flag of the newest action whose effect is still to be measured; ``now`` is the server's time."""
    return next((action.flag_name for action in reversed(ledger) if wanted(action, now)), None)
