"""The ledger: each action from this console with its progress. Before the first one, the fleet's newest change."""

from __future__ import annotations

from flagconsole.console.ages import moment_text
from flagconsole.console.glyphs import ARROW
from flagconsole.console.line import Line, line
from flagconsole.console.progress import ledger_line
from flagconsole.console.safe import span
from flagconsole.console.state import ConsoleState
from flagconsole.console.widgets.painted import Painted


def ledger(state: ConsoleState, height: int, now: float, monotonic: float, notice: str = "") -> list[Line]:
    """At most ``height`` rows, the newest action last; ``notice`` answers a key that could do nothing."""
    rows = [ledger_line(action, monotonic) for action in state.ledger]
    if notice:
        rows.append(line(" ", span(notice, "warning")))
    if not rows and state.history:
        newest = state.history[0]
        whose = f" for {newest.tenant_id}" if newest.tenant_id is not None else ""
        rows = [
            line(
                span(f" {moment_text(newest.at, now + state.connection.skew)} last change  ", "muted"),
                span(newest.who),
                " ",
                span(newest.flag_name, "strong"),
                span(whose),
                span(f"  {newest.before} {ARROW} {newest.after}  "),
                span(newest.reason, "muted"),
            )
        ]
    return rows[-height:] if height > 0 else []


class Ledger(Painted):
    """The ledger's rows."""

    def draw(self, width: int, height: int) -> list[Line]:
        """The newest actions, under a rule."""
        clock, console = self.console.clock, self.console
        rule = line(span("─" * width, "faint"))
        return [rule, *ledger(console.state, height - 1, clock.time(), clock.monotonic(), console.notice)]
