"""The hold sheet: two pauses with two names, their end, or the rollout's end. None of it changes the flag."""

from __future__ import annotations

from flagconsole.console.actions import Asked, Kind
from flagconsole.console.canary_view import standing_line
from flagconsole.console.confirmation import OTHER
from flagconsole.console.line import Line, cut, line
from flagconsole.console.rollouts import RolloutRow
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.sheets.fields import Field

PAUSE, FREEZE, RESUME, ABORT = "pause", "freeze", "resume", "abort"
_WORDS = {
    PAUSE: "pause progression",
    FREEZE: "freeze exposure",
    RESUME: "resume",
    ABORT: "end the rollout",
}
_MEANS = {
    PAUSE: "nothing promotes it; it is judged on, and rolled back where it fails",
    FREEZE: "nothing promotes it, and nobody can raise the flag's exposure; rollbacks and kills still work",
    RESUME: "both pauses end; what somebody changed by hand meanwhile is taken as it is now",
    ABORT: "nobody tends it any more: no verdict, no promotion, no rollback; the flag stays as it is",
}


def ways_of(rollout: RolloutRow) -> list[str]:
    """What can be done with a rollout as it stands, the likeliest first."""
    ways = [RESUME] if rollout.progression_paused or rollout.exposure_frozen else [PAUSE]
    if not rollout.exposure_frozen:
        ways.append(FREEZE)
    return [*ways, ABORT]


class HoldSheet(ConfirmSheet):
    """Holds, resumes or ends a rollout."""

    kind = Kind.HOLD
    reasons = ("looking into it", "waiting for somebody", "change freeze", "it is understood", "drill", OTHER)

    def __init__(self, row: FlagRow, environment: str, rollout: RolloutRow) -> None:
        super().__init__(row, environment)
        self.rollout_id = rollout.rollout_id
        self.fields = [Field("DO", tuple((way, _WORDS[way]) for way in ways_of(rollout)))]
        self.field_changed()

    @property
    def way(self) -> str:
        """What is chosen."""
        return self.fields[0].value

    @property
    def does(self) -> str:  # type: ignore[override]
        """What ``Y`` does."""
        return _WORDS[self.way]

    def field_changed(self) -> None:
        """Another way is another action."""
        self.kind = {RESUME: Kind.RESUME, ABORT: Kind.ABORT}.get(self.way, Kind.HOLD)

    def asked(self) -> Asked:
        """Which pause."""
        return Asked(freeze=self.way == FREEZE)

    def facts(self, width: int) -> list[Line]:
        """How it stands, and what the chosen way means."""
        rollout = self.console.state.rollouts.get(self.row.name)
        if rollout is None or rollout.rollout_id != self.rollout_id or not rollout.active:
            return [line(span("this rollout has ended meanwhile", "warning"))]
        rows = [cut(line(span("NOW    ", "header"), *standing_line(rollout, self.console.server_now())[1:]), width)]
        role = "warning" if self.way == ABORT else "plain"
        return [*rows, line(span("MEANS  ", "header"), span(_MEANS[self.way], role))]
