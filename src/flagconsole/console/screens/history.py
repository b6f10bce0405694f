"""History: the audit log, newest first or nearest to a time, of one flag or of all; the selected entry in full below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from flagconsole.console import filtering
from flagconsole.console.ages import moment_text
from flagconsole.console.filtering import Fields
from flagconsole.console.line import Line, spread
from flagconsole.console.log import Log
from flagconsole.console.rows import ChangeRow
from flagconsole.console.safe import span
from flagconsole.console.screens.console_screen import Handler
from flagconsole.console.screens.list_screen import ListScreen
from flagconsole.console.widgets.change_table import ChangeTable, change_text, entry_lines, verb_of
from flagconsole.console.widgets.env_bar import acted_in
from flagconsole.domain.moment import MOMENT_HELP, duration_of, moment_of

#: Changes that can be chosen at once: as many as one set takes.
MOST_CHOSEN: Final = 500


class HistoryScreen(ListScreen):
    """The audit log of one flag, or of all where ``flag_name`` is None."""

    name_in_keymap = "history"
    PANE_BESIDE = False
    table: ChangeTable

    def __init__(self, flag_name: str | None, around: float | None = None) -> None:
        self.flag_name = flag_name
        self.around = around
        self.table = ChangeTable(self._moved)
        super().__init__()
        self.marked: set[int] = set()
        self._held: Log | None = None

    @property
    def held(self) -> Log:
        """The part of the log that is held."""
        if self._held is None:
            self._held = Log(self.console.session.questions)
            self._held.choose(self.flag_name)
        return self._held

    def target(self) -> str | None:
        """The flag of the entry under the cursor."""
        row = self.table.current
        return self.flag_name if row is None else row.flag_name

    def copyable(self) -> str:
        """The entry under the cursor."""
        row = self.table.current
        return "" if row is None else change_text(row)

    # what is shown

    @property
    def filter_hint(self) -> str:
        """What can be typed."""
        return "text  !text  who:ops  flag:pos  did:kill  type:automated  tenant:42  since:2h"

    def title_line(self, width: int) -> Line:
        """Whose changes, and how many of them are held."""
        whose = self.flag_name if self.held.flag_name is not None else "all flags"
        parts = [span(" HISTORY ", "header"), span(whose or "", "strong")]
        if self.around is not None:
            when = moment_text(self.around, self.console.server_now())
            parts.append(span(f"  around {when}Z, nearest first", "warning"))
        problem = self.held.problem
        known = f"{len(self.table.keys)} changes" + (
            "" if self.around is not None else " · older: o" if self.held.more else ""
        )
        if self.marked:
            known = f"{len(self.marked)} chosen · R undoes them as one · Esc none"
        elif self.around is not None:
            known = "Esc newest first"
        elif self.held.full:
            known = f"{len(self.table.keys)} changes held · further back: @"
        right = span(f"  {problem} ", "warning") if problem else span(f"  {known} ", "muted")
        return spread(tuple(parts), (right,), width)

    def refill(self) -> None:
        """The changes that pass the filter."""
        table, now = self.table, self.console.server_now()
        rows = self.held.rows(self.console.state.history)
        words = list(filtering.words_of(self.filter_text))
        since = max((now - seconds for word in words if (seconds := _since(word)) is not None), default=None)
        rest = tuple(word for word in words if _since(word) is None)
        found = {
            row.change_id: row
            for row in rows
            if (since is None or row.at >= since) and filtering.passes(rest, _text(row), _fields(row))
        }
        keys = list(found)
        # What was undone meanwhile is chosen no more.
        self.marked -= {number for row in rows for number in row.reverts}
        table.marked = frozenset(self.marked)
        around = self.around
        if around is not None:
            keys.sort(key=lambda key: abs(found[key].at - around))
        at_first = bool(table.keys) and table.selected == table.keys[0]
        table.rows, table.around, table.with_flag = found, around, self.held.flag_name is None
        table.fill(keys, len(rows), self.filter_text)
        if at_first and keys:
            table.select(keys[0])  # who looks at the newest goes on looking at the newest

    def pane_lines(self, width: int) -> Sequence[Line]:
        """The entry in full."""
        row, console = self.table.current, self.console
        if row is None:
            return []
        before = next((item for item in console.state.history if item.change_id == row.change_id - 1), None)
        before = before or self.table.rows.get(row.change_id - 1)
        return entry_lines(console.state, row, before, width, console.server_now())

    # what is done

    def own_handlers(self) -> Mapping[str, Handler]:
        """What the history's own commands do."""
        return {
            "scope": lambda _: self._switch_scope(),
            "history.flag": lambda _: self._choose(self.target()),
            "history.all": lambda _: self._choose(None),
            "older": lambda _: self._fetch_older(),
            "around": self.go_around,
            "verify": lambda _: self._verify(),
            "list.escape": lambda _: self._escape(),
            "mark": lambda _: self._mark(),
            "rollback": self._roll_back,
        }

    def on_mount(self) -> None:
        """Fetch what this history has beyond what is known."""
        super().on_mount()
        if self.around is None:
            self._fetch_older()
        else:
            self.background(partial(self._around, self.around))

    def go_around(self, text: str) -> None:
        """Rank by closeness to a time; without one, ask for it in the palette."""
        if not text:
            self.console.ask_palette("around ")
            return
        moment = moment_of(text, self.console.server_now())
        if moment is None:
            self.console.say(f"{text!r} is no time; write it like {MOMENT_HELP}")
            return
        self.around = moment
        self.table.select(None)
        self.background(partial(self._around, moment))

    def _moved(self) -> None:
        self.row_changed()
        at_end = self.table.position >= len(self.table.keys) - 1
        if at_end and self.held.more and self.around is None and not self.filter_text:
            self._fetch_older()

    def _mark(self) -> None:
        """Choose the change under the cursor, or choose it no more, and go on to the next."""
        row = self.table.current
        if row is None:
            return
        if row.change_id in self.marked:
            self.marked.remove(row.change_id)
        elif len(self.marked) < MOST_CHOSEN:
            self.marked.add(row.change_id)
        else:
            self.console.say(f"at most {MOST_CHOSEN} changes are undone at once")
        self.table.row_handlers("list")["list.down"]("")
        self.show(frozenset())

    def _roll_back(self, argument: str) -> None:
        """The chosen changes as one set; without any, the flag of the entry as everywhere."""
        chosen = [row for number in sorted(self.marked) if (row := self._known_row(number)) is not None]
        flag = None if not chosen else self.console.state.flags.get(chosen[0].flag_name)
        if argument or not self.marked:
            self.console.handlers()["rollback"](argument)
        elif flag is None or len(chosen) != len(self.marked):
            self.console.say("a chosen change is of a flag that is archived, or is held here no more: choose anew")
        else:
            from flagconsole.console.sheets.undo_set import UndoSetSheet

            self.open_sheet(
                UndoSetSheet(flag, acted_in(self.console.state.connection.environment, self.console.place), chosen)
            )

    def _known_row(self, number: int) -> ChangeRow | None:
        """A change that is held, also where the filter hides it."""
        return next((row for row in self.held.rows(self.console.state.history) if row.change_id == number), None)

    def _escape(self) -> None:
        if self.marked:
            self.marked.clear()
            self.show(frozenset())
        elif self.filter_text:
            self.drop_filter()
        elif self.around is not None:
            self.around = None
            self.held.forget()
            self.table.select(None)
            self._fetch_older()
        else:
            self.console.back()

    def _switch_scope(self) -> None:
        if self.flag_name is None:
            self.flag_name = self.target() or self.console.state.selected
        self._choose(self.flag_name if self.held.flag_name is None else None)

    def _choose(self, flag_name: str | None) -> None:
        """Show the changes of a flag, or of all."""
        if flag_name == self.held.flag_name:
            which = "of all flags" if flag_name is None else f"of {flag_name}"
            self.console.say(f"the changes {which} are here already; Tab goes between the flag's and all")
            return
        self.flag_name = flag_name or self.flag_name
        self.held.choose(flag_name)
        self.table.select(None)
        self._fetch_older()

    def _fetch_older(self) -> None:
        self.background(self._older)

    async def _older(self) -> None:
        await self.held.fetch_older(self.console.state.history)
        self.show(frozenset())

    async def _around(self, moment: float) -> None:
        self.show(frozenset())
        await self.held.fetch_around(moment, self.console.state.revision)
        self.table.select(None)
        self.show(frozenset())

    def _verify(self) -> None:
        self.console.say("the server checks the whole chain …")
        self.background(self._verified)

    async def _verified(self) -> None:
        report = await self.console.session.questions.audit()
        if isinstance(report, str):
            self.console.say(f"the chain couldn't be checked: {report}")
        elif report.verified:
            self.console.say(f"chain holds: all {report.entries} entries, head {report.head_hash[:12]}…")
        else:
            self.console.say(f"CHAIN BROKEN at {report.fault}")


def _text(row: ChangeRow) -> str:
    return f"{row.flag_name} {row.reason} {row.who} {row.tenant_id or ''} {verb_of(row)}".casefold()


def _fields(row: ChangeRow) -> Fields:
    return {
        "who": row.who.casefold(),
        "actor": row.who.casefold(),
        "flag": (row.flag_name.casefold(),),
        "did": (row.action, verb_of(row)),
        "kind": (row.action, verb_of(row), row.change_type),
        "type": (row.change_type,),
        "tenant": (row.tenant_id or "").casefold(),
        "why": row.reason.casefold(),
    }


def _since(word: str) -> float | None:
    """The seconds that ``since:2h`` means; None for every other word."""
    name, colon, value = word.partition(":")
    return duration_of(value) if colon and name == "since" else None
