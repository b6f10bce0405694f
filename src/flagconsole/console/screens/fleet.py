"""Fleet: all flags, live, with what matters about the selected one beside or below them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from textual import events
from textual.widget import Widget

from flagconsole.console import view
from flagconsole.console.arrival import arrival
from flagconsole.console.screens.console_screen import Handler
from flagconsole.console.screens.filtered_screen import FilteredScreen
from flagconsole.console.state import Order, Phase
from flagconsole.console.widgets.detail import DetailPane, DetailStrip
from flagconsole.console.widgets.flag_table import FlagTable
from flagconsole.console.widgets.fleet_charts import FleetCharts
from flagconsole.console.widgets.painted import Ground
from flagconsole.console.wish import Wish

#: From this size on the fleet has charts below its rows.
ROOMY_WIDTH: Final = 100
ROOMY_HEIGHT: Final = 40


class FleetScreen(FilteredScreen):
    """The overview."""

    name_in_keymap = "fleet"
    table: FlagTable

    def __init__(self) -> None:
        super().__init__()
        self.table = FlagTable()
        self._begun = False
        #: The flag that the cursor rested on last.
        self._measured: str | None = None

    def body(self) -> Iterable[Widget]:
        """Filter, table, detail."""
        yield self.filter_line
        yield Ground(Ground(self.table, FleetCharts(), id="beside"), DetailPane(), id="rows")
        yield DetailStrip()

    @property
    def filter_text(self) -> str:
        """The console's filter, which outlives this screen."""
        return self.console.state.filter_text

    @property
    def filter_hint(self) -> str:
        """What can be typed."""
        return view.FILTER_HELP

    @property
    def filter_counts(self) -> tuple[int, int]:
        """Flags."""
        return len(self.table.keys), len(self.console.state.flags)

    def set_filter(self, text: str) -> None:
        """Show the flags that pass."""
        self.console.state = replace(self.console.state, filter_text=text)
        self.table.resort()
        self.show(frozenset())

    def size_classes(self) -> dict[str, bool]:
        """Charts only where rows enough are left."""
        width, height = self.app.size
        return {**super().size_classes(), "-roomy": height >= ROOMY_HEIGHT and width >= ROOMY_WIDTH}

    def handlers(self) -> Mapping[str, Handler]:
        """What the fleet's own commands do."""
        table = self.table
        return {
            **table.row_handlers("fleet"),
            **self.filter_handlers(),
            "clear": self.clear,
            "order": self.sort,
            "problem": lambda _: self.next_problem(),
        }

    def target(self) -> str | None:
        """The flag under the cursor; none where the filter hides all of them: what nobody sees, nobody kills."""
        state = self.console.state
        return state.selected if self.table.keys or not state.filter_text else None

    def wish(self) -> Wish:
        """What was measured of the flag under the cursor, once it rests there: a held key asks for nothing on its way."""
        if not self.table.passing:
            self._measured = self.console.state.selected
        return Wish(self._measured)

    def clear(self, _: str) -> None:
        """Take away the filter, or else the tenant."""
        if self.console.state.filter_text:
            self.drop_filter()
        elif self.console.state.tenant is not None:
            self.console.choose_tenant(None)

    def next_problem(self) -> None:
        """Go to the next flag that needs attention, and say why it does."""
        state = self.console.state
        if self.table.next_problem():
            problem = self.console.state.problems[self.console.state.selected or ""]
            left = f"{len(state.problems)} need attention · " if len(state.problems) > 1 else ""
            self.console.say(f"{left}{self.console.state.selected}: {problem.why}")
        elif state.problems:
            self.console.say("the filter hides the flags that need attention: Esc shows all")
        elif state.rollouts_missing:
            self.console.say(f"rollouts and incidents: {state.rollouts_missing}; no other flag needs attention")
        else:
            behind = arrival(state.instances.values(), state.epoch, state.revision).behind
            more = f"; {len(behind)} instances are behind: 5 shows them" if behind else ""
            self.console.say(f"no flag needs attention{more}")

    def sort(self, order: str) -> None:
        """Sort by the next order, or by the one that is named."""
        known = {item.value: item for item in Order}
        chosen = known.get(order) or view.next_order(self.console.state.order)
        self.console.state = replace(self.console.state, order=chosen)
        self.table.resort()
        self.console.say(f"sorted by {'last change' if chosen is Order.CHANGED else chosen.value}")

    def close_sheet(self) -> None:
        """The row that was acted on stays where it is for a moment."""
        self.table.rest()
        super().close_sheet()

    def show(self, changed: frozenset[str]) -> None:
        """Rows first, since the panes show the one under the cursor."""
        self.table.refill(changed)
        self._begin_on_top()
        super().show(changed)

    def _begin_on_top(self) -> None:
        """A console that has just begun learns of rollouts after the flags. Until then, and until somebody has pressed a key,
        the cursor is on the first row: on what is most urgent, not on what happened to be known first."""
        state = self.console.state
        if self._begun or self.console.touched:
            return
        self._begun = state.caught_up and state.connection.phase is Phase.LIVE
        if self.table.keys and state.order is Order.URGENCY and state.past is None:
            self.table.select(self.table.keys[0])

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """While another screen was in front, changes went by unseen."""
        self.table.forget()
        super().on_screen_resume(event)

    def tick(self) -> None:
        """Ages and marks."""
        super().tick()
        self.table.tick()
        self.repaint(DetailPane, DetailStrip)
