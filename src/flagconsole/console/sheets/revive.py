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


def _next_words(*, ended: bool) -> str:
    """What there is to do after it: a revive gives nobody the feature."""
    anew = ", B begins a rollout anew" if ended else ""
    return f"nobody has it until somebody turns it on: S sets its state{anew}"


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
        rollout = self.console.state.rollouts.get(self.row.name)
        ended = rollout is not None and rollout.status == "killed"
        note = "   its rollout does not restart" if ended else ""
        rows = [line(*self.from_to("off for everyone"), span(note, "muted"))]
        if last is not None and last.action == "killed":
            killed = f"{moment_text(last.at, now)}Z by {last.who}: “{last.reason}”; it was {last.before}"
            rows += self.labelled("KILLED", killed, width)
        rows += self.labelled("NEXT", _next_words(ended=ended), width)
        if (row := of_flag(self.console.state.incidents, self.row.name)) is not None:
            rows += self.labelled("INCID.", f"{row.incident_id} stays open until somebody closes it", width)
        return rows

    def after_rows(self, width: int) -> list[Line]:
        """How the incident ends, which a revive doesn't."""
        row, action = of_flag(self.console.state.incidents, self.row.name), self.action
        if action is None or not action.changed or action.accepted_at is None:
            return []
        still = line(
            span("off for everyone: ", "warning"), "after ", span("x", "key"), ", ", span("S", "key"), " sets its state"
        )
        if row is None:
            return [still]
        way = line(span(f"{row.incident_id} stays open: ", "warning"), span("i", "key"), " shows it, there ",
                   span("X", "key"), " closes it")  # fmt: skip
        return [still, way]

    def flag_moved(self, now: FlagRow) -> None:
        """A revive is refused on an old version, so it has to be looked at again from the start."""
        super().flag_moved(now)
        from dataclasses import replace

        self.over = True
        self.confirmation = replace(self.confirmation, ready=False, note="close this and look again")
