"""Incidents: what was stopped and why, its playbook step by step, whom it reached, how long it took against the estimate."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Final

from flagconsole.console import filtering
from flagconsole.console.ages import ago_words, moment_text
from flagconsole.console.figures import UNKNOWN, duration_text, minutes_text
from flagconsole.console.incident_view import IMPACT_ROLE, detail_rows, status_span
from flagconsole.console.incidents import IncidentRow, in_order
from flagconsole.console.keymap import Command
from flagconsole.console.line import Line, cell, line, spread
from flagconsole.console.report_file import write_report
from flagconsole.console.safe import Span, span
from flagconsole.console.screens.console_screen import Handler
from flagconsole.console.screens.list_screen import ListScreen
from flagconsole.console.widgets.list_table import ListTable
from flagconsole.console.widgets.virtual_table import Column
from flagconsole.console.wish import Wish
from flagconsole.domain.incident_standing import Standing

_NO_COUNT: Final = "counting"


class IncidentTable(ListTable[str, IncidentRow]):
    """The incidents by their ids: open ones first, each the newest first."""

    NOTHING = "no incident"

    def columns(self, width: int) -> Sequence[Column]:
        """The columns."""
        return [
            Column("id", "ID", 7),
            Column("status", "STATUS", 14),
            Column("flag", "FLAG", 20, grows=True),
            Column("when", "BEGAN", 11, spare=1),
            Column("took", "TOOK", 9, right=True),
            Column("estimate", "ESTIMATE", 8, right=True, spare=3),
            Column("affected", "TENANTS", 8, right=True, spare=2),
            Column("impact", "IMPACT", 8, spare=4),
            Column("playbook", "PLAYBOOK", 11, spare=5),
        ]

    def found(self, key: str) -> IncidentRow | None:
        """One incident."""
        return self.console.state.incidents.get(key)

    def cell_of(self, row: IncidentRow, column: Column) -> Span:
        """What it says in a column."""
        width, now = column.width, self.console.server_now()
        match column.id:
            case "id":
                return cell(row.incident_id, width, "strong")
            case "status":
                status = status_span(row)
                return cell(status.text, width, status.role)
            case "flag":
                return cell(row.flag_name, width, "link")
            case "when":
                return cell(moment_text(row.started_at, now), width, "muted")
            case "took":
                over = row.estimate is not None and row.elapsed(now) > row.estimate * 60
                running = row.completed_at is None
                role = "danger" if over else "warning" if running else "plain"
                return cell(duration_text(row.elapsed(now)), width, role, right=True)
            case "estimate":
                return cell(minutes_text(row.estimate), width, "muted", right=True)
            case "affected":
                return cell(_affected_text(row), width, right=True)
            case "impact":
                return cell(row.impact or "–", width, IMPACT_ROLE.get(row.impact, "muted"))
            case _:
                return cell(row.playbook or "by hand", width, "muted")

    def none_yet(self) -> Sequence[Line]:
        """Why there are none."""
        missing = self.console.state.rollouts_missing
        if missing:
            return [line(span(f"  incidents: {missing}", "warning"))]
        return [
            line(span("  there has been no incident yet", "good")),
            line(span("  a kill (K) or a rollback (R) opens one, by hand or by a rollout's guard", "muted")),
        ]


class IncidentsScreen(ListScreen):
    """The incidents, open and closed. ``incident_id`` is the one that the cursor begins on."""

    name_in_keymap = "incidents"
    PANE_TELLS = True
    table: IncidentTable

    def __init__(self, incident_id: str | None = None) -> None:
        self.table = IncidentTable(self.row_changed)
        self.table.select(incident_id)
        super().__init__()

    @property
    def incident(self) -> IncidentRow | None:
        """The incident under the cursor."""
        return self.console.state.incidents.get(self.table.selected or "")

    @property
    def filter_hint(self) -> str:
        """What can be typed."""
        return "text  !text  flag:pos  open:yes  impact:severe  playbook:immediate"

    def target(self) -> str | None:
        """The flag of the incident under the cursor."""
        row = self.incident
        return None if row is None else row.flag_name

    def wish(self) -> Wish:
        """The timeline and tenants of the incident under the cursor."""
        row = self.incident
        return Wish(None if row is None else row.flag_name, incident_id=self.table.selected)

    def title_line(self, width: int) -> Line:
        """How many are open, and how many wait for somebody."""
        rows = list(self.console.state.incidents.values())
        is_open = [row for row in rows if row.open]
        waiting = [row for row in is_open if row.standing is Standing.NEEDS_YOU]
        restored = sum(row.completed_at is not None for row in is_open)
        missing = self.console.state.rollouts_missing
        role = "danger" if len(is_open) > restored else "warning" if is_open or missing else "good"
        parts = [span(" INCIDENTS ", "header"), span(f"{len(is_open)} open", role)]
        if restored:
            parts.append(span(f", {'all' if restored == len(is_open) else restored} restored", "good"))
        if missing:
            parts.append(span(f"   newer ones: {missing}" if rows else f"   {missing}", "warning"))
        if waiting:
            parts.append(span(f"   ! {len(waiting)} need{'s' if len(waiting) == 1 else ''} you", "danger"))
        return spread(line(*parts), line(span(f"{len(rows)} known ", "muted")), width)

    def refill(self) -> None:
        """Those that pass the filter, open ones first."""
        words = filtering.words_of(self.filter_text)
        rows = in_order(self.console.state.incidents)
        keys = [row.incident_id for row in rows if filtering.passes(words, _text(row), _fields(row))]
        self.table.fill(keys, len(rows), self.filter_text)

    def pane_lines(self, width: int) -> Sequence[Line]:
        """Everything of the incident under the cursor."""
        row, console = self.incident, self.console
        if row is None:
            return []
        story = console.state.incident_stories.get(row.incident_id)
        return detail_rows(row, story, width, console.server_now(), console.state.tenant_names)

    def offers(self, command: Command) -> bool:
        """Confirming where a step waits, closing what is open, a report of what there is."""
        from flagconsole.console.sheets.incident import to_be_said

        row = self.incident
        match command.id:
            case "incident.confirm":
                return row is not None and bool(to_be_said(row))
            case "incident.close":
                return row is not None and row.closed_at is None and row.completed_at is not None
            case "incident.export":
                return row is not None
        return super().offers(command)

    def own_handlers(self) -> Mapping[str, Handler]:
        """Confirming, closing, the report."""
        return {
            "incident.confirm": lambda _: self._confirm(),
            "around": self._around,
            "incident.close": lambda _: self._close(),
            "incident.export": lambda _: self._work(self._export()),
            "copy": lambda _: self._work(self._copy_report()),
        }

    def _around(self, text: str) -> None:
        """What changed before this: all changes by closeness to when the incident began, or to the time that is named."""
        if text or self.incident is None:
            self.console.handlers()["around"](text)
            return
        from flagconsole.console.screens.history import HistoryScreen

        self.app.push_screen(HistoryScreen(None, self.incident.started_at))

    def _work(self, asking: Coroutine[None, None, None]) -> None:
        self.run_worker(asking, group="reports")

    def _confirm(self) -> None:
        from flagconsole.console.sheets.incident import StepSheet, to_be_said

        row, console = self.incident, self.console
        flag = None if row is None else console.state.flags.get(row.flag_name)
        if row is None or flag is None:
            console.say("no incident is selected")
        elif not to_be_said(row):
            console.say(f"{row.incident_id}: {row.left_to_people or f'nothing to confirm, it is {row.standing.value}'}")
        else:
            self.open_sheet(StepSheet(flag, console.state.connection.environment, row))

    def _close(self) -> None:
        from flagconsole.console.sheets.incident import CloseSheet

        row, console = self.incident, self.console
        flag = None if row is None else console.state.flags.get(row.flag_name)
        if row is None or flag is None:
            console.say("no incident is selected")
        elif row.closed_at is not None:
            console.say(
                f"{row.incident_id} was closed {ago_words(console.server_now() - row.closed_at)} by {row.closed_by}"
            )
        else:
            self.open_sheet(CloseSheet(flag, console.state.connection.environment, row))

    async def _report(self) -> str | None:
        row = self.incident
        if row is None:
            self.console.say("no incident is selected")
            return None
        had, text = await self.console.session.questions.report(row.incident_id)
        if not had:
            self.console.say(f"no report: {text}")
        return text if had else None

    async def _export(self) -> None:
        row, text = self.incident, await self._report()
        if row is None or text is None:
            return
        try:
            path = await asyncio.to_thread(write_report, row.incident_id, text, self.console.options.log_folder)
        except OSError as error:
            self.console.say(f"the report can't be written: {error.strerror or error}")
        else:
            self.console.say(f"the report is in {path}")

    async def _copy_report(self) -> None:
        text = await self._report()
        if text is not None:
            self.console.copy(text)


def _affected_text(row: IncidentRow) -> str:
    if row.affected is None:
        return _NO_COUNT
    # Without tenants in the store nobody can have been counted: none is no number then.
    return str(row.affected) if row.tenants_known else UNKNOWN


def _text(row: IncidentRow) -> str:
    return f"{row.incident_id} {row.flag_name} {row.trigger} {row.opened_by} {row.root_cause}"


def _fields(row: IncidentRow) -> Mapping[str, str]:
    return {
        "flag": row.flag_name,
        "open": "yes" if row.open else "no",
        "impact": row.impact,
        "playbook": row.playbook,
        "who": row.opened_by,
    }
