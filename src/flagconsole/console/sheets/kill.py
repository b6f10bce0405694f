"""The kill sheet: ``K``, a digit, ``Y``. What would stop, and for whom, is on it before anything can be sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from flagconsole.console import confirmation as confirming
from flagconsole.console.actions import Kind
from flagconsole.console.ages import age_role, age_text, moment_text
from flagconsole.console.confirmation import OTHER
from flagconsole.console.impact import INLINE_TENANTS, KillImpact, kill_impact, last_part, waited_words
from flagconsole.console.line import Line, line, line_width
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import Span, span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.sheets.radius import dependent_rows
from flagconsole.console.suggesting import with_suggestion
from flagconsole.console.widgets.detail import losing_words
from flagconsole.domain.states import FlagState

REASONS: Final[tuple[str, ...]] = ("error rate", "latency", "customer report", "security", "data corruption", OTHER)


class KillSheet(ConfirmSheet):
    """Kills a flag."""

    kind = Kind.KILL
    border = "border_danger"
    reasons = REASONS
    does = "kill now"

    def __init__(self, row: FlagRow, environment: str, suggestion: tuple[str, str] | None = None) -> None:
        self.reasons = with_suggestion(REASONS, suggestion)
        super().__init__(row, environment, ready=False)
        self.suggested = 1 if suggestion is not None else None
        self.impact: KillImpact | None = None
        self.impact_problem = ""

    def on_mount(self) -> None:
        """Compute the blast radius, then show the sheet; a large fleet is counted in a thread behind the open sheet."""
        if len(self.console.state.tenants) <= INLINE_TENANTS:
            self._take_impact(self._computed())
            super().on_mount()
        else:
            super().on_mount()
            self.behind(self._compute_behind, exclusive=True)

    def _computed(self) -> KillImpact | None:
        return kill_impact(self.console.state, self.row.name, self.console.server_now())

    async def _compute_behind(self) -> None:
        self._take_impact(await asyncio.to_thread(self._computed))
        self.reframe()
        self.call_after_refresh(self.mark_painted)

    def _take_impact(self, impact: KillImpact | None) -> None:
        self.impact = impact
        risky = impact is not None and bool(impact.risks)
        self.confirmation = confirming.repainted(self.confirmation, ready=True, note=self.confirmation.note)
        if risky and self.confirmation.word is None:
            self.confirmation = replace(self.confirmation, word=last_part(self.row.name))

    def flag_moved(self, now: FlagRow) -> None:
        """Count again: what a kill would do has changed. The kill itself stays possible, it is never too late for one."""
        self.tenants_changed()

    def tenants_changed(self) -> None:
        """Count again."""
        if len(self.console.state.tenants) <= INLINE_TENANTS:
            self._take_impact(self._computed())
            self.call_after_refresh(self.mark_painted)
        else:
            self.behind(self._compute_behind, exclusive=True)

    def facts(self, width: int) -> list[Line]:
        """From and to, blast radius, dependents, instances, and why it is high risk."""
        state = self.console.state
        if self.row.state is FlagState.KILL:
            last = self.row.last
            when = f" {moment_text(last.at, self.console.server_now())}Z by {last.who}" if last is not None else ""
            already = f"already killed{when}: a second kill changes nothing"
            return [line(span(already, "warning")), *self._reach(width)]
        after = self.from_to(f"{FlagState.KILL.value} for everyone")
        latch = span("only a revive clears it", "muted")
        beside = line(*after, "   ", latch)
        rows = [beside] if line_width(beside) <= width else [after, line(latch)]
        rows += self._reach(width)
        if self.impact is not None and self.impact.risks:
            rows += self.labelled("RISK", "; ".join(self.impact.risks), width)
        rows += self.incident_rows(width)
        if state.connection.fresh_at is None:
            rows.append(line(span("! the data's age isn't known", "warning")))
        return rows

    def _reach(self, width: int) -> list[Line]:
        impact = self.impact
        if impact is None:
            return [line(span("BLAST  ", "header"), span("counting tenants …", "muted"))]
        blast = impact.blast
        tenants = line(
            span("BLAST  ", "header"),
            *losing_words(blast),
            span(f" + {blast.shadow_losing} in shadow" if blast.shadow_losing else ""),
            *self._as_of(impact),
        )
        instances = line(span("SDKS   ", "header"), span(waited_words(impact.instances, impact.mute)))
        return [tenants, *dependent_rows(blast.dependents, "DEPS   ", width), instances]

    def _as_of(self, impact: KillImpact) -> tuple[Span, ...]:
        fresh_at = self.console.state.connection.fresh_at
        age = None if fresh_at is None else self.console.clock.monotonic() - fresh_at
        shown = span("  ·  rev ", "muted"), span(impact.revision, "muted")
        if age is None:
            return shown
        role = age_role(age)
        return (*shown, span(f", {age_text(age)} old", "muted" if role == "good" else role))
