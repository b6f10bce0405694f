"""Fleet: all flags, live, with what matters about the selected one beside or below them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from textual import events
from textual.containers import Horizontal
from textual.widget import Widget

from flagconsole.console import view
from flagconsole.console.keymap import TYPING_CONTEXTS, Command
from flagconsole.console.screens.console_screen import ConsoleScreen, Handler
from flagconsole.console.state import Order
from flagconsole.console.text_entry import Entry
from flagconsole.console.widgets.detail import DetailPane, DetailStrip
from flagconsole.console.widgets.filter_line import FilterLine
from flagconsole.console.widgets.flag_table import FlagTable


class FleetScreen(ConsoleScreen):
    """The overview."""

    name_in_keymap = "fleet"

    def body(self) -> Iterable[Widget]:
        """Filter, table, detail."""
        self.table = FlagTable()
        self.filter_line = FilterLine()
        yield self.filter_line
        yield Horizontal(self.table, DetailPane(), id="rows")
        yield DetailStrip()

    @property
    def context(self) -> str:
        """The sheet's, the filter's while it is typed, else the fleet's."""
        if self.sheet is None and self.filter_line.entry is not None:
            return "filtering"
        return super().context

    def handlers(self) -> Mapping[str, Handler]:
        """What the fleet's own commands do."""
        table = self.table
        return {
            **table.row_handlers("fleet"),
            "filter": self.begin_filter,
            "clear": self.clear,
            "order": self.sort,
            "filter.keep": lambda _: self.end_filter(),
            "filter.drop": lambda _: self.drop_filter(),
            "filter.down": lambda _: table.move(1),
            "filter.up": lambda _: table.move(-1),
        }

    def takes_text(self, event: events.Key, command: Command | None) -> bool:
        """While the filter is typed, all that isn't its own command is text."""
        entry = self.filter_line.entry
        if entry is None or self.context not in TYPING_CONTEXTS or command is not None:
            return False
        typed = entry.press(event.key, event.character)
        if typed is not None:
            self._filter(typed)
        return True

    def on_paste(self, event: events.Paste) -> None:
        """A paste goes into the filter while that is typed."""
        if self.sheet is None and self.filter_line.entry is not None:
            event.stop()
            self._filter(self.filter_line.entry.insert(event.text))
        else:
            super().on_paste(event)

    def begin_filter(self, text: str) -> None:
        """Type a filter, or take the given one."""
        if text:
            self._set_filter(text)
            return
        self.filter_line.entry = Entry.of(self.console.state.filter_text)
        self.show(frozenset())

    def end_filter(self) -> None:
        """Keep the filter as typed."""
        self.filter_line.entry = None
        self.show(frozenset())

    def drop_filter(self) -> None:
        """Show all flags again."""
        self.filter_line.entry = None
        self._set_filter("")

    def clear(self, _: str) -> None:
        """Take away the filter, or else the tenant."""
        if self.console.state.filter_text:
            self.drop_filter()
        elif self.console.state.tenant is not None:
            self.console.choose_tenant(None)

    def sort(self, order: str) -> None:
        """Sort by the next order, or by the one that is named."""
        known = {item.value: item for item in Order}
        chosen = known.get(order) or view.next_order(self.console.state.order)
        self.console.state = replace(self.console.state, order=chosen)
        self.table.resort()
        self.console.say(f"sorted by {'last change' if chosen is Order.CHANGED else chosen.value}")

    def _filter(self, entry: Entry) -> None:
        self.filter_line.entry = entry
        self._set_filter(entry.text)

    def _set_filter(self, text: str) -> None:
        self.console.state = replace(self.console.state, filter_text=text)
        self.table.resort()
        self.show(frozenset())

    def close_sheet(self) -> None:
        """The row that was acted on stays where it is for a moment."""
        self.table.rest()
        super().close_sheet()

    def show(self, changed: frozenset[str]) -> None:
        """Rows first, since the panes show the one under the cursor."""
        filtering = self.filter_line.entry is not None or bool(self.console.state.filter_text)
        self.set_class(filtering, "-filtered")
        self.table.refill(changed)
        super().show(changed)

    def on_screen_resume(self) -> None:
        """While another screen was in front, changes went by unseen."""
        self.table.forget()
        super().on_screen_resume()

    def tick(self) -> None:
        """Ages and marks."""
        super().tick()
        self.table.tick()
        self.repaint(DetailPane, DetailStrip)
