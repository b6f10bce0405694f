"""The flag table: virtual (only what is seen is drawn), with a cursor that follows the flag's name.

While the cursor moves, or a sheet is open, rows keep their places; live sorting comes back when it rests.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rich.cells import cell_len

from flagconsole.console import view
from flagconsole.console.ages import ago
from flagconsole.console.attention import Problem
from flagconsole.console.figures import UNKNOWN
from flagconsole.console.glyphs import EMPTY, STATE_GLYPH, STATE_ROLE
from flagconsole.console.guards import error_rate, guard_span, phase_span
from flagconsole.console.line import BLANK, Line, cell, line
from flagconsole.console.rollouts import RolloutRow
from flagconsole.console.roster import Roster
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import Span, span
from flagconsole.console.seen import is_unseen
from flagconsole.console.state import ConsoleState, Order, Phase, Reach
from flagconsole.console.widgets.virtual_table import Column, VirtualTable, fitted, heading_line, row_line

#: Seconds for which the rows stay where they are after the cursor moved.
REST: Final = 3.0
#: Seconds that the cursor must stay on a flag before more is asked about it.
PASSING: Final = 0.15
#: Seconds for which a row that has just changed is marked.
MARKED: Final = 3.0

#: Seconds for which a change counts as fresh.
FRESH: Final = 60.0

#: Fewer cells than this say nothing of a reason.
LEAST_REASON: Final = 10
#: A reason of so many cells mostly says all: the flag's type, which the pane tells too, and long names of people are shown
#: beside such a one only; the limit, which it tells as well, beside one of so many.
FULL_REASON: Final = 30
SHORT_REASON: Final = 20
#: The cells of who made a change: whole in most cases, and whole for the server itself (``controller``).
LONG_WHO: Final = 16
SHORT_WHO: Final = 12

_SORTED_BY: Final = {Order.NAME: "name", Order.STATE: "state", Order.CHANGED: "when", Order.URGENCY: "guard"}


@lru_cache(16)
def columns(width: int, longest_name: int) -> Sequence[Column]:
    """The columns for a table of ``width`` cells. What matters less gives way first; the reason takes what is left. The mark
    of what is new has its cell whether anything is or not: columns never move."""
    if width < 130:
        return _columns(width, longest_name, typed=width >= 110)
    found: Sequence[Column] = ()
    for who, typed in ((LONG_WHO, True), (LONG_WHO, False), (SHORT_WHO, False)):
        found = _columns(width, longest_name, typed=typed, who=who)
        if _reason(found) >= FULL_REASON:
            return found
    if _reason(found) >= SHORT_REASON:
        return found
    return _columns(width, longest_name, typed=False, limited=False)


def _reason(columns: Sequence[Column]) -> int:
    return next((column.width for column in columns if column.id == "why"), 0)


def _columns(
    width: int, longest_name: int, *, typed: bool, who: int = SHORT_WHO, limited: bool = True
) -> Sequence[Column]:
    name = max(20, min(longest_name, 48 if width >= 130 else 30 if width >= 88 else 24))
    wide = width >= 110
    return fitted(
        [
            Column("name", "FLAG", name, grows=width < 110),
            Column("new", "", 1),
            Column("state", "STATE", 8),
            Column("percentage", "%", 4, right=True),
            Column("phase", "PHASE", 15 if wide else 12, spare=4),
            Column("guard", "GUARD", 10),
            Column("error", "ERR%", 5, right=True, spare=1),
            *([Column("limit", "LIMIT", 6, right=True, spare=5)] if limited else []),
            Column("reach", "TENANTS" if wide else "REACH", 7 if wide else 5, right=True, spare=1),
            Column("dependents", "DEP", 3, right=True, spare=2),
            *([Column("type", "TYPE", 11, spare=8)] if typed else []),
            Column("when", "WHEN", 4, right=True, spare=3),
            Column("who", "WHO", who if wide else 7, spare=6),
            Column("why", "WHY", LEAST_REASON, spare=7, grows=True),
        ],
        width,
    )


class Look(NamedTuple):
    """What a row's look depends on besides the flag: how many flags need it, tenants reached, rollout and problem, the
    server's time, marks; why rollouts aren't known."""

    needed_by: int
    reach: Reach | None
    rollout: RolloutRow | None
    problem: Problem | None
    now: float
    marked: bool
    cursor: bool
    new: bool = False
    missing: str = ""


def flag_line(row: FlagRow, shape: Sequence[Column], look: Look) -> Line:
    """One flag's row."""
    return row_line([_cell(row, column, look) for column in shape], cursor=look.cursor)


