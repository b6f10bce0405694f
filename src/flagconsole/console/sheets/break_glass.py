"""The break-glass sheet: the ready commands that kill the selected flag from a machine that reaches the server."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from flagconsole.console import breakglass
from flagconsole.console.keymap import Command
from flagconsole.console.line import BLANK, Line, line, wrapped
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.kill import KillSheet
from flagconsole.console.sheets.sheet import Sheet
from flagconsole.console.widgets.env_bar import environment_word


class BreakGlassSheet(Sheet):
    """Shows and copies the commands. It sends nothing."""

    border = "border_danger"

    def __init__(self, row: FlagRow, environment: str) -> None:
        super().__init__()
        self.row = row
        self.environment = environment
        self.reason = breakglass.DEFAULT_REASON

    @property
    def context(self) -> str:
        """Its own keys."""
        return "glass"

    def title(self) -> Line:
        """What the commands do."""
        where = environment_word(self.environment) or "an unnamed environment"
        name = span(self.row.name, "strong")
        return line(span("BY HAND", "danger"), "  kill ", name, span(f" in {where}, from another machine"))

    def closing_note(self) -> str:
        """Nothing is sent."""
        return "Esc close · nothing is sent from here"

    @property
    def command(self) -> str:
        """The command line."""
        return breakglass.command_line(self.console.place, self.row.name, self.reason)

    @property
    def curl(self) -> str:
        """The curl."""
        return breakglass.curl(self.console.place, self.row.name, self.reason)

    def body(self, width: int) -> Sequence[Line]:
        """The commands, each with the key that copies it."""
        if not self.command:
            why = "its name has characters that can't be written into a shell without doubt: use another console"
            return [line(span("no command", "warning")), *wrapped(why, width)]
        rows = [line(span("y", "key"), span(" COMMAND LINE", "header"), *self._where_the_key_is())]
        rows += _shown(self.command, width)
        if self.curl:
            rows += [line(span("c", "key"), span(" CURL", "header")), *_shown(self.curl, width)]
        else:
            rows.append(line(span("no curl: this store is on this machine, without a server of its own", "muted")))
        choices = [
            part
            for number, reason in enumerate(KillSheet.reasons[:5], start=1)
            for part in (span(f" {number} ", "key"), span(reason, "strong" if reason == self.reason else "plain"))
        ]
        return [*rows, BLANK, line(span("REASON", "header"), *choices)]

    def _where_the_key_is(self) -> Line:
        place = self.console.place
        if place.context or place.known_as:
            return line(span("  with the key that is configured there", "muted"))
        if place.key_reference:
            return ()
        return line(span("  with FLAGCONSOLE_API_KEY exported, or the configured key", "muted"))

    def run(self, command: Command, key: str, event: events.Key) -> None:
        """Copy, choose a reason, close."""
        match command.id:
            case "glass.copy" if self.command:
                self.console.copy(self.command)
            case "glass.curl" if self.curl:
                self.console.copy(self.curl)
            case "glass.reason":
                self.reason = KillSheet.reasons[command.keys.index(key)]
                self.reframe()
            case "glass.close":
                self.console.close_sheet()


def _shown(command: str, width: int) -> list[Line]:
    """A command in rows, as it is copied; what is too long for a row goes on in the next."""
    rows: list[Line] = []
    for text in command.split("\n"):
        while len(text) > width - 2:
            rows.append(line("  ", span(text[: width - 2])))
            text = text[width - 2 :]
        rows.append(line("  ", span(text)))
    return rows
