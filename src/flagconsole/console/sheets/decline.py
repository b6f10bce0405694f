"""The decline sheet: the second person says no to a request, or takes back the consent to what wasn't done yet."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from flagconsole.console import confirmation as confirming
from flagconsole.console.actions import Kind
from flagconsole.console.ages import moment_text
from flagconsole.console.asked_change import asked_change
from flagconsole.console.confirmation import OTHER
from flagconsole.console.consent import why_over
from flagconsole.console.glyphs import ARROW
from flagconsole.console.keymap import Command
from flagconsole.console.line import Line, line, wrapped
from flagconsole.console.oversight_rows import ApprovalRow
from flagconsole.console.rows import flag_row
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.widgets.env_bar import environment_word


class DeclineSheet(ConfirmSheet):
    """Declines one request. It changes no flag; the reason is kept with the request, for whoever asked."""

    kind = Kind.SET
    reasons = (
        "not now, ask again later",
        "too many at once",
        "the canary hasn't shown enough",
        "why it is needed isn't clear",
        "not needed any more",
        OTHER,
    )
    does = "decline it"

    def __init__(self, environment: str, approval: ApprovalRow) -> None:
        # What is confirmed elsewhere is about a flag; here the request stands in its place. It may be about several flags.
        super().__init__(flag_row({"flag_name": approval.flag_name, "current_state": "off"}), environment)
        self.approval = approval
        self.sending = False

    def title(self) -> Line:
        """Which request."""
        where = environment_word(self.environment) or "an unnamed environment"
        return line(span("DECLINE ", "strong"), span(self.approval.flag_name, "strong"), span(f"  in {where}"))

    def updated(self, changed: frozenset[str]) -> None:
        """Flags may move; this is about the request, which somebody else may have decided on meanwhile."""
        if not self.sending:
            self._follow()
        self.reframe()

    def _follow(self) -> None:
        """Take the request as it is now. Where another stood here a moment ago, it is to be seen before ``Y`` counts."""
        before, console = self.approval, self.console
        self.approval = console.state.oversight.approval(before.approval_id) or before
        over = bool(why_over(self.approval, console.server_now()))
        if self.approval != before or (over and self.confirmation.ready):
            self.confirmation = confirming.repainted(self.confirmation, ready=not over)
            self.call_after_refresh(self.mark_painted)
            console.keys_changed()

    def facts(self, width: int) -> list[Line]:
        """Who asked for what and why, who has allowed it, and what declining means."""
        row, now = self.approval, self.console.server_now()
        change = asked_change(self.console.state, row)
        whom = f"  for {change.tenant_id}" if change.tenant_id is not None else ""
        rows = [
            line(span("ASKED   ", "header"), span(row.who, "strong"), span(f"  {moment_text(row.asked_at, now)}Z", "muted")),
            *self.labelled("WHY    ", f"“{row.reason}”" if row.reason else "no reason is in the request", width),
            line(span("FROM    ", "header"), span(change.before, "strong"), f" {ARROW} ", span(change.after, "strong"), span(whom)),
        ]  # fmt: skip
        if row.allowed_by:
            when = "" if row.allowed_at is None else f"  {moment_text(row.allowed_at, now)}Z"
            rows.append(line(span("ALLOWED ", "header"), span(row.allowed_by, "strong"), span(when, "muted")))
        taken = f"the consent is taken back: {row.who} may not do it" if row.allowed_by else "nobody can allow it"
        rows += self.labelled(
            "MEANS  ", f"{taken} any more, asking again makes a new request; no flag changes by it", width
        )
        if over := why_over(row, now):
            rows += wrapped(f"! {over}", width, "warning", most=3)
        return rows

    def offers(self, command: Command) -> bool:
        """No reason can be chosen for what is over."""
        over = why_over(self.approval, self.console.server_now())
        return not (command.id == "sheet.reason" and over) and super().offers(command)

    def _below(self, width: int) -> list[Line]:
        if why_over(self.approval, self.console.server_now()):
            return [line(span("nothing was sent, and nothing is left to decline", "muted"))]
        return super()._below(width)

    def _begin(self, reason: str) -> None:
        if not self.sending and not why_over(self.approval, self.console.server_now()):
            self.sending = True
            self.behind(partial(self._send, reason))

    async def _send(self, reason: str) -> None:
        console, row = self.console, self.approval
        answer = await console.session.questions.decline(row.approval_id, reason)
        if isinstance(answer, str):
            # It may have arrived and only its answer not: the list says how it stands.
            console.say(f"DECLINE {row.flag_name} not confirmed: {answer}")
        else:
            told = console.present.state.oversight.with_approval(answer)
            console.publish(replace(console.present.state, oversight=told), frozenset())
            now = told.approval(row.approval_id) or row
            if (now.declined_by, now.decline_reason) == (console.state.connection.you, reason):
                console.say(f"DECLINED {row.flag_name}: {row.who} has to ask anew")
            else:
                console.say(f"DECLINE {row.flag_name}: {why_over(now, console.server_now())}")
        console.close_sheet()
