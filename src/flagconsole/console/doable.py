"""Which actions can do something to a flag as it is now: the footer offers those and no others.

Pressed all the same, the key is answered where its sheet would be opened, by the same rules.
"""

from __future__ import annotations

from flagconsole.console.state import ConsoleState
from flagconsole.domain.states import FlagState


def can_do(command_id: str, state: ConsoleState, flag_name: str | None, now: float) -> bool:
    """Whether a command does something to the flag, or without one. ``now`` is the server's time."""
    if command_id == "undo":
        from flagconsole.console.undoing import undoable

        return not isinstance(undoable(state, now), str)
    if command_id == "problem":
        return bool(state.problems)
    row = state.flags.get(flag_name or "")
    if row is None:
        return True
    rollout = state.rollouts.get(row.name)
    under_way, killed = rollout is not None and rollout.active, row.state is FlagState.KILL
    match command_id:
        case "revive":
            return killed
        case "set" | "arm":
            return not killed
        case "promote" | "hold":
            return under_way
        case "start":
            return not (killed or under_way or state.rollouts_missing)
        case _:
            return True
