"""The flag table: virtual (only what is seen is drawn), with a cursor that follows the flag's name.

While the cursor moves, or a sheet is open, rows keep their places; live sorting comes back when it rests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len
from textual import events

from flagconsole.console import view
from flagconsole.console.ages import ago
from flagconsole.console.glyphs import CURSOR, STATE_GLYPH, STATE_ROLE
from flagconsole.console.line import BLANK, Line, cell, line
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import Span, span
from flagconsole.console.state import ConsoleState, Order, Phase, Reach
from flagconsole.console.widgets.painted import Painted

#: Seconds for which the rows stay where they are after the cursor moved.
REST: Final = 3.0
#: Seconds for which a row that has just changed is marked.
MARKED: Final = 3.0

#: Seconds for which a change counts as fresh.
FRESH: Final = 60.0

#: Fewer cells than this say nothing of a reason.
LEAST_REASON: Final = 10

_SHORT_TYPE: Final = {"domain": "dom", "feature": "feat", "experiment": "exp", "kill_switch": "kill"}


class Column(NamedTuple):
    """A column: its id, its heading, its width in cells, and whether its values stand at the right."""

    id: str
    heading: str
    width: int
    right: bool = False


def columns(width: int, longest_name: int) -> list[Column]:
    """The columns for a table of ``width`` cells. What matters less gives way first; the reason takes what is left."""
    name = max(20, min(longest_name, 48 if width >= 130 else 30))
    wide = width >= 110
    # The number says which goes first where room is short; 0 stays.
    wanted = [
        (0, Column("name", "FLAG", name)),
        (0, Column("state", "STATE", 8)),
        (0, Column("percentage", "%", 4, True)),
        (1, Column("reach", "TENANTS" if wide else "REACH", 7 if wide else 5, True)),
        (5, Column("dependents", "DEP", 3, True)),
        (4, Column("type", "TYPE", 11 if wide else 4)),
        (1, Column("when", "WHEN", 4, True)),
        (2, Column("who", "WHO", 16 if width >= 130 else 12 if wide else 7)),
        (3, Column("why", "WHY", LEAST_REASON)),
    ]
    while _needed(wanted) > width and any(spare for spare, _ in wanted):
        most = max(spare for spare, _ in wanted)
        wanted = [item for item in wanted if item[0] != most]
    chosen = [column for _, column in wanted]
    left = width - _needed(wanted)
    if chosen[-1].id == "why":
        chosen[-1] = chosen[-1]._replace(width=chosen[-1].width + left)
    elif left < 0:
        chosen[0] = chosen[0]._replace(width=max(8, chosen[0].width + left))
    return chosen


def _needed(wanted: Sequence[tuple[int, Column]]) -> int:
    return 1 + sum(column.width + 1 for _, column in wanted)


def heading(shape: Sequence[Column], order: Order) -> Line:
    """The table's heading; the column that it is sorted by is underlined by a mark."""
    sorted_by = {Order.NAME: "name", Order.STATE: "state", Order.CHANGED: "when"}[order]
    parts: list[Span] = [span(" ")]
    for column in shape:
        role = "strong" if column.id == sorted_by else "header"
        parts.extend((span(" "), cell(column.heading, column.width, role, right=column.right)))
    return tuple(parts)


class Look(NamedTuple):
    """What a row's look depends on besides the flag: how many flags need it, tenants reached, the server's time, marks."""

    needed_by: int
    reach: Reach | None
    now: float
    marked: bool
    cursor: bool


def flag_line(row: FlagRow, shape: Sequence[Column], look: Look) -> Line:
    """One flag's row."""
    parts: list[Span] = [span(CURSOR if look.cursor else " ", "key")]
    for column in shape:
        parts.extend((span(" "), _cell(row, column, look)))
    return tuple(parts)


def _cell(row: FlagRow, column: Column, look: Look) -> Span:
    last, width = row.last, column.width
    match column.id:
        case "name":
            return cell(row.name, width, "changed" if look.marked else "plain")
        case "state":
            return cell(f"{STATE_GLYPH[row.state]} {row.state.value}", width, STATE_ROLE[row.state])
        case "percentage":
            return cell(f"{row.percentage}%" if row.state.value == "canary" else "", width, "plain", right=True)
        case "reach":
            role = "plain" if look.reach is not None and look.reach.enabled else "faint"
            return cell("" if look.reach is None else look.reach.enabled, width, role, right=True)
        case "dependents":
            return cell(look.needed_by or "", width, "muted", right=True)
        case "type":
            return cell(row.flag_type if width > 4 else _SHORT_TYPE.get(row.flag_type, row.flag_type), width, "muted")
        case "when":
            fresh = look.marked and last is not None and look.now - last.at < FRESH
            return cell(
                "" if last is None else ago(look.now - last.at), width, "strong" if fresh else "muted", right=True
            )
        case "who":
            return cell("" if last is None else last.who, width, "muted")
        case _:
            return cell("" if last is None else _why(row), width, "plain")


