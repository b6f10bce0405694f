"""What stands above and below the canary dashboard's charts."""

from __future__ import annotations

from typing import Final

from flagconsole.console import canary_events, canary_view
from flagconsole.console.comparisons import compared
from flagconsole.console.line import Line, cut, line
from flagconsole.console.safe import span
from flagconsole.console.widgets.banner import Banner
from flagconsole.console.widgets.painted import Painted
from flagconsole.console.widgets.rollout_pane import missing_line
from flagconsole.domain.states import FlagState

#: Screens from this height on have room for all criteria; lower ones show the first few in full.
TALL: Final = 32
FEW_CRITERIA: Final = 4


class CanaryHead(Painted):
    """Flag, phases, standing, criteria, verdict. As high as it needs to be."""

    def __init__(self, flag_name: str) -> None:
        super().__init__()
        self.flag_name = flag_name
        #: Rows that an open sheet takes; 0 while none is open.
        self.sheet_height = 0

    def rows(self, width: int) -> list[Line]:
        """All rows."""
        console = self.console
        state, now = console.state, console.server_now()
        flag, rollout = state.flags.get(self.flag_name), state.rollouts.get(self.flag_name)
        if flag is None:
            return [line(span(f" {self.flag_name}", "strong"), span("  is archived", "warning"))]
        rows = [canary_view.title_line(flag, rollout, width)]
        if flag.state is FlagState.KILL:
            rows.append(
                line(span(" ■ KILLED for everyone", "state_kill"), span("   only a revive (V) clears it", "muted"))
            )
        if state.rollouts_missing:
            rows.append(line(" ", *missing_line(state.rollouts_missing)))
            if rollout is None:
                return rows
        if rollout is None:
            return [*rows, *canary_view.no_rollout_rows(flag, console.powers().administer)]
        short = self.screen.size.height < TALL
        brief = short and self.sheet_height > 0
        rows.append(canary_view.rail_line(rollout, width))
        rows += canary_view.standing_rows(rollout, now, flag, width, 1 if brief else 4)
        if not short:
            rows.append(line(span("─" * width, "faint")))
        rows += canary_view.criteria_rows(state, rollout, now, width, FEW_CRITERIA if short else None)
        rows += canary_view.verdict_rows(state, rollout, now, width, 1 if brief else 3)
        words = compared(rollout.current) if rollout.active and not short else ""
        return [*rows, cut(line(span(f"   {words}", "muted")), width)] if words else rows

    def fit(self) -> None:
        """Take the height that is needed; no more than leaves room for what an open sheet needs, else for a chart."""
        size = self.screen.size
        others = self.sheet_height + (2 if size.height < TALL else 7) if self.sheet_height else 9
        others += sum(banner.rows_taken for banner in self.screen.query(Banner))
        self.styles.height = max(1, min(len(self.rows(size.width)), size.height - others))

    def repaint(self) -> None:
        """Draw anew, in the height that is needed now."""
        if self.is_attached:
            self.fit()
        super().repaint()

    def draw(self, width: int, height: int) -> list[Line]:
        """The rows."""
        return self.rows(width)


class CanaryFoot(Painted):
    """Receipts, and what happened last."""

    def __init__(self, flag_name: str) -> None:
        super().__init__()
        self.flag_name = flag_name

    def draw(self, width: int, height: int) -> list[Line]:
        """The bar, a rule, events."""
        console = self.console
        state, now = console.state, console.server_now()
        receipts = canary_events.receipts_line(state, now, width)
        if height < 4:
            return [receipts, *canary_events.event_rows(state, self.flag_name, now, height - 1)]
        rule = line(span("─" * width, "faint"))
        return [receipts, rule, *canary_events.event_rows(state, self.flag_name, now, height - 2)]
