"""The filter above a table: typed after ``/``, shown for as long as it hides rows."""

from __future__ import annotations

from typing import Protocol

from flagconsole.console.line import Line, line, spread
from flagconsole.console.safe import span
from flagconsole.console.text_entry import Entry
from flagconsole.console.widgets.painted import Painted


class Filtered(Protocol):
    """What is filtered: a screen."""

    @property
    def filter_text(self) -> str:
        """The filter that counts."""
        ...

    @property
    def filter_hint(self) -> str:
        """What can be typed."""
        ...

    @property
    def filter_counts(self) -> tuple[int, int]:
        """How many rows pass, of how many."""
        ...


class FilterLine(Painted):
    """One row; ``entry`` is the text being typed, None while it isn't being typed."""

    ground = "sheet"

    def __init__(self, filtered: Filtered) -> None:
        super().__init__()
        self._filtered = filtered
        self.entry: Entry | None = None

    def draw(self, width: int, height: int) -> list[Line]:
        """The filter and how many rows pass it."""
        filtered = self._filtered
        left = (
            self.entry.line(" filter> ", hint=filtered.filter_hint)
            if self.entry is not None
            else line(span(" filter ", "key"), span(filtered.filter_text, "field"), span("   Esc shows all", "muted"))
        )
        passing, known = filtered.filter_counts
        return [spread(left, line(span(f"{passing} of {known} ", "muted")), width)]