def _why(row: FlagRow) -> str:
    if row.last is None:
        return ""
    return row.last.reason if row.last.tenant_id is None else f"{row.last.reason} ({row.last.tenant_id})"


def dependent_counts(state: ConsoleState) -> dict[str, int]:
    """How many flags need each flag, directly or through others: counted once for all rows."""
    counts: dict[str, int] = {}
    for name in state.flags:
        for needed in state.ruleset.closure(name):
            counts[needed] = counts.get(needed, 0) + 1
    return counts


class FlagTable(Painted):
    """The table with its heading. ``shown`` are the names of its rows in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: tuple[str, ...] = ()
        self._top = 0
        self._moved_at = float("-inf")
        self._marked: dict[str, float] = {}
        self._longest_name = 20
        self._source: tuple[object, ...] = ()
        self._dependents: Mapping[str, int] = {}

    def refill(self, changed: frozenset[str] = frozenset()) -> None:
        """Take the rows from the app's state anew and keep the cursor on its flag."""
        console = self.console
        at = console.clock.monotonic()
        if self.shown:
            self._marked.update((name, at) for name in changed)
        state, before = console.state, self.shown
        source = (state.flags, state.filter_text, state.order, self.resting)
        if source != self._source or changed:
            self.shown = view.resting(before, state) if self.resting and before else view.visible(state)
            self._longest_name = max((cell_len(name) for name in state.flags), default=20)
            self._source = source
            self._dependents = dependent_counts(state)
        console.state = view.settle(state, self.shown, before)
        self.repaint()

    def rest(self) -> None:
        """Keep the rows in their places for a moment: the user has just acted on one."""
        self._moved_at = self.console.clock.monotonic()

    def resort(self) -> None:
        """Put the rows into their order at once: the user asked for it."""
        self._moved_at = float("-inf")
        self._source = ()
        self.refill()

    @property
    def resting(self) -> bool:
        """Whether rows keep their places for now."""
        return self.console.sheet_open or self.console.clock.monotonic() - self._moved_at < REST

    def move(self, rows: int) -> None:
        """Move the cursor ``rows`` down, or up where negative."""
        console = self.console
        self._moved_at = console.clock.monotonic()
        console.state = view.moved(console.state, self.shown, rows)
        console.selection_changed()
        self.repaint()

    @property
    def page(self) -> int:
        """How many rows a page has."""
        return max(1, self.size.height - 2)

    def tick(self) -> None:
        """Let marks fade, ages grow, and the order come back once the cursor rests."""
        limit = self.console.clock.monotonic() - MARKED
        self._marked = {name: at for name, at in self._marked.items() if at > limit}
        self.refill()

    def draw(self, width: int, height: int) -> list[Line]:
        """The heading and as many rows as there is room for, with the cursor's among them."""
        state, console = self.console.state, self.console
        shape = columns(width, self._longest_name)
        room = max(0, height - 1)
        position = self.shown.index(state.selected) if state.selected in self.shown else 0
        self._top = max(0, min(self._top, position, max(0, len(self.shown) - room)))
        if room and position >= self._top + room:
            self._top = position - room + 1
        now = console.clock.time() + state.connection.skew
        rows = [heading(shape, state.order)]
        for name in self.shown[self._top : self._top + room]:
            row = state.flags.get(name)
            look = Look(
                self._dependents.get(name, 0), state.reach.get(name), now, name in self._marked, name == state.selected
            )
            rows.append(BLANK if row is None else flag_line(row, shape, look))
        return rows if self.shown else [*rows, *empty_table(state)]

    def ground_of(self, row: int) -> str:
        """The row under the cursor has a ground of its own."""
        index = self._top + row - 1
        here = row > 0 and index < len(self.shown) and self.shown[index] == self.console.state.selected
        return "cursor" if here else "screen"

    def on_click(self, event: events.Click) -> None:
        """Select the row that was clicked (with ``--mouse``)."""
        index = self._top + event.y - 1
        if event.y > 0 and index < len(self.shown):
            position = self.shown.index(self.console.state.selected) if self.console.state.selected in self.shown else 0
            self.move(index - position)

    def on_mouse_scroll_down(self) -> None:
        """Move down (with ``--mouse``)."""
        self.move(3)

    def on_mouse_scroll_up(self) -> None:
        """Move up (with ``--mouse``)."""
        self.move(-3)


def empty_table(state: ConsoleState) -> list[Line]:
    """What a table without rows says."""
    if state.filter_text and state.flags:
        return [BLANK, line("  no flag passes the filter ", span(state.filter_text, "strong"), "   Esc shows all")]
    if state.loaded:
        return [BLANK, line("  there are no flags in this store yet: "), line("  flagconsole init --catalogue thorbis")]
    if state.connection.phase is Phase.CONNECTING:
        return [BLANK, line(span("  connecting …", "muted"))]
    return [BLANK, line(span("  no data: the server hasn't been reached yet", "muted"))]
