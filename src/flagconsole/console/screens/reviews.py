"""Break-glass: admin's rights that were taken for a time, everything that was done with them, and who has looked at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flagconsole.console import filtering
from flagconsole.console.ages import clock_text, moment_text
from flagconsole.console.figures import duration_text
from flagconsole.console.glyphs import DONE
from flagconsole.console.keymap import Command
from flagconsole.console.line import Line, cell, line, spread, wrapped
from flagconsole.console.oversight_rows import GrantRow
from flagconsole.console.safe import Span, span
from flagconsole.console.screens.approvals import as_of, nothing_known
from flagconsole.console.screens.console_screen import Handler
from flagconsole.console.screens.list_screen import ListScreen
from flagconsole.console.sheets.review import why_not_reviewed
from flagconsole.console.state import ConsoleState
from flagconsole.console.widgets.change_table import what_of
from flagconsole.console.widgets.list_table import ListTable
from flagconsole.console.widgets.virtual_table import Column
from flagconsole.console.wish import Wish


def standing(row: GrantRow, now: float) -> tuple[str, str]:
    """How a grant stands, as a sign with a word, and its role."""
    if row.in_force(now):
        return "! in force", "alarm"
    return (f"{DONE} reviewed", "good") if row.reviewed_at is not None else ("! to review", "warning")


class GrantTable(ListTable[str, GrantRow]):
    """The grants by their ids: those in force first, then those to be reviewed, each the newest first."""

    def columns(self, width: int) -> Sequence[Column]:
        """The columns."""
        return [
            Column("state", "STATE", 11),
            Column("who", "WHO", 12),
            Column("why", "WHY", 20, grows=True),
            Column("began", "BEGAN", 11, spare=1),
            Column("lasted", "LASTED", 7, right=True, spare=3),
            Column("changes", "CHANGES", 7, right=True),
            Column("calls", "CALLS", 5, right=True, spare=2),
        ]

    def found(self, key: str) -> GrantRow | None:
        """One grant."""
        return grant_of(self.console.state, key)

    def cell_of(self, row: GrantRow, column: Column) -> Span:
        """What it says in a column."""
        width, now = column.width, self.console.server_now()
        match column.id:
            case "state":
                words, role = standing(row, now)
                return cell(words, width, role)
            case "who":
                return cell(row.who, width, "strong")
            case "why":
                return cell(row.reason, width)
            case "began":
                return cell(moment_text(row.began_at, now), width, "muted")
            case "lasted":
                return cell(duration_text(min(now, row.over_at) - row.began_at), width, "muted", right=True)
            case "changes":
                return cell(len(row.changes), width, right=True)
            case _:
                return cell(len(row.deeds), width, "muted", right=True)

    def none_yet(self) -> Sequence[Line]:
        """Why there are none."""
        oversight = self.console.state.oversight
        if not oversight.known:
            return nothing_known(oversight)
        return [
            line(span("  nobody has taken an admin's rights", "good")),
            line("  an operator does that with: ", span('flagconsole break-glass begin "why" --minutes 30', "key")),
        ]


def grant_of(state: ConsoleState, grant_id: str) -> GrantRow | None:
    """A grant by its id."""
    return next((row for row in state.oversight.grants if row.grant_id == grant_id), None)


class ReviewsScreen(ListScreen):
    """What was done under break-glass."""

    name_in_keymap = "reviews"
    PANE_TELLS = True
    table: GrantTable

    def __init__(self) -> None:
        self.table = GrantTable(self.row_changed)
        super().__init__()

    @property
    def grant(self) -> GrantRow | None:
        """The grant under the cursor."""
        return grant_of(self.console.state, self.table.selected or "")

    @property
    def filter_hint(self) -> str:
        """What can be typed."""
        return "text  !text  who:ada  flag:pos  state:review"

    def copyable(self) -> str:
        """All that was done, as text."""
        row = self.grant
        return "" if row is None else grant_text(row)

    def wish(self) -> Wish:
        """Grants, as fresh as they can be had."""
        return Wish(oversight=True)

    def title_line(self, width: int) -> Line:
        """How many wait for somebody, and how old that is."""
        console, now = self.console, self.console.server_now()
        oversight = console.state.oversight
        waiting, running = len(oversight.to_review(now)), sum(row.in_force(now) for row in oversight.grants)
        parts = [span(" BREAK-GLASS ", "header")]
        if oversight.known:
            parts.append(span(f"{waiting} to review", "warning" if waiting else "good"))
            parts.append(span(f"   ! {running} in force" if running else "", "danger"))
        return spread(line(*parts), as_of(oversight, console.clock.monotonic()), width)

    def refill(self) -> None:
        """Those that pass the filter, those that somebody has to look at first."""
        state, now = self.console.state, self.console.server_now()
        words = filtering.words_of(self.filter_text)
        rows = [row for row in state.oversight.grants if filtering.passes(words, _text(row), _fields(row, now))]
        rows.sort(key=lambda row: (not row.in_force(now), not row.waits(now), -row.began_at))
        keys = [row.grant_id for row in rows]
        self.table.fill(keys, len(state.oversight.grants), self.filter_text)

    def pane_lines(self, width: int) -> Sequence[Line]:
        """Why it was taken, until when, each change and each other call, and what the review said."""
        row, now = self.grant, self.console.server_now()
        if row is None:
            return []
        words, role = standing(row, now)
        rows = [
            line(span(row.who, "strong"), "  ", span(words, role), span(f"  {row.grant_id}", "muted")),
            *wrapped(f"“{row.reason}”", width, most=3),
            line(span("TIME    ", "header"), f"{moment_text(row.began_at, now)}Z to {clock_text(row.over_at)}Z",
                 span("  given back early" if row.ended_at is not None and row.ended_at < row.ends_at else "", "muted")),
        ]  # fmt: skip
        if row.reviewed_at is not None:
            rows.append(
                line(
                    span("REVIEW  ", "header"),
                    span(row.reviewed_by, "strong"),
                    f"  {moment_text(row.reviewed_at, now)}Z",
                )
            )
            rows += wrapped(f"“{row.note}”", width, most=3)
        elif why := why_not_reviewed(self.console, row):
            rows += wrapped(why, width, "warning", most=2)
        else:
            rows.append(line(span("C", "key"), " writes down that you have looked at it"))
        rows.append(line(span(f"CHANGES {len(row.changes)}", "header")))
        for change in row.changes:
            rows.append(
                line(span(f"{clock_text(change.at)}Z #{change.change_id} ", "muted"), span(change.flag_name, "link"),
                     f"  {what_of(change)}  “{change.reason}”")
            )  # fmt: skip
        rows.append(
            line(span(f"OTHER CALLS {len(row.deeds)}", "header"), span("  noted before they were done", "faint"))
        )
        return [*rows, *(line(span(f"{clock_text(deed.at)}Z ", "muted"), span(deed.call)) for deed in row.deeds)]

    def offers(self, command: Command) -> bool:
        """Reviewing where there is something to review, and whoever sits here may."""
        if command.id == "grant.review":
            return self.grant is not None and not why_not_reviewed(self.console, self.grant)
        return super().offers(command)

    def own_handlers(self) -> Mapping[str, Handler]:
        """Reviewing."""
        return {"grant.review": lambda _: self._review()}

    def _review(self) -> None:
        from flagconsole.console.sheets.review import ReviewSheet

        row, console = self.grant, self.console
        if row is None:
            console.say("none is selected")
        elif why := why_not_reviewed(console, row):
            console.say(why)
        else:
            self.open_sheet(ReviewSheet(console.state.connection.environment, row))


def grant_text(row: GrantRow) -> str:
    """A grant and all that was done under it, for the clipboard."""
    return "\n".join(
        [
            f"break-glass {row.grant_id} by {row.who}: {row.reason}",
            *(f"#{change.change_id} {change.flag_name} {what_of(change)}: {change.reason}" for change in row.changes),
            *(deed.call for deed in row.deeds),
            *([f"reviewed by {row.reviewed_by}: {row.note}"] if row.reviewed_at is not None else []),
        ]
    )


def _text(row: GrantRow) -> str:
    return f"{row.grant_id} {row.who} {row.reason}".casefold()


def _fields(row: GrantRow, now: float) -> Mapping[str, str]:
    return {
        "who": row.who.casefold(),
        "flag": " ".join(change.flag_name for change in row.changes).casefold(),
        "state": standing(row, now)[0][2:],
    }
