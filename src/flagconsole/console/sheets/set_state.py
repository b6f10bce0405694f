"""The set sheet: another state, or another share of a canary. What raises exposure in production takes the flag's name."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from flagconsole.console import confirmation as confirming
from flagconsole.console.actions import Asked, Kind
from flagconsole.console.confirmation import OTHER
from flagconsole.console.impact import last_part
from flagconsole.console.line import Line, line
from flagconsole.console.raising import raises
from flagconsole.console.rows import FlagRow, setting_text
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.sheets.fields import Field
from flagconsole.console.sheets.radius import radius_rows
from flagconsole.console.widgets.env_bar import is_production
from flagconsole.domain.blast import BlastRadius, blast_radius
from flagconsole.domain.states import FlagState

#: Kill and revive have sheets of their own.
STATES: Final = ("off", "shadow", "canary", "on")
SHARES: Final = (1, 5, 10, 25, 50, 75, 90)
#: Stands for the cohort that the flag has, instead of a share.
CHOSEN: Final = "chosen"


class SetSheet(ConfirmSheet):
    """Sets a flag's state by hand."""

    kind = Kind.SET
    reasons = ("next step", "as planned", "customer report", "wrong change", "drill", OTHER)
    does = "set it"
    versioned = True

    def __init__(self, row: FlagRow, environment: str) -> None:
        super().__init__(row, environment, ready=False)
        self.radius: BlastRadius | None = None
        self._lay_out(row.state.value, row.percentage)

    def _lay_out(self, state: str, share: int) -> None:
        fields = [Field("STATE", tuple((name, name) for name in STATES)).at(state)]
        if state == "canary":
            shares = sorted({*SHARES, *([share] if 0 < share < 100 else [])})
            values = [(str(one), f"{one} %") for one in shares]
            if self.row.cohort:
                values.insert(0, (CHOSEN, f"the {self.row.cohort} chosen tenants"))
            fields.append(Field("SHARE", tuple(values)).at(CHOSEN if self.row.cohort else str(share or 10)))
        self.fields, self.field = fields, min(self.field, len(fields) - 1)

    @property
    def state(self) -> FlagState:
        """The chosen state."""
        return FlagState(self.fields[0].value)

    @property
    def keeps_cohort(self) -> bool:
        """Whether the tenants that were chosen stay the cohort."""
        return len(self.fields) > 1 and self.fields[1].value == CHOSEN

    @property
    def share(self) -> int:
        """The chosen percentage of a canary, else the flag's."""
        return self.row.percentage if len(self.fields) < 2 or self.keeps_cohort else int(self.fields[1].value)

    @property
    def same(self) -> bool:
        """Whether nothing would change."""
        if self.state is not self.row.state:
            return False
        return self.state is not FlagState.CANARY or (
            self.keeps_cohort if self.row.cohort else self.share == self.row.percentage
        )

    def on_mount(self) -> None:
        """Show what the marked value would do."""
        super().on_mount()
        self.field_changed()

    def field_changed(self) -> None:
        """Count whom the chosen value reaches, here and now, and let the server say whether it would take it."""
        if (self.state is FlagState.CANARY) != (len(self.fields) > 1):
            self._lay_out(self.state.value, self.row.percentage if self.row.state is FlagState.CANARY else 10)
        guarded = raises(self.row, self.state, self.share) and is_production(self.environment)
        self.radius, self.refusal = None, ""
        self.confirmation = replace(
            self.confirmation, ready=False, painted_at=None, word=last_part(self.row.name) if guarded else None
        )
        if not self.same:
            self.behind(self._count, exclusive=True)

    async def _count(self) -> None:
        console, state = self.console, self.console.state
        rule = state.ruleset.rules.get(self.row.name)
        if rule is not None:
            after = rule._replace(state=self.state, percentage=self.share)
            if self.state is FlagState.CANARY and not self.keeps_cohort:
                after = after._replace(cohort=frozenset(), holdout=None)
            now = console.server_now()
            self.radius = await asyncio.to_thread(blast_radius, state.ruleset, self.row.name, after, state.tenants, now)
        answer = await console.session.questions.dry_set(self.draft("dry run"))
        self.refusal = answer if isinstance(answer, str) else ""
        self.confirmation = confirming.repainted(self.confirmation, ready=not self.refusal)
        if self.is_attached:
            self.reframe()
            self.call_after_refresh(self.mark_painted)
            console.keys_changed()

    def asked(self) -> Asked:
        """State and share."""
        share = self.share if self.state is FlagState.CANARY and not self.keeps_cohort else None
        return Asked(state=self.state.value, percentage=share)

    def facts(self, width: int) -> list[Line]:
        """What becomes what, for whom, and what depends on it."""
        if self.row.state is FlagState.KILL:
            return [line(span("it is killed: only a revive (V) clears that", "warning"))]
        if self.same:
            return [
                line(
                    span(f"{self.row.setting} (v{self.row.version})", "strong"),
                    span("   choose with ← →; K kills it", "muted"),
                )
            ]
        after = self.row._replace(state=self.state)
        rows = [self.from_to(after.setting if self.keeps_cohort else setting_text(self.state, self.share, 0))]
        if self.refusal:
            return [*rows, *self.labelled("REFUSED", self.refusal, width)]
        rows += radius_rows(self.radius, len(self.console.state.tenants), width)
        rollout = self.console.state.rollouts.get(self.row.name)
        if rollout is not None and rollout.active:
            rows += self.labelled("THEN", "its rollout will pause: somebody changed the flag by hand", width)
        return rows
