"""History: the audit log, newest first, of one flag or of all; the selected entry in full below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from textual.widget import Widget

from flagconsole.console.ages import ago_words, moment_text
from flagconsole.console.glyphs import ARROW, CURSOR
from flagconsole.console.line import BLANK, Line, cell, line, spread, wrapped
from flagconsole.console.rows import ChangeRow
from flagconsole.console.safe import span
from flagconsole.console.screens.console_screen import ConsoleScreen, Handler
from flagconsole.console.widgets.painted import Painted

_VERB: Final = {
    "rolled_back": "rollback",
    "override_set": "override",
    "override_removed": "removed",
    "override_expired": "expired",
}
_VERB_ROLE: Final = {"killed": "state_kill", "revived": "warning", "rolled_back": "warning"}


class HistoryShape(NamedTuple):
    """The widths of the history's columns; 0 leaves one out."""

    number: int
    who: int
    flag: int
    what: int

    @classmethod
    def of(cls, width: int, *, with_flag: bool) -> HistoryShape:
        """What fits into ``width`` cells; the reason takes what is left."""
        number, who = (7, 12) if width >= 110 else (0, 6)
        fixed = 2 + 12 + 9 + who + 1 + (number + 1 if number else 0)
        flag = min(32, max(20, (width - fixed) // 2 - 2)) if with_flag else 0
        left = width - fixed - (flag + 1 if flag else 0)
        return cls(number, who, flag, min(34, max(12, left * 3 // 5)))


def change_line(row: ChangeRow, shape: HistoryShape, now: float, *, cursor: bool) -> Line:
    """One entry in one row; ``now`` is the server's time."""
    what = f"{row.before} {ARROW} {row.after}"
    if row.tenant_id is not None:
        what = f"{row.tenant_id} {what}"
    parts = [span(CURSOR if cursor else " ", "key"), span(" ")]
    if shape.number:
        parts += [cell(f"#{row.change_id}", shape.number, "muted"), span(" ")]
    parts += [cell(moment_text(row.at, now), 11, "muted"), span(" "), cell(row.who, shape.who), span(" ")]
    parts += [cell(verb_of(row), 8, _VERB_ROLE.get(row.action, "plain")), span(" ")]
    if shape.flag:
        parts += [cell(row.flag_name, shape.flag, "strong"), span(" ")]
    parts += [cell(what, shape.what), span(" "), span(row.reason, "muted")]
    return tuple(parts)


def history_heading(shape: HistoryShape) -> Line:
    """The columns' names."""
    names = [("#", shape.number), ("WHEN", 11), ("WHO", shape.who), ("DID", 8), ("FLAG", shape.flag)]
    parts = [span("  ")]
    for name, size in [*names, ("FROM → TO", shape.what), ("WHY", 3)]:
        if size:
            parts += [cell(name, size, "header"), span(" ")]
    return tuple(parts[:-1])


def verb_of(row: ChangeRow) -> str:
    """What a change did, in at most eight letters."""
    return _VERB.get(row.action, row.action)


def entry_lines(row: ChangeRow, width: int, now: float) -> list[Line]:
    """One entry in full."""
    whose = f" for {row.tenant_id}" if row.tenant_id is not None else ""
    kind = row.change_type.replace("_", " ")
    rows = [
        line(
            span(f"#{row.change_id} ", "muted"),
            span(row.action.replace("_", " "), _VERB_ROLE.get(row.action, "strong")),
            " ",
            span(row.flag_name, "strong"),
            span(f"{whose}  {row.before} {ARROW} {row.after}"),
        ),
        line(
            span(f"by {row.who}"),
            span(f" · {kind} · {moment_text(row.at, now)}Z, {ago_words(now - row.at)} · v{row.version}", "muted"),
        ),
        *wrapped(f"“{row.reason}”", width, "plain", most=2),
    ]
    facts = []
    if row.reverts:
        facts.append("undoes " + ", ".join(f"#{item}" for item in row.reverts))
    if row.hash:
        facts.append(f"chain {row.hash[:12]}…")
    if facts:
        rows.append(line(span(" · ".join(facts), "faint")))
    return rows


class HistoryTable(Painted):
    """The entries, with a cursor that follows the entry's number."""

    def __init__(self, flag_name: str | None) -> None:
        super().__init__()
        self.flag_name = flag_name
        self.only_flag = flag_name is not None
        self.selected: int | None = None
        self._top = 0
        self._cursor_row = -1
        self.older: tuple[ChangeRow, ...] = ()

    def entries(self) -> Sequence[ChangeRow]:
        """The known entries, newest first."""
        newest = self.console.state.history
        known = {row.change_id for row in newest}
        rows = [*newest, *(row for row in self.older if row.change_id not in known)]
        rows.sort(key=lambda row: -row.change_id)
        return [row for row in rows if not self.only_flag or row.flag_name == self.flag_name]

    def current(self) -> ChangeRow | None:
        """The entry under the cursor; the newest one at first."""
        rows = self.entries()
        return next((row for row in rows if row.change_id == self.selected), rows[0] if rows else None)

    def move(self, by: int) -> None:
        """Move the cursor."""
        rows = self.entries()
        current = self.current()
        if current is not None:
            position = max(0, min(len(rows) - 1, rows.index(current) + by))
            self.selected = rows[position].change_id

    @property
    def page(self) -> int:
        """How many rows a page has."""
        return max(1, self.size.height - 3)

    def draw(self, width: int, height: int) -> list[Line]:
        """Title, heading, rows."""
        console = self.console
        rows, current, now = self.entries(), self.current(), console.server_now()
        shape = HistoryShape.of(width, with_flag=not self.only_flag)
        room = max(1, height - 2)
        position = rows.index(current) if current is not None else 0
        self._top = max(0, min(self._top, position, max(0, len(rows) - room)))
        if position >= self._top + room:
            self._top = position - room + 1
        self._cursor_row = 2 + position - self._top if current is not None else -1
        whose = span(self.flag_name or "", "strong") if self.only_flag else span("all flags", "strong")
        title = spread(line(span(" HISTORY ", "header"), whose), line(span(f"{len(rows)} changes ", "muted")), width)
        shown = [change_line(row, shape, now, cursor=row is current) for row in rows[self._top : self._top + room]]
        if not rows:
            shown = [BLANK, line(span("  no change is known here yet", "muted"))]
        return [title, history_heading(shape), *shown]

    def ground_of(self, row: int) -> str:
        """The row under the cursor has a ground of its own."""
        return "cursor" if row == self._cursor_row else "screen"


class HistoryEntry(Painted):
    """The selected entry in full."""

    def __init__(self, table: HistoryTable) -> None:
        super().__init__()
        self._table = table

    def draw(self, width: int, height: int) -> list[Line]:
        """The entry under a rule."""
        rule = line(span("─" * width, "faint"))
        row = self._table.current()
        if row is None:
            return [rule]
        return [rule, *(line(" ", *entry) for entry in entry_lines(row, width - 2, self.console.server_now()))]


class HistoryScreen(ConsoleScreen):
    """The audit log of one flag, or of all where ``flag_name`` is None."""

    name_in_keymap = "history"

    def __init__(self, flag_name: str | None) -> None:
        super().__init__()
        self.table = HistoryTable(flag_name)

    def body(self) -> Iterable[Widget]:
        """The table and the entry."""
        yield self.table
        yield HistoryEntry(self.table)

    def target(self) -> str | None:
        """The flag of the entry under the cursor."""
        row = self.table.current()
        return self.table.flag_name if row is None else row.flag_name

    def handlers(self) -> Mapping[str, Handler]:
        """What the history's own commands do."""
        table = self.table
        return {
            "history.down": lambda _: self._move(1),
            "history.up": lambda _: self._move(-1),
            "history.page_down": lambda _: self._move(table.page),
            "history.page_up": lambda _: self._move(-table.page),
            "history.first": lambda _: self._move(-len(table.entries())),
            "history.last": lambda _: self._move(len(table.entries())),
            "scope": self._switch_scope,
            "older": self._fetch_older,
            "back": lambda _: self.console.back(),
            "leave": lambda _: self.console.leave(),
        }

    def on_mount(self) -> None:
        """Fetch what this flag's history has beyond what is known."""
        super().on_mount()
        self._fetch_older("")

    def _move(self, rows: int) -> None:
        self.table.move(rows)
        self.show(frozenset())

    def _switch_scope(self, _: str) -> None:
        if self.table.flag_name is None:
            self.table.flag_name = self.console.state.selected
        self.table.only_flag = not self.table.only_flag and self.table.flag_name is not None
        self.show(frozenset())

    def _fetch_older(self, _: str) -> None:
        self.run_worker(self._older(), exclusive=True)

    async def _older(self) -> None:
        table = self.table
        rows = table.entries()
        name = table.flag_name if table.only_flag else None
        found = await self.console.session.older_history(name, rows[-1].change_id if rows else None)
        if found is None:
            return
        table.older = (*table.older, *found)
        if not found and rows and rows[-1].change_id > 1 and not table.only_flag:
            self.console.say("there are no older changes")
        self.show(frozenset())