def _cell(row: FlagRow, column: Column, look: Look) -> Span:
    last, width = row.last, column.width
    match column.id:
        case "name":
            return cell(row.name, width, "changed" if look.marked else "plain")
        case "new":
            return cell(EMPTY if look.new else "", width, "changed")
        case "state":
            return cell(f"{STATE_GLYPH[row.state]} {row.state.value}", width, STATE_ROLE[row.state])
        case "percentage":
            return cell(f"{row.percentage}%" if row.state.value == "canary" else "", width, "plain", right=True)
        case "phase":
            if look.problem is not None and look.problem.stage:
                return cell(look.problem.stage, width, look.problem.role)
            shown = phase_span(row, look.rollout, look.now, short=width < 15, missing=bool(look.missing))
            return cell(shown.text, width, shown.role)
        case "guard":
            shown = guard_span(look.problem, look.rollout, look.missing)
            return cell(shown.text, width, shown.role)
        case "error" | "limit" if look.missing:
            return cell(UNKNOWN, width, "faint", right=True)
        case "error":
            rate = error_rate(look.rollout)
            return cell(
                rate.text, width, "danger" if rate.over else "plain" if rate.value is not None else "faint", right=True
            )
        case "limit":
            return cell(error_rate(look.rollout).limit_text, width, "muted", right=True)
        case "reach":
            role = "plain" if look.reach is not None and look.reach.enabled else "faint"
            return cell("" if look.reach is None else look.reach.enabled, width, role, right=True)
        case "dependents":
            return cell(look.needed_by or "", width, "muted", right=True)
        case "type":
            return cell(row.flag_type, width, "muted")
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


