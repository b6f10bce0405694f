"""Asks before the console is left while the server hasn't answered for an action yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events

from flagconsole.console.keymap import Command
from flagconsole.console.line import Line, line
from flagconsole.console.progress import ledger_line
from flagconsole.console.safe import span
from flagconsole.console.sheets.sheet import Sheet


class LeavingSheet(Sheet):
    """Leave, or stay. ``verb`` says what leaving is here, ``go`` does it."""

    def __init__(self, verb: str = "LEAVE", go: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._verb = verb
        self._go = go

    @property
    def context(self) -> str:
        """Leaving."""
        return "leaving"

    def title(self) -> Line:
        """What is asked."""
        what = "while an action is on its way?" if self.console.in_flight() else "while a kill is armed?"
        return line(span(self._verb, "strong"), f"  {what}")

    def closing_note(self) -> str:
        """What happens to the action."""
        if not self.console.in_flight():
            return "the armed kill is forgotten, nothing is sent"
        return "it is in the journal: the next start reads back what became of it"

    def body(self, width: int) -> Sequence[Line]:
        """The actions that have no answer yet, and the kill that is armed."""
        now = self.console.clock.monotonic()
        rows = [ledger_line(action, now) for action in self.console.in_flight()]
        armed = self.console.arming.words()
        if armed:
            rows.append(line(" ", span(armed, "warning")))
        return [*rows, line(span("Y", "key"), " leave anyway   ", span("n", "key"), " stay")]

    def run(self, command: Command, key: str, event: events.Key) -> None:
        """Leave, or stay."""
        self.console.close_sheet()
        if command.id == "leaving.yes":
            if self._go is not None:
                self._go()
            else:
                self.console.exit(0)
