"""The filter under the environment bar: typed after ``/``, shown for as long as it hides rows."""

from __future__ import annotations

from flagconsole.console.line import Line, line, spread
from flagconsole.console.safe import span
from flagconsole.console.text_entry import Entry
from flagconsole.console.view import FILTER_HELP
from flagconsole.console.widgets.painted import Painted


class FilterLine(Painted):
    """One row; ``entry`` is the text being typed, None while it isn't being typed."""

    ground = "sheet"

    def __init__(self) -> None:
        super().__init__()
        self.entry: Entry | None = None

    def draw(self, width: int, height: int) -> list[Line]:
        """The filter and how many flags pass it."""
        state = self.console.state
        left = (
            self.entry.line(" filter> ", hint=FILTER_HELP)
            if self.entry is not None
            else line(span(" filter ", "key"), span(state.filter_text, "field"), span("   Esc shows all", "muted"))
        )
        passing = len(self.console.shown())
        return [spread(left, line(span(f"{passing} of {len(state.flags)} ", "muted")), width)]
