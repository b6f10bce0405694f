"""The ledger: each action from this console with its progress, and the fleet's newest change where that came later."""

from __future__ import annotations

from flagconsole.console.ages import moment_text
from flagconsole.console.glyphs import ARROW
from flagconsole.console.line import Line, line
from flagconsole.console.rows import ChangeRow
from flagconsole.console.safe import span
from flagconsole.console.state import ConsoleState
from flagconsole.console.widgets.painted import Painted


def ledger(state: ConsoleState, height: int, now: float, monotonic: float, notice: str = "") -> list[Line]:
    """At most ``height`` rows, the newest last; ``notice`` answers a key that could do nothing."""
    rows = _own_rows(state, monotonic)
    server_now = now + state.connection.skew
    if not rows and not notice:
        # Nothing was done from here: what else happened last, as far as there is room.
        return [
            _change_line(change, server_now, "last change" if index == 0 else "before it")
            for index, change in reversed(list(enumerate(state.history[: max(0, height)])))
        ]
    # A single row is for one's own action as long as it can be undone, and its effect is still to be seen.
    own_only = height == 1 and _can_be_undone(state, now)
    if state.history and state.ledger and not own_only and _came_after(state.history[0], state):
        rows.append(_change_line(state.history[0], server_now, "last change"))
    if notice:
        rows.append(line(" ", span(notice, "warning")))
    return rows[-height:] if height > 0 else []


def _own_rows(state: ConsoleState, monotonic: float) -> list[Line]:
    if not state.ledger:
        return []
    from flagconsole.console.progress import ledger_line

    return [ledger_line(action, monotonic) for action in state.ledger]


def _can_be_undone(state: ConsoleState, now: float) -> bool:
    from flagconsole.console.undoing import UNDO_SECONDS

    return bool(state.ledger) and now - state.ledger[-1].begun_at < UNDO_SECONDS


def _came_after(newest: ChangeRow, state: ConsoleState) -> bool:
    """Whether the newest change is somebody else's, and newer than what was done here: never in the place of an action that
    isn't done."""
    from flagconsole.console.actions import Stage

    last = state.ledger[-1]
    mine = any(action.revision == newest.change_id and action.epoch == state.epoch for action in state.ledger)
    return not mine and last.stage is Stage.CONFIRMED and newest.at > last.begun_at + state.connection.skew


def _change_line(newest: ChangeRow, now: float, which: str) -> Line:
    whose = f" for {newest.tenant_id}" if newest.tenant_id is not None else ""
    return line(
        span(f" {moment_text(newest.at, now)} {which:<11}  ", "muted"),
        span(newest.who),
        " ",
        span(newest.flag_name, "strong"),
        span(whose),
        span(f"  {newest.before} {ARROW} {newest.after}  "),
        span(newest.reason, "muted"),
    )


class Ledger(Painted):
    """The ledger's rows."""

    def draw(self, width: int, height: int) -> list[Line]:
        """The newest actions, under a rule."""
        clock, console = self.console.clock, self.console
        rule = line(span("─" * width, "faint"))
        return [rule, *ledger(console.state, height - 1, clock.time(), clock.monotonic(), console.notice)]
