"""The review sheet: somebody else has looked at what was done under break-glass, and writes down what they think of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from flagconsole.console.actions import Kind
from flagconsole.console.confirmation import OTHER
from flagconsole.console.line import Line, line
from flagconsole.console.oversight_rows import GrantRow
from flagconsole.console.rows import flag_row
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.widgets.change_table import what_of
from flagconsole.console.widgets.env_bar import environment_word

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp

#: Changes that the sheet names; the screen above it has all of them.
_NAMED = 4


def why_not_reviewed(console: ConsoleApp, row: GrantRow) -> str:
    """Why whoever sits here can't review a grant now; empty where they can."""
    connection, now = console.state.connection, console.server_now()
    if row.reviewed_at is not None:
        return f"{row.reviewed_by} has reviewed it already"
    if row.in_force(now):
        return f"it is in force: a review comes when it is over (flagconsole break-glass end {row.grant_id})"
    if not connection.may_administer:
        return f"a review takes an admin's key; yours is {connection.role or 'not known'}'s"
    if row.who == connection.you:
        return "you did it yourself: somebody else has to look at it"
    if console.state.oversight.own_grant(connection.you, now) is not None:
        return "with rights that were taken for a time nobody reviews anything"
    return ""


class ReviewSheet(ConfirmSheet):
    """Marks a grant as reviewed. It changes no flag; the reason is kept with the grant, as the reviewer's note."""

    kind = Kind.SET
    reasons = (
        "right, and only what was needed",
        "right, but more than was needed",
        "looked at with whoever did it",
        "not needed, talked about it",
        "not right, it is being put right",
        OTHER,
    )
    does = "write it down"

    def __init__(self, environment: str, grant: GrantRow) -> None:
        # What is confirmed elsewhere is about a flag; here the grant stands in its place.
        super().__init__(flag_row({"flag_name": grant.grant_id, "current_state": "off"}), environment)
        self.grant = grant
        self.sending = False

    def title(self) -> Line:
        """Whose deeds."""
        where = environment_word(self.environment) or "an unnamed environment"
        return line(span("REVIEW ", "strong"), span(self.grant.who, "strong"), span(f"  in {where}"))

    def updated(self, changed: frozenset[str]) -> None:
        """Flags may move; this is about what was done."""
        self.reframe()

    def facts(self, width: int) -> list[Line]:
        """Why the rights were taken, and what was done with them."""
        grant = self.grant
        rows = self.labelled("WHY", f"“{grant.reason}”", width)
        for change in grant.changes[:_NAMED]:
            rows.append(
                line(span(f"#{change.change_id} ", "muted"), span(change.flag_name, "link"), f"  {what_of(change)}")
            )
        more = len(grant.changes) - _NAMED
        other = f"{len(grant.deeds)} other call{'s' if len(grant.deeds) != 1 else ''}"
        rows.append(line(span(f"and {more} more changes, {other}" if more > 0 else other, "muted")))
        return rows

    def _begin(self, reason: str) -> None:
        if not self.sending:
            self.sending = True
            self.behind(partial(self._send, reason))

    async def _send(self, note: str) -> None:
        console = self.console
        answer = await console.session.questions.review(self.grant.grant_id, note)
        if isinstance(answer, str):
            console.say(f"not written down: {answer}")
        else:
            told = console.present.state.oversight.with_grant(answer)
            console.publish(replace(console.present.state, oversight=told), frozenset())
            console.say(f"REVIEWED {self.grant.who}'s {self.grant.grant_id}")
        console.close_sheet()
