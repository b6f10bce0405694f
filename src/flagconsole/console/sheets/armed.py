"""The sheet of an armed kill: once the connection is back it shows what changed since, and asks for ``Y`` again."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from textual import events

from flagconsole.console import confirmation as confirming
from flagconsole.console.ages import age_text, clock_text, moment_text
from flagconsole.console.arming import Armed, changes_since
from flagconsole.console.glyphs import ARROW
from flagconsole.console.keymap import Command
from flagconsole.console.line import BLANK, Line, cut, line, wrapped
from flagconsole.console.rows import ChangeRow, FlagRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirming import prompt_line
from flagconsole.console.sheets.kill import KillSheet
from flagconsole.console.state import Phase
from flagconsole.domain.states import FlagState

#: Seconds that the sheet must have been on screen, and without any other key: it opens by itself, perhaps under fingers
#: that are about to type K, a digit and Y for another flag.
SEEN: Final = 1.0
QUIET: Final = 2.0
#: Changes that are shown before ``d`` shows all.
FEW: Final = 2


class ArmedSheet(KillSheet):
    """Asks about an armed kill. Esc keeps it armed, ``n`` drops it."""

    does = "send the kill now"

    def __init__(self, row: FlagRow, armed: Armed) -> None:
        super().__init__(row, armed.environment)
        self.armed = armed
        self.all_changes = False
        self.confirmation = replace(self.confirmation, reason=armed.reason)

    @property
    def context(self) -> str:
        """Its own keys, until it is sent or its word is typed."""
        inherited = super().context
        return "armed" if inherited == "confirm" else inherited

    @property
    def live(self) -> bool:
        """Whether it could be sent."""
        return self.console.state.connection.phase is Phase.LIVE

    def offers(self, command: Command) -> bool:
        """``Y`` only where it can be sent."""
        if command.id == "armed.send":
            return self.live and self.confirmation.ready and self.confirmation.word is None
        return command.id == "armed.diff" or super().offers(command)

    def title(self) -> Line:
        """What is asked."""
        if self.action_key is not None:
            return super().title()
        name = span(self.row.name, "strong")
        if not self.live:
            return line(span("ARMED KILL", "danger"), " ", name, "  not sent")
        now = clock_text(self.console.server_now())
        return line(span("CONNECTION BACK", "danger"), f" {now}Z · armed: kill ", name)

    def closing_note(self) -> str:
        """Until when it stays armed."""
        if self.action_key is not None:
            return super().closing_note()
        return f"armed {clock_text(self.armed.clock_at)}, expires {clock_text(self.armed.clock_expires_at)}"

    def body(self, width: int) -> list[Line]:
        """What was armed, what happened since, what it is now and would do; or the progress."""
        if self.action_key is not None:
            return super().body(width)
        armed = self.armed
        rows = [
            *self.labelled("ARMED", f"KILL {armed.row.name} at {armed.row.setting} v{armed.row.version}: “{armed.reason}”", width),
            *self._since(width),
        ]  # fmt: skip
        if self.live:
            note = self.confirmation.note
            said = span(note, "warning") if note else span("Nothing was sent while offline.", "muted")
            rows += [*self.facts(width), BLANK, line(said), self._ask()]
        else:
            left = age_text(max(0.0, armed.expires_at - self.console.clock.monotonic()))
            rows += [BLANK, line(span(f"Nothing was sent. It is forgotten in {left}.", "muted")), self._ask()]
        return rows

    def _since(self, width: int) -> list[Line]:
        state = self.console.state
        if not self.live:
            return self.labelled("SINCE", "not known: there is no connection", width)
        if state.epoch != self.armed.epoch:
            return self.labelled("SINCE", "the store was restored from another past: look at the history", width)
        if self.row.version == self.armed.row.version:
            return self.labelled("SINCE", f"nothing changed (v{self.row.version})", width)
        changes = changes_since(self.armed, state)
        rows: list[Line] = []
        if not changes:
            versions = f"v{self.armed.row.version} {ARROW} v{self.row.version}"
            return self.labelled("SINCE", f"{versions}; what changed is older than the history at hand", width)
        shown = changes if self.all_changes else changes[-FEW:]
        for index, change in enumerate(shown):
            head = span("SINCE  " if index == 0 else " " * 7, "header")
            rows.append(cut(line(head, *self._change(change)), width))
            if self.all_changes:
                rows += [
                    line(span(" " * 9), *part) for part in wrapped(f"“{change.reason}”", width - 9, "muted", most=2)
                ]
        hidden = len(changes) - len(shown)
        if hidden:
            rows.append(line(span(" " * 7), span(f"and {hidden} more: d shows them", "muted")))
        return rows

    def _change(self, change: ChangeRow) -> Line:
        at = moment_text(change.at, self.console.server_now())
        whose = f" for {change.tenant_id}" if change.tenant_id is not None else ""
        return line(
            span(f"v{change.version} {at}Z ", "muted"),
            span(change.who, "strong"),
            span(f"{whose}: {change.before} {ARROW} {change.after}"),
        )

    def _ask(self) -> Line:
        confirmation = self.confirmation
        keys = line(span("   n", "key"), " drop it", span("   d", "key"), " diff", span("   Esc", "key"), " keep armed")
        if not self.live:
            return line(span("n", "key"), " drop it", span("   Esc", "key"), " keep it armed")
        if self.row.state is FlagState.KILL or confirmation.word is None:
            return line(span("Y", "key"), " ", span(self.does, "strong"), *keys)
        return prompt_line(self.confirmation, self.does)

    # keys

    def run(self, command: Command, key: str, event: events.Key) -> None:
        """Send, drop, look, keep."""
        match command.id:
            case "armed.send":
                self._send(self.console.clock.pressed_at(event))
            case "armed.drop":
                self.console.close_sheet()
                self.console.arming.drop("was dropped")
            case "armed.diff":
                self.all_changes = not self.all_changes
                self._after_key()
            case "armed.keep":
                self.console.close_sheet()
            case _:
                super().run(command, key, event)

    def _send(self, at: float) -> None:
        confirmation = self.confirmation
        painted, before = confirmation.painted_at, confirmation.last_key_at
        if not self.live:
            return
        if painted is None or at - painted < SEEN or (before is not None and at - before < QUIET):
            self.confirmation = replace(confirmation, note="look at it first, then press Y", last_key_at=before)
            self._after_key()
            return
        self._take(confirming.confirm(confirmation, at))
        self._after_key()

    def typed(self, event: events.Key) -> None:
        """A key that is none of its own shows that somebody is typing something else."""
        if self.context == "armed":
            self.confirmation = replace(self.confirmation, last_key_at=self.console.clock.pressed_at(event))
            self._after_key()
        else:
            super().typed(event)

    def _begin(self, reason: str) -> None:
        self.console.arming.taken()
        super()._begin(reason)

    def updated(self, changed: frozenset[str]) -> None:
        """Show the flag as it is now; close where it has expired."""
        if self.action_key is None and self.console.arming.armed is None:
            self.console.close_sheet()
            return
        now = self.console.state.flags.get(self.row.name)
        if self.action_key is None and now is not None and now.version != self.row.version:
            self.row = now
            self.flag_moved(now)
        super().updated(changed)