class FlagTable(VirtualTable[str]):
    """The table with its heading; its keys are the flags' names."""

    def __init__(self) -> None:
        super().__init__()
        self._roster = Roster()
        self._moved_at = float("-inf")
        self._left_at = float("-inf")
        #: The flags that ``next_problem`` was on since it began, newest last.
        self._toured: list[str] = []
        self._marked: dict[str, float] = {}
        self._longest_name = 20
        self._source: tuple[object, ...] = ()
        self._members = 0
        #: The rows as they were drawn last, each with all that its look depends on; and those that are being drawn.
        self._before: dict[str, tuple[tuple[object, ...], Line]] = {}
        self._drawing: dict[str, tuple[tuple[object, ...], Line]] = {}

    @property
    def selected(self) -> str | None:
        """The flag under the cursor: the console's, since every screen is about it."""
        return self.console.state.selected

    def select(self, key: str | None) -> None:
        """Choose a flag. A filter that hides all rows doesn't unchoose one."""
        state = self.console.state
        if key is not None or state.selected not in state.flags:
            self.console.state = view.select(state, key)

    def moved(self) -> None:
        """Rows rest for a while, and the panes show another flag."""
        self._left_at = time.monotonic()
        self.rest()
        self.console.selection_changed()

    @property
    def passing(self) -> bool:
        """Whether the cursor is on its way: whoever goes through the rows doesn't look at each flag."""
        return time.monotonic() - self._left_at < PASSING

    def refill(self, changed: frozenset[str] = frozenset()) -> None:
        """Take the rows from the app's state anew and keep the cursor on its flag; they are painted by ``repaint``."""
        console = self.console
        at, state = console.clock.monotonic(), console.state
        if self.keys:
            self._marked.update((name, at) for name in changed)
        source = (state.filter_text, state.order, state.flags)
        if source[:2] != self._source[:2] or (state.flags is not self._source[2] and not changed):
            self._roster.rebuild(state)
            self._longest_name = max(map(cell_len, state.flags), default=20)
        elif changed:
            self._roster.update(state, changed)
            self._longest_name = max(self._longest_name, *map(cell_len, changed & state.flags.keys()), 0)
        self._source = source
        self._arrange()

    def _arrange(self) -> None:
        """Show the rows in their order, or in that of the screen for as long as they rest."""
        roster = self._roster
        if not self.resting or not self.keys:
            self.take(roster.names)
        elif roster.members != self._members:
            self.take(view.resting(self.keys, roster.names))
        self._members = roster.members

    def forget(self) -> None:
        """Nobody knows what changed while the table wasn't seen: take all rows anew the next time."""
        self._source = ()

    def next_problem(self) -> bool:
        """Put the cursor on the flag that needs attention most, and called again on the next most urgent that it wasn't on
        yet; False where none of those shown needs any."""
        problems, here = self.console.state.problems, self.position
        places = {name: place for place, name in enumerate(self.keys) if name in problems} if problems else {}
        if not places:
            return False
        if not self._toured or self.console.state.selected != self._toured[-1]:
            self._toured = []  # somebody went elsewhere meanwhile: begin anew
        ordered = sorted(places, key=lambda name: (problems[name].rank, places[name]))
        left = [name for name in ordered if name not in self._toured]
        if not left:
            self._toured, left = [], ordered
        self._toured.append(left[0])
        self.move(places[left[0]] - here)
        return True

    def rest(self) -> None:
        """Keep the rows in their places for a moment: the user has just acted on one."""
        self._moved_at = self.console.clock.monotonic()

    def resort(self) -> None:
        """Put the rows into their order at once: the user asked for it."""
        self._moved_at = float("-inf")
        self.forget()
        self.refill()
        self.repaint()

    @property
    def resting(self) -> bool:
        """Whether rows keep their places for now."""
        return self.console.sheet_open or self.console.clock.monotonic() - self._moved_at < REST

    def tick(self) -> None:
        """Let marks fade, ages grow, and the order come back once the cursor rests."""
        limit = self.console.clock.monotonic() - MARKED
        self._marked = {name: at for name, at in self._marked.items() if at > limit}
        self.refill()
        self.repaint()

    def draw(self, width: int, height: int) -> list[Line]:
        """The rows in view; those that look as they did are taken as they were."""
        self._before, self._drawing = self._drawing, {}
        return super().draw(width, height)

    def shape(self, width: int) -> Sequence[Column]:
        """The columns."""
        return columns(width, self._longest_name)

    def heading(self, shape: Sequence[Column]) -> Line:
        """The columns' names."""
        return heading_line(shape, _SORTED_BY[self.console.state.order])

    def row(self, key: str, shape: Sequence[Column], *, cursor: bool) -> Line:
        """One flag."""
        state = self.console.state
        row = state.flags.get(key)
        if row is None:
            return BLANK
        reach, needed_by = state.reach.get(key), len(state.ruleset.needed_by.get(key, ()))
        now, marked = self.console.server_now(), key in self._marked
        problem, new = state.problems.get(key), is_unseen(state, row)
        rollout, missing = state.rollouts.get(key), state.rollouts_missing
        # Most rows look as they did a moment ago. Ages grow by the second.
        seen = (row, shape, needed_by, reach, rollout, problem, int(now), marked, cursor, new, missing)
        known = self._before.get(key)
        if known is None or known[0] != seen:
            look = Look(needed_by, reach, rollout, problem, now, marked, cursor, new, missing)
            known = (seen, flag_line(row, shape, look))
        self._drawing[key] = known
        return known[1]

    def empty(self) -> Sequence[Line]:
        """Why there are no rows."""
        return empty_table(self.console.state)


def empty_table(state: ConsoleState) -> list[Line]:
    """What a table without rows says."""
    if state.filter_text and state.flags:
        return [line("  no flag passes the filter ", span(state.filter_text, "strong"), "   Esc shows all")]
    if state.past is not None:
        return [line("  there was no flag yet")]
    if state.loaded:
        return [line("  there are no flags in this store yet: "), line("  flagconsole init")]
    if state.connection.phase is Phase.CONNECTING:
        return [line(span("  connecting …", "muted"))]
    return [line(span("  no data: the server hasn't been reached yet", "muted"))]
