"""What ``U`` takes back: the newest own action, within a minute, by the way back that its kind has."""

from __future__ import annotations

from typing import Final

from flagconsole.console.actions import Action, Kind, Stage
from flagconsole.console.state import ConsoleState

#: Seconds for which an action can be undone by one key; after that R and the others are there.
UNDO_SECONDS: Final = 60.0
_DONE: Final = frozenset({Stage.ACCEPTED, Stage.PROPAGATING, Stage.PARTIAL, Stage.CONFIRMED})
#: Ways back: another sheet for another kind of action.
ROLLBACK, REVIVE, HOLD = "rollback", "revive", "hold"
WAY_BACK: Final = {
    Kind.KILL: REVIVE,
    Kind.SET: ROLLBACK,
    Kind.OVERRIDE: ROLLBACK,
    Kind.PROMOTE: ROLLBACK,
    Kind.HOLD: HOLD,
    Kind.RESUME: HOLD,
    Kind.START: HOLD,
}


def undo_left(action: Action, now: float) -> float:
    """Seconds for which ``U`` still takes an action back. ``now`` is the server's time."""
    return max(0.0, UNDO_SECONDS - (now - (action.accepted_time or action.begun_at)))


def undoable(state: ConsoleState, now: float) -> Action | str:
    """The action that ``U`` would take back; or in words why there is none. ``now`` is the server's time."""
    done = [action for action in state.ledger if action.stage in _DONE and not action.earlier and action.changed]
    if not done:
        return "nothing was done from here that could be undone"
    newest = done[-1]
    age = now - (newest.accepted_time or newest.begun_at)
    if age > UNDO_SECONDS:
        return f"your newest action is {age:.0f} s old: U undoes for {UNDO_SECONDS:.0f} s; R rolls back"
    if newest.kind not in WAY_BACK:
        return "U doesn't undo this one: set what should be (S), or begin its rollout anew (B)"
    return newest
