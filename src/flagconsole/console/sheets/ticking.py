"""The pre-canary checklist on a sheet: what is missing is ticked here, and written down together with what the sheet is for."""

from __future__ import annotations

from dataclasses import replace

from flagconsole.console.ages import ago_words
from flagconsole.console.glyphs import CURSOR
from flagconsole.console.keymap import Command
from flagconsole.console.line import Line, line
from flagconsole.console.rollouts import TickRow
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet


class TickingSheet(ConfirmSheet):
    """A sheet that can't be confirmed before the checklist is ticked. Nothing of it is sent before ``Y``: Esc leaves all as it was,
    and ``t`` takes a tick away again."""

    def __init__(self, row: FlagRow, environment: str) -> None:
        super().__init__(row, environment, ready=False)
        self.marked = 0
        #: What is ticked here, and nowhere else yet.
        self.ticked: frozenset[str] = frozenset()

    @property
    def asks_for_ticks(self) -> bool:
        """Whether what comes next is a canary, before which the checklist has to be complete."""
        raise NotImplementedError

    @property
    def checklist(self) -> tuple[TickRow, ...]:
        """The checklist, where it is asked for and something is left of it."""
        story = self.console.state.stories.get(self.row.name)
        return story.checklist if story is not None and self.asks_for_ticks and story.unticked else ()

    @property
    def unticked(self) -> tuple[str, ...]:
        """What is left of the checklist."""
        return tuple(tick.item for tick in self.checklist if tick.missing and tick.item not in self.ticked)

    @property
    def checked(self) -> bool:
        """Whether what was missing is ticked here: then it is written down with the rest."""
        return bool(self.checklist) and not self.unticked

    def waits_for(self) -> str:
        """What is left to tick, else what is asked."""
        left = len(self.unticked)
        return f"tick the {left} left of the checklist first: t, a" if left else super().waits_for()

    def offers(self, command: Command) -> bool:
        """Ticking while something isn't ticked anywhere else."""
        match command.id:
            case "sheet.tick" | "sheet.tick_all":
                return bool(self.checklist) and (command.id == "sheet.tick" or bool(self.unticked))
            case "sheet.next" | "sheet.previous" if self.checklist:
                return len(self.checklist) > 1
        return super().offers(command)

    def mark(self, steps: int) -> None:
        """Mark another item."""
        self.marked = (self.marked + steps) % max(1, len(self.checklist))

    def mark_missing(self) -> None:
        """Mark the next that is to be ticked, from the marked one on."""
        left = self.unticked
        places = [place for place, tick in enumerate(self.checklist) if tick.item in left]
        self.marked = next((place for place in places if place >= self.marked), places[0] if places else self.marked)

    def run_own(self, command: Command, at: float) -> None:
        """Tick, or take a tick away."""
        items = self.checklist
        if command.id == "sheet.tick" and items and items[self.marked].missing:
            self._tick(self.ticked ^ {items[self.marked].item})
        elif command.id == "sheet.tick_all" and items:
            self._tick(self.ticked | set(self.unticked))
        self.confirmation = replace(self.confirmation, last_key_at=at)

    def _tick(self, ticked: frozenset[str]) -> None:
        """Ask anew where that makes it complete, or no longer so."""
        before, more = self.checked, ticked > self.ticked
        self.ticked = ticked
        self.confirmation = replace(self.confirmation, note="")
        if more:
            self.mark_missing()
        if self.checked is not before:
            self.field_changed()

    def checklist_rows(self, now: float) -> list[Line]:
        """Each item with its box; who ticked it, or that it will be written down."""
        items = self.checklist
        if not items:
            return []
        said = "  before a canary; t ticks the marked one, a all; Y writes it down in your name"
        rows = [line(span("CHECKLIST", "header"), span(said, "muted"))]
        for place, tick in enumerate(items):
            here, missing = tick.item in self.ticked, tick.missing and tick.item not in self.ticked
            by = f"  {tick.by}, {ago_words(now - tick.at)}" if tick.by and tick.at is not None else ""
            by = by or ("  the store knows it" if tick.known else "  not sent yet" if here and tick.missing else "")
            sign = span("[ ] " if missing else "[✓] ", "warning" if missing else "good")
            mark = span(f"{CURSOR if place == self.marked else ' '} ", "key")
            rows.append(line(mark, sign, span(tick.item), span(by, "muted")))
        return rows
