"""The promote sheet: to the rollout's next phase. Without a pass only past the verdict (``!``), by a typed name; before a
canary the checklist is ticked here."""

from __future__ import annotations

from dataclasses import replace

from flagconsole.console import confirmation as confirming
from flagconsole.console import watched
from flagconsole.console.actions import Asked, Kind
from flagconsole.console.canary_view import looked_span
from flagconsole.console.confirmation import OTHER
from flagconsole.console.figures import OUTCOME_ROLE, OUTCOME_SIGN, OUTCOME_WORD, phase_share
from flagconsole.console.glyphs import ARROW
from flagconsole.console.impact import last_part
from flagconsole.console.keymap import Command
from flagconsole.console.line import Line, cut, line
from flagconsole.console.rollouts import RolloutRow
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.ticking import TickingSheet
from flagconsole.console.verdicts import PASS
from flagconsole.console.widgets.env_bar import is_production
from flagconsole.domain.duration import length_text, part_of


class PromoteSheet(TickingSheet):
    """Takes a rollout to its next phase."""

    kind = Kind.PROMOTE
    reasons = ("it passes", "as planned", "customers wait for it", "checked by hand", "drill", OTHER)
    does = "promote"
    versioned = True

    def __init__(self, row: FlagRow, environment: str) -> None:
        super().__init__(row, environment)
        self.past = False
        self.asked_about: tuple[str, str] | None = None

    # what is known

    @property
    def rollout(self) -> RolloutRow | None:
        """The rollout as it is now."""
        return self.console.state.rollouts.get(self.row.name)

    @property
    def said(self) -> tuple[str, str] | None:
        """What the judge says of the phase now; None before its first look."""
        judged = None if self.rollout is None else self.rollout.judged
        return None if judged is None else (judged.kind, judged.because)

    @property
    def asks_for_ticks(self) -> bool:
        """Before the first canary."""
        return self.rollout is not None and self.rollout.first_canary_is_next

    @property
    def passes(self) -> bool:
        """Whether the verdict lets it go on."""
        rollout = self.rollout
        judged = None if rollout is None else rollout.judged
        return rollout is not None and judged is not None and judged.kind == PASS and rollout.enough

    def on_mount(self) -> None:
        """Fetch the checklist, then ask the server whether it would promote."""
        super().on_mount()
        self.behind(self._look, exclusive=True)

    async def _look(self) -> None:
        """Ask anew; only what the server would do can be confirmed."""
        console = self.console
        self.asked_about = self.said
        found = await console.session.questions.checklist(self.row.name)
        if isinstance(found, str):
            self.refusal = found
        else:
            console.publish(watched.with_story(console.state, found, self.row.name), frozenset())
            self.mark_missing()
            result = await console.session.questions.dry_promote(
                self.row.name, self.row.version, past_verdict=self.past, checked=self.checked
            )
            self.refusal = result if isinstance(result, str) else ""
        word = last_part(self.row.name) if self.past or is_production(self.environment) else None
        self.confirmation = confirming.replace_word(self.confirmation, word)
        self.confirmation = confirming.repainted(self.confirmation, ready=not self.refusal)
        if self.is_attached:
            self.reframe()
            self.call_after_refresh(self.mark_painted)
            console.keys_changed()

    def field_changed(self) -> None:
        """The flag moved: ask anew."""
        self.confirmation = replace(self.confirmation, ready=False)
        self.behind(self._look, exclusive=True)

    def updated(self, changed: frozenset[str]) -> None:
        """A look that says something else is asked about anew: the refusal of before isn't that of now."""
        super().updated(changed)
        if self.said != self.asked_about and self.action_key is None:
            self.asked_about = self.said
            self.field_changed()

    def asked(self) -> Asked:
        """Whether to go past the verdict, and whether to write the checklist down."""
        return Asked(past_verdict=self.past, checked=self.checked)

    # keys

    @property
    def refused(self) -> bool:
        """What is left to tick is asked for; only what ticking doesn't help with is refused."""
        return super().refused and not self.unticked

    def offers(self, command: Command) -> bool:
        """Ticking while something is left to tick; ``!`` where only the verdict is in the way, and for admins."""
        match command.id:
            case "sheet.next" | "sheet.previous":
                return len(self.checklist) > 1
            case "sheet.past":
                blocked = not self.passes and not self.past and not self.unticked and self.rollout is not None
                return blocked and self.console.powers().administer
        return super().offers(command)

    def run_own(self, command: Command, at: float) -> None:
        """Mark, tick, go past the verdict."""
        if command.id in {"sheet.next", "sheet.previous"}:
            self.mark(1 if command.id == "sheet.next" else -1)
        elif command.id == "sheet.past" and self.offers(command):
            self.past = True
            self.field_changed()
        super().run_own(command, at)

    # what is said

    def facts(self, width: int) -> list[Line]:
        """From which phase to which, what the judge says, what is in the way, the checklist."""
        rollout = self.rollout
        if rollout is None or not rollout.active:
            return [line(span("no rollout is under way; B begins one", "warning"))]
        following, now = rollout.following, self.console.server_now()
        if following is None:
            return [line(span(f"{rollout.phase} is the last phase: there is nothing to promote it to", "warning"))]
        rows = [
            line(
                span(rollout.phase, "strong"),
                f" {ARROW} ",
                span(following.name, "strong"),
                span(f"  {phase_share(following)}, at least {length_text(following.min_seconds)}", "muted"),
                span("   exposes more tenants", "warning"),
            )
        ]
        judged, phase = rollout.judged, rollout.current
        if judged is None:
            rows += self.labelled("JUDGE", (span("not judged in this phase yet", "warning"),), width)
        else:
            sign = span(f"{OUTCOME_SIGN[judged.shown]} {OUTCOME_WORD[judged.shown]}", OUTCOME_ROLE[judged.shown])
            said = line(sign, span(f"  {judged.because}  "), *looked_span(rollout, judged, now))
            rows += self.labelled("JUDGE", cut(said, width - 7), width)
        if phase is not None and not rollout.enough:
            fresh = f"{part_of(rollout.fresh_seconds, phase.min_seconds)} of fresh data so far"
            rows += self.labelled("TIME", (span(fresh, "warning"),), width)
        if self.past:
            rows.append(line(span("! PAST THE VERDICT: the log will say so", "danger")))
        rows += self.checklist_rows(now)
        if self.refusal and (not self.unticked or not self.passes):
            rows += self.labelled("REFUSED", self.refusal, width)
        return rows
