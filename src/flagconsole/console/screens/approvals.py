"""Approvals: what waits for a second person, what it would do and for whom, and what became of the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from flagconsole.console import filtering
from flagconsole.console.ages import age_role, age_text, ago, clock_text, moment_text
from flagconsole.console.asked_change import asked_change
from flagconsole.console.consent import standing, why_not_declined, why_not_waiting, why_not_you
from flagconsole.console.glyphs import ARROW
from flagconsole.console.keymap import Command, key_name
from flagconsole.console.line import Line, cell, line, spread, wrapped
from flagconsole.console.oversight import Oversight
from flagconsole.console.oversight_rows import ApprovalRow
from flagconsole.console.safe import Span, span
from flagconsole.console.screens.console_screen import Handler
from flagconsole.console.screens.list_screen import ListScreen
from flagconsole.console.sheets.radius import radius_rows
from flagconsole.console.widgets.env_bar import acted_in
from flagconsole.console.widgets.list_table import ListTable
from flagconsole.console.widgets.virtual_table import Column
from flagconsole.console.wish import Wish
from flagconsole.domain.blast import BlastRadius, blast_radius

#: Characters of a request that are shown.
_REQUEST: Final = 1_000


def as_of(oversight: Oversight, monotonic: float) -> Line:
    """How old what is shown is: it is asked for again and again, not streamed."""
    if not oversight.known or oversight.asked_at is None:
        return ()
    age = monotonic - oversight.asked_at
    role = age_role(age)
    return line(span(f"asked {age_text(age)} ago ", "muted" if role == "good" else role))


def nothing_known(oversight: Oversight) -> list[Line]:
    """Why nothing can be shown."""
    if oversight.refusal:
        return [line(span(f"  this key may not see them: {oversight.refusal}", "warning"))]
    return [line(span("  not known yet: the server hasn't answered", "muted"))]


class ApprovalTable(ListTable[str, ApprovalRow]):
    """The requests by their ids: those that wait first, each the newest first."""

    NOTHING = "no request"

    def columns(self, width: int) -> Sequence[Column]:
        """The columns."""
        return [
            Column("state", "STATE", 10),
            Column("flag", "FLAG", 22, grows=True),
            Column("what", "FROM → TO", 24),
            Column("who", "ASKED BY", 12, spare=2),
            Column("age", "AGE", 4, right=True, spare=1),
            Column("left", "UNTIL", 6, right=True, spare=3),
        ]

    def found(self, key: str) -> ApprovalRow | None:
        """One request."""
        return self.console.state.oversight.approval(key)

    def cell_of(self, row: ApprovalRow, column: Column) -> Span:
        """What it says in a column."""
        width, now = column.width, self.console.server_now()
        match column.id:
            case "state":
                words, role = standing(row, now)
                return cell(words, width, role)
            case "flag":
                return cell(row.flag_name, width, "link")
            case "what":
                change = asked_change(self.console.state, row)
                words = f"{change.before} {ARROW} {change.after}" if row.waits(now) else change.after
                return cell(words if change.tenant_id is None else f"{change.tenant_id} {words}", width)
            case "who":
                return cell(row.who, width, "muted")
            case "age":
                return cell(ago(now - row.asked_at), width, "muted", right=True)
            case _:
                return cell(f"{clock_text(row.ends_at)[:5]}Z" if row.open(now) else "–", width, "muted", right=True)

    def none_yet(self) -> Sequence[Line]:
        """Why there are none."""
        oversight = self.console.state.oversight
        if not oversight.known:
            return nothing_known(oversight)
        return [
            line(span("  nothing waits for a second person", "good")),
            line(span("  what raises exposure comes here, where a server", "muted")),
            line(span("  asks for one (serve --require-approvals)", "muted")),
        ]


class ApprovalsScreen(ListScreen):
    """What waits for a second person."""

    name_in_keymap = "approvals"
    PANE_TELLS = True
    table: ApprovalTable

    def __init__(self) -> None:
        self.table = ApprovalTable(self._moved)
        self._counted: dict[tuple[str, int], BlastRadius] = {}
        super().__init__()

    @property
    def approval(self) -> ApprovalRow | None:
        """The request under the cursor."""
        return self.console.state.oversight.approval(self.table.selected or "")

    @property
    def filter_hint(self) -> str:
        """What can be typed."""
        return "text  !text  flag:pos  who:ada  state:waits"

    def target(self) -> str | None:
        """The flag of the request under the cursor."""
        row = self.approval
        return None if row is None else row.flag_name

    def copyable(self) -> str:
        """The command that allows it."""
        row = self.approval
        return "" if row is None else f"flagconsole approvals approve {row.approval_id}"

    def wish(self) -> Wish:
        """Requests, as fresh as they can be had."""
        return Wish(oversight=True)

    def title_line(self, width: int) -> Line:
        """How many wait, and how old that is."""
        console = self.console
        waiting = len(console.state.oversight.waiting(console.server_now()))
        words = f"{waiting} wait{'s' if waiting == 1 else ''} for a second person"
        left = line(span(" APPROVALS ", "header"), span(words, "warning" if waiting else "good"))
        if not console.state.oversight.known:
            left = line(span(" APPROVALS ", "header"))
        return spread(left, as_of(console.state.oversight, console.clock.monotonic()), width)

    def refill(self) -> None:
        """Those that pass the filter, waiting ones first."""
        state, now = self.console.state, self.console.server_now()
        words = filtering.words_of(self.filter_text)
        rows = [row for row in state.oversight.approvals if filtering.passes(words, _text(row), _fields(row, now))]
        keys = [row.approval_id for row in sorted(rows, key=lambda row: (not row.waits(now), -row.asked_at))]
        self.table.fill(keys, len(state.oversight.approvals), self.filter_text)
        self._count()

    def _moved(self) -> None:
        self.row_changed()
        self._count()

    def _count(self) -> None:
        row = self.approval
        if row is not None and row.waits(self.console.server_now()) and self._place(row) not in self._counted:
            self.background(self._work_out, group="counting", exclusive=True)

    def _place(self, row: ApprovalRow) -> tuple[str, int]:
        return row.approval_id, self.console.state.revision

    async def _work_out(self) -> None:
        """Whom the request under the cursor reaches, counted beside the event loop."""
        row, state = self.approval, self.console.state
        rule = None if row is None else asked_change(state, row).rule
        if row is None or rule is None:
            return
        now, place = self.console.server_now(), self._place(row)
        found = await asyncio.to_thread(blast_radius, state.ruleset, row.flag_name, rule, state.tenants, now)
        self._counted = {place: found}
        self.pane.repaint()

    def pane_lines(self, width: int) -> Sequence[Line]:
        """Everything of the request under the cursor: who, why, what for whom, how it stands, and the request itself."""
        row, console = self.approval, self.console
        if row is None:
            return []
        state, now = console.state, console.server_now()
        change = asked_change(state, row)
        rows = [
            line(span(row.flag_name, "link"), "  ", span(change.before, "strong"), f" {ARROW} ", span(change.after, "strong")),
            line(span("ASKED   ", "header"), span(row.who, "strong"), f"  {moment_text(row.asked_at, now)}Z",
                 span(f"  {row.operation.replace('_', ' ')}  {row.approval_id}", "muted")),
        ]  # fmt: skip
        if row.reason:
            rows += wrapped(f"“{row.reason}”", width, most=3)
        if row.waits(now):
            rows += self._reach(row, width)
        rows += self._standing(row, now, width)
        rows.append(line(span("REQUEST", "header")))
        return [*rows, *wrapped(row.request[:_REQUEST] or "–", width, "muted", most=12)]

    def _reach(self, row: ApprovalRow, width: int) -> list[Line]:
        state = self.console.state
        change = asked_change(state, row)
        if change.tenant_id is not None:
            return [line(span("TENANTS ", "header"), "1: ", span(change.tenant_id, "strong"))]
        if change.rule is None:
            return [line(span("TENANTS ", "header"), span("can't be told from here: the request decides", "warning"))]
        return radius_rows(self._counted.get(self._place(row)), len(state.tenants), width)

    def _standing(self, row: ApprovalRow, now: float, width: int) -> list[Line]:
        words, role = standing(row, now)
        rows = [line(span("STANDS  ", "header"), span(words, role))]
        if row.declined_at is not None:
            rows[0] = line(*rows[0], f" by {row.declined_by}  {moment_text(row.declined_at, now)}Z")
            rows += wrapped(f"“{row.decline_reason}”", width, most=3)
            if row.allowed_by:
                rows += wrapped(f"{row.allowed_by} had allowed it: the consent was taken back", width, most=2)
        elif row.used_at is not None:
            rows[0] = line(*rows[0], f"  {moment_text(row.used_at, now)}Z, allowed by {row.allowed_by}")
        elif row.waits(now):
            rows[0] = line(*rows[0], f" until {clock_text(row.ends_at)}Z")
            rows.append(line(span("        then it runs out, and nothing is done", "muted")))
            why = why_not_you(self.console, row)
            rows += (
                wrapped(why, width, "warning", most=2)
                if why
                else [self._key("approval.allow", "looks at it and allows it")]
            )
        elif row.open(now):
            rows[0] = line(*rows[0], f" by {row.allowed_by}: {row.who} can ask again until {clock_text(row.ends_at)}Z")
        if not why_not_declined(self.console, row):
            rows.append(self._key("approval.decline", "takes the consent back" if row.allowed_by else "declines it"))
        return rows

    def _key(self, command_id: str, does: str) -> Line:
        """What a key would do with the request."""
        return line(span(key_name(self.console.keymap.command(command_id).keys[0]), "key"), f" {does}")

    def offers(self, command: Command) -> bool:
        """Allowing and declining where there is something to allow or decline, and whoever sits here may."""
        row, console = self.approval, self.console
        match command.id:
            case "approval.allow":
                waits = row is not None and row.waits(console.server_now())
                return waits and row is not None and not why_not_you(console, row)
            case "approval.decline":
                return row is not None and not why_not_declined(console, row)
        return super().offers(command)

    def own_handlers(self) -> Mapping[str, Handler]:
        """Allowing and declining."""
        return {"approval.allow": lambda _: self._allow(), "approval.decline": lambda _: self._decline()}

    def _allow(self) -> None:
        from flagconsole.console.sheets.approve import ApproveSheet

        row, console = self.approval, self.console
        flag = None if row is None else console.state.flags.get(row.flag_name)
        if row is None:
            console.say("no request is selected")
        elif why := why_not_waiting(row, console.server_now()):
            console.say(f"{row.approval_id} doesn't wait any more: {why}")
        elif why := why_not_you(console, row):
            console.say(why)
        elif flag is None:
            console.say(f"{row.flag_name}: allow it by the command line, y copies the command")
        else:
            self.open_sheet(ApproveSheet(flag, acted_in(console.state.connection.environment, console.place), row))

    def _decline(self) -> None:
        from flagconsole.console.sheets.decline import DeclineSheet

        row, console = self.approval, self.console
        if row is None:
            console.say("no request is selected")
        elif why := why_not_declined(console, row):
            console.say(why)
        else:
            self.open_sheet(DeclineSheet(console.state.connection.environment, row))


def _text(row: ApprovalRow) -> str:
    return f"{row.approval_id} {row.flag_name} {row.who} {row.operation} {row.reason} {row.decline_reason}".casefold()


def _fields(row: ApprovalRow, now: float) -> Mapping[str, str]:
    return {
        "flag": row.flag_name.casefold(),
        "who": row.who.casefold(),
        "state": standing(row, now)[0][2:],
        "by": f"{row.allowed_by} {row.declined_by}".casefold(),
    }
