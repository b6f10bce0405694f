"""The start sheet: a rollout by a plan, whose phases and limits are on it before it begins."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from flagconsole.console import confirmation as confirming
from flagconsole.console import watched
from flagconsole.console.actions import Asked, Kind
from flagconsole.console.comparisons import compared
from flagconsole.console.confirmation import OTHER
from flagconsole.console.figures import limit_text, metric_label, phase_share
from flagconsole.console.impact import last_part
from flagconsole.console.keymap import Command
from flagconsole.console.line import Line, cell, cut, line, wrapped
from flagconsole.console.rollouts import PhaseRow, RolloutRow
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.fields import Field
from flagconsole.console.sheets.ticking import TickingSheet
from flagconsole.console.widgets.env_bar import is_production
from flagconsole.domain.duration import length_text

#: The flag's own plan, or where it has none the default one; and those that every server knows. Those of the environment follow.
PLANS: Final = (("", "the flag's own"), ("default", "default"), ("demo", "demo"))


class StartSheet(TickingSheet):
    """Begins a rollout."""

    kind = Kind.START
    reasons = ("as planned", "fixed, once more", "customers wait for it", "pilot", "drill", OTHER)
    does = "begin the rollout"
    versioned = True

    def __init__(self, row: FlagRow, environment: str) -> None:
        super().__init__(row, environment)
        self.fields = [Field("PLAN", PLANS)]
        self.rollout: RolloutRow | None = None

    def on_mount(self) -> None:
        """Ask the server for the marked plan."""
        super().on_mount()
        self.field_changed()
        self.behind(self._offer_kept, group="plans")

    async def _offer_kept(self) -> None:
        """Offer the plans that the environment keeps too, behind those that every server knows; what is chosen stays."""
        names = await self.console.session.questions.plan_names()
        if isinstance(names, str) or not names or self.action_key is not None:
            return  # a key that may not read them can still begin by the others
        known = {value for value, _ in PLANS}
        kept = tuple((name, name) for name in names if name not in known)
        self.fields = [Field("PLAN", (*PLANS, *kept), self.fields[0].chosen)]
        if self.is_attached:
            self.reframe()
            self.console.keys_changed()

    def field_changed(self) -> None:
        """Another plan: nothing can be confirmed before it was seen."""
        self.rollout, self.refusal = None, ""
        word = last_part(self.row.name) if is_production(self.environment) else None
        self.confirmation = replace(confirming.replace_word(self.confirmation, word), ready=False, painted_at=None)
        self.behind(self._look, exclusive=True)

    async def _look(self) -> None:
        questions = self.console.session.questions
        # The plan is told whether the checklist is complete or not; what is missing of it is asked for here.
        found = await questions.dry_start(self.row.name, self.row.version, self.fields[0].value, checked=True)
        self.refusal, self.rollout = (found, None) if isinstance(found, str) else ("", found)
        if self.asks_for_ticks:
            known = await questions.checklist(self.row.name)
            if isinstance(known, str):
                self.refusal = known
            else:
                self.console.publish(watched.with_story(self.console.state, known, self.row.name), frozenset())
                self.mark_missing()
        ready = self.rollout is not None and not self.refusal and not self.unticked
        self.confirmation = confirming.repainted(self.confirmation, ready=ready)
        if self.is_attached:
            self.reframe()
            self.call_after_refresh(self.mark_painted)
            self.console.keys_changed()

    def asked(self) -> Asked:
        """Which plan, and whether to write the checklist down."""
        return Asked(plan=self.fields[0].value, checked=self.checked)

    @property
    def asks_for_ticks(self) -> bool:
        """Where the plan begins with a canary."""
        return self.rollout is not None and self.rollout.current is not None and self.rollout.current.kind == "canary"

    def run_own(self, command: Command, at: float) -> None:
        """↓ and ↑ mark an item: there is one field only."""
        if command.id in {"sheet.next", "sheet.previous"}:
            self.mark(1 if command.id == "sheet.next" else -1)
        super().run_own(command, at)

    def facts(self, width: int) -> list[Line]:
        """The plan: each phase with whom it reaches, how long, and its limits."""
        if self.refusal:
            return self.labelled("REFUSED", self.refusal, width)
        rollout = self.rollout
        if rollout is None:
            return [line(span("asking the server for the plan …", "muted"))]
        by_itself = "promotes itself" if rollout.auto_promote else "is promoted by hand"
        back = "rolls back by itself" if rollout.auto_rollback else "rollback is left to people"
        rows = [line(span(f"{rollout.plan}: ", "strong"), span(f"{by_itself}, {back}", "muted"))]
        rows += [_phase_line(phase, width, first=place == 0) for place, phase in enumerate(rollout.phases)]
        rows += self.checklist_rows(self.console.server_now())
        # The plan's limits don't tell that there is more to a canary.
        said = next((words for phase in rollout.phases if (words := compared(phase))), "")
        return rows + wrapped(said, width, "muted", most=2) if said else rows


def _phase_line(phase: PhaseRow, width: int, *, first: bool) -> Line:
    limits = [
        f"{metric_label(limit.metric, limit.kind)} {limit_text(limit.comparison, limit.limit, limit.kind)}"
        for limit in phase.limits
        if limit.purpose == "rollback"
    ]
    fails = "fails at " + ", ".join(limits) if limits else "not judged"
    least = length_text(phase.min_seconds) if phase.min_seconds else ""
    head = [cell(phase.name, 11, "strong" if first else "plain"), cell(phase_share(phase), 10), cell(least, 7, "muted")]
    return cut(line(span("▶ " if first else "  ", "key"), *head, span(fails, "muted")), width)
