"""The rollback sheet: which way back, by a playbook step by step or by undoing the newest change. The server says in a dry
run what would come of it; only then can it be confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flagconsole.console import confirmation as confirming
from flagconsole.console.actions import Action, Asked, Kind
from flagconsole.console.ages import moment_text
from flagconsole.console.confirmation import OTHER
from flagconsole.console.figures import minutes_text
from flagconsole.console.glyphs import ARROW
from flagconsole.console.impact import last_part, waited_words
from flagconsole.console.incident_view import restoration_line, run_rows
from flagconsole.console.incidents import of_flag
from flagconsole.console.line import BLANK, Line, cell, line, line_width, pad, wrapped
from flagconsole.console.playbooks import ORDER, PlaybookRow
from flagconsole.console.rows import ChangeRow, FlagRow, change_row, flag_row
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.sheets.fields import Field
from flagconsole.console.sheets.radius import radius_rows
from flagconsole.console.suggesting import with_suggestion
from flagconsole.console.verdicts import PLAYBOOK_OF
from flagconsole.console.widgets.env_bar import is_production
from flagconsole.domain.blast import BlastRadius, blast_radius
from flagconsole.domain.evaluation import Rule
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.domain.views import ChangeResult

REASONS: Final = ("error rate", "latency", "customer report", "wrong change", "drill", OTHER)
UNDO: Final = "undo"
#: The playbook that kills; the others end with the flag off.
_KILLING: Final = "kill_switch"
#: The inner width from which a playbook tells all of itself.
_ROOMY: Final = 76
_WORDS: Final = {"gradual": "gradual", "immediate": "immediate", "kill_switch": "kill switch"}


class RollbackSheet(ConfirmSheet):
    """Rolls a flag back: by undoing its newest change that is neither a rollback nor already rolled back, or by a playbook.

    ``undo_of`` is the user's own action that is to be undone: then that is the only way, and it may raise exposure.
    """

    kind = Kind.ROLLBACK
    border = "border_danger"

    def __init__(
        self,
        row: FlagRow,
        environment: str,
        suggestion: tuple[str, str] | None = None,
        playbook: str = "",
        undo_of: Action | None = None,
    ) -> None:
        self.reasons = with_suggestion(REASONS, suggestion)
        super().__init__(row, environment, ready=False)
        self.suggested = 1 if suggestion is not None else None
        self.playbook = playbook
        self.undo_of = undo_of
        self.undone: ChangeRow | None = None
        self.landing: FlagRow | None = None
        self.change: ChangeRow | None = None
        self.radius: BlastRadius | None = None

    @property
    def way(self) -> str:
        """The chosen way back: ``undo``, or a playbook's name."""
        return self.fields[0].value if self.fields else UNDO

    @property
    def does(self) -> str:  # type: ignore[override]
        """What ``Y`` does."""
        return "roll back" if self.way == UNDO else f"begin {_WORDS[self.way]}"

    def on_mount(self) -> None:
        """Offer the ways there are, and ask the server what the marked one would do."""
        known = self.console.state.playbooks
        # Where there is little room all ways stand in one row.
        undo = "undo the newest change" if self.screen.size.width >= _ROOMY else "undo newest"
        ways = [(UNDO, undo), *((name, _WORDS[name]) for name in ORDER if name in known)]
        if self.undo_of is None and len(ways) > 1:
            field = Field("WAY", tuple(ways))
            self.fields = [field.at(self.playbook) if self.playbook else field]
        super().on_mount()
        self.field_changed()

    def field_changed(self) -> None:
        """Ask what the chosen way would do; until that is known nothing can be confirmed."""
        self.kind = Kind.ROLLBACK if self.way == UNDO else Kind.PLAYBOOK
        self.refusal, self.change, self.radius = "", None, None
        self.confirmation = replace(self.confirmation, ready=False, painted_at=None, word=None)
        self.behind(self._ask, exclusive=True)

    async def _ask(self) -> None:
        """The dry run. A refusal is shown, and then there is nothing to confirm."""
        questions, way = self.console.session.questions, self.way
        if way == UNDO:
            allow = self.undo_of is not None
            result = await questions.dry_rollback(self.row.name, self.row.version, allow_raise=allow)
            if isinstance(result, str):
                self.refusal = result
            else:
                await self._count(result.flag.rule())
                self._take_result(result)
        else:
            self.refusal = await questions.dry_playbook(self.row.name, way)
            await self._count(self._at_worst(way))
            self.confirmation = confirming.repainted(self.confirmation, ready=not self.refusal)
        if self.is_attached:
            self.reframe()
            self.call_after_refresh(self.mark_painted)
            self.console.keys_changed()

    def _at_worst(self, playbook: str) -> Rule | None:
        """What is left of the flag when all steps of a playbook were needed."""
        rule = self.console.state.ruleset.rules.get(self.row.name)
        state = FlagState.KILL if playbook == _KILLING else FlagState.OFF
        return None if rule is None else rule._replace(state=state)

    async def _count(self, after: Rule | None) -> None:
        """Whom that reaches, beside the event loop."""
        state = self.console.state
        if after is not None and after.flag_name in state.ruleset.rules:
            now = self.console.server_now()
            self.radius = await asyncio.to_thread(blast_radius, state.ruleset, self.row.name, after, state.tenants, now)

    def _take_result(self, result: ChangeResult) -> None:
        self.landing = flag_row(result.flag.model_dump(mode="json"))
        self.change = None if result.change is None else change_row(result.change.model_dump(mode="json"))
        reverts = self.change.reverts if self.change is not None else ()
        self.undone = next((row for row in self.console.state.history if row.change_id in reverts), None)
        ready = result.changed and self.change is not None
        if self.undo_of is not None and self.undo_of.revision not in reverts:
            ready, self.refusal = False, "another change came after yours: R shows what a rollback would undo"
        self.confirmation = confirming.repainted(self.confirmation, ready=ready)
        if self.undo_of is not None and ready and is_production(self.environment):
            # What lowered exposure is taken back, so this may raise it.
            self.confirmation = replace(self.confirmation, word=last_part(self.row.name))
        if not ready and not self.refusal:
            self.refusal = "there is nothing that could be undone"

    def asked(self) -> Asked:
        """The way back."""
        if self.way != UNDO:
            return Asked(playbook=self.way)
        tenant = None if self.change is None else self.change.tenant_id
        return Asked(tenant_id=tenant, allow_raise=self.undo_of is not None)

    def is_own(self, now: FlagRow) -> bool:
        """The change that an undo takes back may reach this console after the answer to it did."""
        return self.undo_of is not None and now.last is not None and now.last.change_id == self.undo_of.revision

    def flag_moved(self, now: FlagRow) -> None:
        """Another change is the newest now: ask again what would be undone, on the version that is there."""
        self.row = now
        self.field_changed()

    # what is said

    def title(self) -> Line:
        """An undo says so."""
        if self.undo_of is None:
            return super().title()
        return line(span("UNDO", "strong"), *super().title()[1:])

    def facts(self, width: int) -> list[Line]:
        """What becomes what, or which steps there will be, how long they take, and who suggests it."""
        if self.way != UNDO:
            return self._playbook_rows(width)
        if self.refusal:
            return self.labelled("REFUSED", self.refusal, width)
        if self.change is None or self.landing is None:
            return [line(span("asking the server what would be undone …", "muted"))]
        change = self.change
        if change.tenant_id is not None:
            rows = [line(span(change.tenant_id, "strong"), span(f": {change.before} {ARROW} {change.after}"))]
        else:
            rows = [self.from_to(self.landing.setting)]
            rows += radius_rows(self.radius, len(self.console.state.tenants), width)
        rows += self.labelled("UNDOES", self._what(), width)
        expected = self.console.state.expected
        mute = sum(not row.can_confirm for row in expected)
        rows += self.labelled("SDKS", waited_words(len(expected), mute), width)
        rollout = self.console.state.rollouts.get(self.row.name)
        if rollout is not None and rollout.active:
            rows += self.labelled("THEN", "its rollout will pause: somebody changed the flag by hand", width)
        return [*rows, *self.incident_rows(width)]

    def _playbook_rows(self, width: int) -> list[Line]:
        playbook = self.console.state.playbooks[self.way]
        if self.refusal:
            return self.labelled("REFUSED", self.refusal, width)
        total = minutes_text(playbook.estimate_for(self.row.name))
        if width < _ROOMY:
            return self._short_playbook_rows(playbook, total, width)
        takes = line(span(f"about {total}", "strong"))
        said = line(*takes, span(f"   {playbook.description}", "muted"))
        rows = [said if line_width(said) <= width else takes]
        rows += radius_rows(self.radius, len(self.console.state.tenants), width, at_most=True)
        size = min(48, width - 16)
        for number, step in enumerate(playbook.steps, start=1):
            when = "  only if it is not better by then" if step.when == "not_improved" else ""
            rows.append(
                line(
                    span(f" {number} ", "muted"),
                    cell(step.title, size),
                    span(f"{minutes_text(step.estimate):>8}", "muted"),
                    span(when, "faint"),
                )
            )
        if self.playbook == self.way:
            rollout = self.console.state.rollouts.get(self.row.name)
            urgency = next((str(key.value) for key, name in PLAYBOOK_OF.items() if name == self.way), "")
            if rollout is not None and rollout.judged is not None and rollout.judged.failing is not None:
                rows += self.labelled("WHY", f"suggested: what fails is of {urgency} urgency", width)
        rows.append(line(span("the first step is done at once, the rest by the server: hiding stops nothing", "muted")))
        return [*rows, *self.incident_rows(width)]

    def _short_playbook_rows(self, playbook: PlaybookRow, total: str, width: int) -> list[Line]:
        """The same where there is little room: the steps and whom it reaches rather than what the playbook says of itself."""
        rows = [line(span(f"about {total}", "strong"), span(": step 1 at once, the rest by the server", "muted"))]
        rows += radius_rows(self.radius, len(self.console.state.tenants), width, at_most=True)
        for number, step in enumerate(playbook.steps, start=1):
            first, *more = wrapped(step.title, width - 12, most=2)
            took = span(f"{minutes_text(step.estimate):>9}", "muted")
            rows.append(line(span(f" {number} ", "muted"), *pad(first, width - 12), took))
            rows.extend(line("   ", *row) for row in more)
        return [*rows, *self.incident_rows(width)]

    def after_rows(self, width: int) -> Sequence[Line]:
        """The running playbook, step by step."""
        action, incident = self.action, of_flag(self.console.state.incidents, self.row.name)
        if action is None or action.accepted_at is None or incident is None:
            return ()
        now = self.console.server_now()
        rows = [BLANK, line(span(f"{incident.incident_id}  ", "strong"), *restoration_line(incident, now))]
        if incident.run is not None:
            rows += run_rows(incident.run, width, now)
        return [*rows, line(span("i", "key"), span(" all of the incident: steps to confirm, tenants, report", "muted"))]

    def tick(self) -> None:
        """Times run on."""
        self.reframe()

    def _what(self) -> str:
        undone, change = self.undone, self.change
        if undone is None:
            return "change " + ", ".join(map(str, change.reverts if change is not None else ()))
        at = moment_text(undone.at, self.console.server_now())
        return f"#{undone.change_id} {at}Z by {undone.who}: {undone.before} {ARROW} {undone.after} “{undone.reason}”"
