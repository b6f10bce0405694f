"""Asks before the console is left while the server hasn't answered for an action yet."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from flagconsole.console.keymap import Command
from flagconsole.console.line import Line, line
from flagconsole.console.progress import ledger_line
from flagconsole.console.safe import span
from flagconsole.console.sheets.sheet import Sheet


class LeavingSheet(Sheet):
    """Leave, or stay."""

    @property
    def context(self) -> str:
        """Leaving."""
        return "leaving"

    def title(self) -> Line:
        """What is asked."""
        return line(span("LEAVE", "strong"), "  while an action is on its way?")

    def closing_note(self) -> str:
        """What happens to the action."""
        return "it is in the journal: the next start reads back what became of it"

    def body(self, width: int) -> Sequence[Line]:
        """The actions that have no answer yet."""
        now = self.console.clock.monotonic()
        rows = [ledger_line(action, now) for action in self.console.in_flight()]
        return [*rows, line(span("Y", "key"), " leave anyway   ", span("n", "key"), " stay")]

    def run(self, command: Command, key: str, event: events.Key) -> None:
        """Leave, or stay."""
        if command.id == "leaving.yes":
            self.console.exit(0)
        else:
            self.console.close_sheet()
