"""The sheet that undoes several chosen changes as one set. The server says in a dry run what would come of each; only then can it
be confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flagconsole.console import confirmation as confirming
from flagconsole.console.actions import Asked, Kind
from flagconsole.console.confirmation import OTHER
from flagconsole.console.glyphs import ARROW
from flagconsole.console.impact import last_part, waited_words
from flagconsole.console.line import Line, line
from flagconsole.console.rows import ChangeRow, FlagRow, change_row
from flagconsole.console.safe import span
from flagconsole.console.set_impact import SetImpact, set_impact
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.sheets.fields import Field
from flagconsole.console.widgets.env_bar import environment_word, is_production

if TYPE_CHECKING:
    from flagconsole.domain.bulk import BulkOutcome, BulkResult

_REFUSE, _LEAVE, _ALLOW = "refuse", "leave", "allow"
_RAISING: Final = Field(
    "RAISING", ((_REFUSE, "refuse what raises exposure"), (_LEAVE, "leave it out"), (_ALLOW, "undo it too"))
)


class UndoSetSheet(ConfirmSheet):
    """Undoes exactly the chosen changes, of whatever flags: all of them in one transaction, or none. ``row`` is the flag of the
    first."""

    kind = Kind.REVERT
    border = "border_danger"
    reasons = ("error rate", "latency", "customer report", "wrong change", "drill", OTHER)
    does = "undo them all"

    def __init__(self, row: FlagRow, environment: str, chosen: Sequence[ChangeRow]) -> None:
        super().__init__(row, environment, ready=False)
        self.chosen = tuple(sorted(chosen, key=lambda change: change.change_id))
        self.names = frozenset(change.flag_name for change in chosen)
        self.fields = [_RAISING]
        self.result: BulkResult | None = None
        self.impact: SetImpact | None = None

    def on_mount(self) -> None:
        """Ask the server what would come of it."""
        super().on_mount()
        self.field_changed()

    def asked(self) -> Asked:
        """The changes, and what becomes of those whose undoing raises exposure."""
        way = self.fields[0].value
        return Asked(
            changes=tuple(change.change_id for change in self.chosen),
            allow_raise=way == _ALLOW,
            leave_raising=way == _LEAVE,
        )

    def field_changed(self) -> None:
        """Ask anew; until that is answered nothing can be confirmed."""
        self.result, self.impact, self.refusal = None, None, ""
        self.confirmation = replace(self.confirmation, ready=False, painted_at=None, word=None)
        self.behind(self._ask, exclusive=True)

    async def _ask(self) -> None:
        asked, state = self.asked(), self.console.state
        found = await self.console.session.questions.dry_revert(
            asked.changes, allow_raise=asked.allow_raise, leave_raising=asked.leave_raising
        )
        if isinstance(found, str):
            self.refusal = found
        elif not found.changed:
            self.refusal = "nothing of it would change"
        else:
            now = self.console.server_now()
            self.impact = await asyncio.to_thread(set_impact, state.ruleset, found, state.tenants, now)
            self.result = found
        self.confirmation = confirming.repainted(self.confirmation, ready=self.result is not None)
        if self.result is not None and asked.allow_raise and is_production(self.environment):
            # What raises exposure in production takes a typed word.
            self.confirmation = replace(self.confirmation, word=last_part(self.row.name))
        if self.is_attached:
            self.reframe()
            self.call_after_refresh(self.mark_painted)
            self.console.keys_changed()

    def updated(self, changed: frozenset[str]) -> None:
        """One of the flags moved: what would come of it is asked anew, and has to be seen anew."""
        if self.action_key is None and not changed.isdisjoint(self.names):
            self.moved = "a flag of the set changed meanwhile: asked the server anew"
            self.field_changed()
        self.reframe()

    # what is said

    def title(self) -> Line:
        """How many changes of how many flags, and where."""
        changes, flags = len(self.chosen), len(self.names)
        return line(
            span("UNDO SET", "strong"),
            f"  {changes} change{'s' * (changes != 1)} of {flags} flag{'s' * (flags != 1)}",
            span(f"  in {environment_word(self.environment) or 'an unnamed environment'}"),
        )

    def facts(self, width: int) -> list[Line]:
        """What becomes of each flag, whom it reaches, and who has to confirm it."""
        if self.refusal:
            return self.labelled("REFUSED", self.refusal, width)
        if self.result is None or self.impact is None:
            return [line(span("asking the server what would be undone …", "muted"))]
        rows = [_outcome_line(outcome) for outcome in self.result.outcomes]
        numbers = ", ".join(f"#{change.change_id}" for change in self.chosen)
        rows += self.labelled("UNDOES", f"{numbers}, as one set or not at all", width)
        rows += self.labelled("REACH", _reach_words(self.impact), width)
        expected = self.console.state.expected
        mute = sum(not row.can_confirm for row in expected)
        return [*rows, *self.labelled("SDKS", waited_words(len(expected), mute), width)]


def _outcome_line(outcome: BulkOutcome) -> Line:
    subject = span(
        outcome.flag_name if outcome.tenant_id is None else f"{outcome.flag_name} for {outcome.tenant_id}", "strong"
    )
    if outcome.change is None:
        return line(subject, span(f"  stays {outcome.setting.standing}: {outcome.left_out}", "warning"))
    change = change_row(outcome.change.model_dump(mode="json"))
    return line(subject, span(f"  {change.before} {ARROW} "), span(change.after, "strong"))


def _reach_words(impact: SetImpact) -> str:
    if not impact.tenants:
        return "no tenants are known here"
    gaining = f", {impact.gaining} get one" if impact.gaining else ""
    return f"{impact.losing} of {impact.tenants} tenants lose a feature{gaining} ({impact.flags} flags with their dependents)"
