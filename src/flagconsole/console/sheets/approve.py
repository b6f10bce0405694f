"""The approve sheet: what somebody else asked for, from what to what and for whom, before a second person allows it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from textual import events

from flagconsole.console import confirmation as confirming
from flagconsole.console.actions import Kind
from flagconsole.console.ages import clock_text, moment_text
from flagconsole.console.asked_change import AskedChange, asked_change
from flagconsole.console.confirmation import Confirmation, Outcome
from flagconsole.console.consent import why_not_waiting
from flagconsole.console.glyphs import ARROW
from flagconsole.console.impact import last_part
from flagconsole.console.keymap import Command, key_name
from flagconsole.console.line import Line, line, wrapped
from flagconsole.console.oversight_rows import ApprovalRow
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.sheets.confirming import prompt_line
from flagconsole.console.sheets.radius import radius_rows
from flagconsole.console.widgets.env_bar import environment_word, is_production
from flagconsole.domain.blast import BlastRadius, blast_radius


class ApproveSheet(ConfirmSheet):
    """Allows one request. What raises exposure in production takes the last part of the flag's name typed, as it does for
    whoever asked."""

    kind = Kind.SET
    reasons = ()
    does = "allow it"

    def __init__(self, row: FlagRow, environment: str, approval: ApprovalRow) -> None:
        word = last_part(row.name) if is_production(environment) else None
        super().__init__(row, environment, word=word, ready=False)
        # The reason is the one of whoever asked: it is what the log will say.
        self.confirmation = replace(self.confirmation, reason=approval.reason)
        self.approval = approval
        self.radius: BlastRadius | None = None
        self.sending = False

    @property
    def change(self) -> AskedChange:
        """What it would do to the flag as it is now."""
        return asked_change(self.console.state, self.approval)

    def title(self) -> Line:
        """Who asked for what."""
        where = environment_word(self.environment) or "an unnamed environment"
        return line(span("ALLOW ", "strong"), span(self.row.name, "strong"), span(f"  in {where}"))

    def on_mount(self) -> None:
        """Count whom it reaches, then let it be confirmed."""
        super().on_mount()
        self.behind(self._count, exclusive=True)

    async def _count(self) -> None:
        console, state, change = self.console, self.console.state, self.change
        if change.rule is not None:
            at = console.server_now()
            self.radius = await asyncio.to_thread(
                blast_radius, state.ruleset, self.row.name, change.rule, state.tenants, at
            )
        self.confirmation = confirming.repainted(self.confirmation, ready=not self._over)
        if self.is_attached:
            self.reframe()
            self.call_after_refresh(self.mark_painted)
            console.keys_changed()

    def flag_moved(self, now: FlagRow) -> None:
        """The flag changed: what is to be allowed is another step now, so it is counted and looked at anew."""
        self.row = now
        self.confirmation = confirming.repainted(self.confirmation, ready=False)
        self.behind(self._count, exclusive=True)

    def facts(self, width: int) -> list[Line]:
        """Who, why, what becomes what, for whom, and what allowing means."""
        row, change, now = self.approval, self.change, self.console.server_now()
        rows = [
            line(span("ASKED   ", "header"), span(row.who, "strong"), span(f"  {moment_text(row.asked_at, now)}Z", "muted")),
            *self.labelled("WHY    ", f"“{row.reason}”" if row.reason else "no reason is in the request", width),
            line(span("FROM    ", "header"), span(change.before, "strong"), f" {ARROW} ", span(change.after, "strong"),
                 span(f"  for {change.tenant_id}" if change.tenant_id is not None else "")),
        ]  # fmt: skip
        if change.rule is not None:
            rows += radius_rows(self.radius, len(self.console.state.tenants), width)
        elif change.tenant_id is None:
            rows += self.labelled("TENANTS", "can't be told from here: read the request", width)
        rows += self.labelled("MEANS  ", f"{row.who} may do it once, within an hour; this alone changes nothing", width)
        if self._over:
            rows += wrapped(f"! not any more: {self._over}", width, "warning", most=3)
        else:
            key = key_name(self.console.keymap.command("approval.decline").keys[0])
            rows.append(
                line(
                    span(f"        declining: Esc, then {key}; else it runs out at {clock_text(row.ends_at)}Z", "muted")
                )
            )
        return rows

    @property
    def _over(self) -> str:
        """Why the request needs nobody's consent any more; empty where it waits."""
        return why_not_waiting(self.approval, self.console.server_now())

    def updated(self, changed: frozenset[str]) -> None:
        """The flag may have moved on, and somebody else may have decided on the request."""
        if not self.sending:
            self.approval = self.console.state.oversight.approval(self.approval.approval_id) or self.approval
            if self._over and self.confirmation.ready:
                self.confirmation = confirming.repainted(self.confirmation, ready=False)
                self.console.keys_changed()
        super().updated(changed)

    def offers(self, command: Command) -> bool:
        """There is no reason to choose: whoever asked gave it."""
        return command.id != "sheet.reason" and super().offers(command)

    def run(self, command: Command, key: str, event: events.Key) -> None:
        """All but choosing a reason."""
        if command.id != "sheet.reason":
            super().run(command, key, event)

    def _take(self, result: tuple[Confirmation, Outcome | None]) -> None:
        confirmation, outcome = result
        super()._take((replace(confirmation, reason=self.approval.reason), outcome))

    def _below(self, width: int) -> list[Line]:
        if self._over:
            return [line(span("nothing was sent: what doesn't wait can't be allowed", "muted"))]
        return [prompt_line(self.confirmation, self.does)]

    def _begin(self, reason: str) -> None:
        if not self.sending and not self._over:
            self.sending = True
            self.behind(self._send)

    async def _send(self) -> None:
        console = self.console
        answer = await console.session.questions.approve(self.approval.approval_id)
        if isinstance(answer, str):
            console.say(f"NOT ALLOWED {self.row.name}: {answer}")
        else:
            told = console.present.state.oversight.with_approval(answer)
            console.publish(replace(console.present.state, oversight=told), frozenset())
            until = clock_text(
                next((one.ends_at for one in told.approvals if one.approval_id == self.approval.approval_id), 0.0)
            )
            console.say(f"ALLOWED {self.row.name}: {self.approval.who} can ask again until {until}Z")
        console.close_sheet()
