"""The rollback sheet: the server says in a dry run what would be undone; only then can it be confirmed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flagconsole.console import confirmation as confirming
from flagconsole.console.actions import Kind
from flagconsole.console.ages import moment_text
from flagconsole.console.confirmation import OTHER
from flagconsole.console.glyphs import ARROW
from flagconsole.console.line import Line, line
from flagconsole.console.rows import ChangeRow, FlagRow, change_row, flag_row
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet

if TYPE_CHECKING:
    from flagconsole.domain.views import ChangeResult


class RollbackSheet(ConfirmSheet):
    """Undoes a flag's newest change that is neither a rollback nor already rolled back."""

    kind = Kind.ROLLBACK
    reasons = ("error rate", "latency", "customer report", "wrong change", "drill", OTHER)
    does = "roll back"

    def __init__(self, row: FlagRow, environment: str) -> None:
        super().__init__(row, environment, ready=False)
        self.undone: ChangeRow | None = None
        self.landing: FlagRow | None = None
        self.change: ChangeRow | None = None
        self.refusal = ""

    def on_mount(self) -> None:
        """Ask the server what would be undone."""
        super().on_mount()
        self.run_worker(self._ask(), exclusive=True)

    async def _ask(self) -> None:
        """The dry run. A refusal is shown, and then there is nothing to confirm."""
        self.refusal, self.change = "", None
        result = await self.console.session.questions.dry_rollback(self.row.name, self.row.version)
        if isinstance(result, str):
            self.refusal = result
        else:
            self._take_result(result)
        if self.is_attached:
            self.reframe()
            self.call_after_refresh(self.mark_painted)
            self.console.keys_changed()

    def _take_result(self, result: ChangeResult) -> None:
        self.landing = flag_row(result.flag.model_dump(mode="json"))
        self.change = None if result.change is None else change_row(result.change.model_dump(mode="json"))
        reverts = self.change.reverts if self.change is not None else ()
        self.undone = next((row for row in self.console.state.history if row.change_id in reverts), None)
        ready = result.changed and self.change is not None
        self.confirmation = confirming.repainted(self.confirmation, ready=ready)
        if not ready:
            self.refusal = "there is nothing that could be undone"

    def flag_moved(self, now: FlagRow) -> None:
        """Another change is the newest now: ask again what would be undone, on the version that is there."""
        self.row = now
        self.confirmation = replace(self.confirmation, ready=False, painted_at=None)
        self.run_worker(self._ask(), exclusive=True)

    def facts(self, width: int) -> list[Line]:
        """What becomes what, and which change that undoes."""
        if self.refusal:
            return self.labelled("REFUSED", f" {self.refusal}", width)
        if self.change is None or self.landing is None:
            return [line(span("asking the server what would be undone …", "muted"))]
        change = self.change
        if change.tenant_id is not None:
            rows = [line(span(change.tenant_id, "strong"), span(f": {change.before} {ARROW} {change.after}"))]
        else:
            rows = [self.from_to(self.landing.setting)]
        rows += self.labelled("UNDOES", self._what(), width)
        rows += self.labelled("SDKS", f"{len(self.console.state.expected)} instances expected to confirm", width)
        return rows

    def _what(self) -> str:
        undone, change = self.undone, self.change
        if undone is None:
            return "change " + ", ".join(map(str, change.reverts if change is not None else ()))
        at = moment_text(undone.at, self.console.server_now())
        return f"#{undone.change_id} {at}Z by {undone.who}: {undone.before} {ARROW} {undone.after} “{undone.reason}”"
