"""What changed since the user last looked: everything after the position that they marked as seen, but for their own changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flagconsole.console.rows import FlagRow
from flagconsole.console.state import ConsoleState, Phase

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp


def is_unseen(state: ConsoleState, row: FlagRow) -> bool:
    """Whether a flag was changed by somebody else since the user marked everything as seen."""
    last = row.last
    if state.seen is None or last is None or last.change_id <= state.seen:
        return False
    return state.past is None and last.who != state.connection.you


def unseen_flags(state: ConsoleState) -> list[str]:
    """The names of those flags."""
    if state.seen is None or state.seen >= state.revision:
        return []
    return [name for name, row in state.flags.items() if is_unseen(state, row)]


def has_news(state: ConsoleState) -> bool:
    """Whether there may be such flags: asked at every paint, so only the history at hand is looked at."""
    if state.seen is None or state.past is not None:
        return False
    for change in state.history:
        if change.change_id <= state.seen:
            return False
        if change.who != state.connection.you:
            return True
    return False


class Looker:
    """Remembers in the cache what the user has seen, and tells at the start what they haven't."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app
        self._told = False

    def look(self) -> None:
        """The state is another one: at the first contact, say what is new; without a memory, begin one."""
        app = self._app
        state = app.present.state
        if self._told or state.connection.phase is not Phase.LIVE or app.keeper is None:
            return
        self._told = True
        if state.seen is None:
            self._keep(state)
            return
        count = len(unseen_flags(state))
        if count:
            plural = "s were" if count != 1 else " was"
            app.say(f"{count} flag{plural} changed since you last looked: marked □, c marks all as seen")

    def mark(self) -> None:
        """All that is known by now was seen."""
        app = self._app
        if app.keeper is None:
            app.say("there is no cache, and so nothing is remembered")
            return
        names = unseen_flags(app.present.state)
        self._keep(app.present.state)
        app.say(f"{len(names)} marked as seen" if names else "there was nothing new")
        app.paint(frozenset(names))

    def _keep(self, state: ConsoleState) -> None:
        if self._app.keeper is not None:
            self._app.keeper.seen(state.epoch, state.revision)
        self._app.present.state = replace(state, seen=state.revision)
