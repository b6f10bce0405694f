"""The sheet that arms a kill while there is no connection: ``a``, a digit, ``Y``. It sends nothing."""

from __future__ import annotations

from flagconsole.console.ages import age_text, clock_text
from flagconsole.console.arming import ARMED_SECONDS, Armed
from flagconsole.console.glyphs import ARROW
from flagconsole.console.line import Line, line
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.sheets.kill import KillSheet
from flagconsole.console.widgets.env_bar import environment_word


class ArmSheet(ConfirmSheet):
    """Arms a kill of the flag as it was last known."""

    kind = KillSheet.kind
    border = "border_danger"
    reasons = KillSheet.reasons
    does = "arm it for 5 minutes"

    def __init__(self, row: FlagRow, environment: str) -> None:
        super().__init__(row, environment)

    def title(self) -> Line:
        """That it is armed, not sent."""
        where = environment_word(self.environment) or "an unnamed environment"
        return line(span("ARM A KILL", "danger"), " ", span(self.row.name, "strong"), span(f"  in {where}"))

    def closing_note(self) -> str:
        """Nothing is sent."""
        return "Esc cancel · nothing is sent from here"

    def facts(self, width: int) -> list[Line]:
        """What was last known, and what arming means."""
        connection = self.console.state.connection
        if connection.fresh_at is None:
            known = "its age isn't known"
        else:
            age = self.console.clock.monotonic() - connection.fresh_at
            known = f"as of {clock_text(self.console.server_now() - age)}Z, {age_text(age)} ago"
        minutes = int(ARMED_SECONDS // 60)
        return [
            line(span(f"{self.row.setting} (v{self.row.version})", "strong"), span(f"  {known}", "warning")),
            line(span("THEN   ", "header"), "nothing is sent now, and nothing ever by itself"),
            line(span(" " * 7), f"connected within {minutes} minutes {ARROW} it shows what changed, asks again"),
            line(span(" " * 7), "later, or when this console ends: it is forgotten"),
        ]

    def _begin(self, reason: str) -> None:
        console = self.console
        state = console.state
        armed = Armed(
            self.row,
            self.environment,
            reason,
            state.epoch,
            state.revision,
            console.clock.monotonic(),
            console.server_now(),
        )
        console.close_sheet()
        console.arming.arm(armed)
