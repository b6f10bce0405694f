"""The revive sheet: clears a kill. It raises exposure, so in production the flag's last name part is typed."""

from __future__ import annotations

from flagconsole.console.actions import Kind
from flagconsole.console.ages import moment_text
from flagconsole.console.confirmation import OTHER
from flagconsole.console.impact import last_part
from flagconsole.console.incidents import of_flag
from flagconsole.console.line import Line, line
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.widgets.env_bar import is_production


class ReviveSheet(ConfirmSheet):
    """Revives a killed flag, to ``off``."""

    kind = Kind.REVIVE
    reasons = ("fixed and verified", "false alarm", "killed by mistake", "drill is over", "owner asked for it", OTHER)
    does = "revive to off"

    def __init__(self, row: FlagRow, environment: str) -> None:
        super().__init__(row, environment, word=last_part(row.name) if is_production(environment) else None)

    def facts(self, width: int) -> list[Line]:
        """Who killed it and why, and where it lands."""
        last, now = self.row.last, self.console.server_now()
        rows = [line(*self.from_to("off for everyone"), span("   its rollout does not restart", "muted"))]
        if last is not None and last.action == "killed":
            killed = f"{moment_text(last.at, now)}Z by {last.who}: “{last.reason}”; it was {last.before}"
            rows += self.labelled("KILLED", killed, width)
        rows += self.labelled("NEXT", "turning it on again is a change of its own", width)
        if (row := of_flag(self.console.state.incidents, self.row.name)) is not None:
            rows += self.labelled("INCID.", f"{row.incident_id} stays open until somebody closes it", width)
        return rows

    def after_rows(self, width: int) -> list[Line]:
        """How the incident ends, which a revive doesn't."""
        row, action = of_flag(self.console.state.incidents, self.row.name), self.action
        if row is None or action is None or not action.changed:
            return []
        way = line(span(f"{row.incident_id} stays open: ", "warning"), span("i", "key"), " shows it, there ",
                   span("X", "key"), " closes it")  # fmt: skip
        return [way]

    def flag_moved(self, now: FlagRow) -> None:
        """A revive is refused on an old version, so it has to be looked at again from the start."""
        super().flag_moved(now)
        from dataclasses import replace

        self.over = True
        self.confirmation = replace(self.confirmation, ready=False, note="close this and look again")
