"""Tenants: who they are, which flags each of them gets and why, and which incidents reached them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from flagconsole.console import filtering
from flagconsole.console.ages import ago_words, moment_text
from flagconsole.console.glyphs import ARROW
from flagconsole.console.line import BLANK, Line, cell, joined, line, spread, wrapped
from flagconsole.console.profiles import TenantRow
from flagconsole.console.questions import Reached
from flagconsole.console.safe import Span, span
from flagconsole.console.screens.console_screen import Handler
from flagconsole.console.screens.list_screen import ListScreen
from flagconsole.console.tenant_flags import TenantFlags, flags_of
from flagconsole.console.widgets.detail import evaluation_words, state_span
from flagconsole.console.widgets.list_table import ListTable
from flagconsole.console.widgets.virtual_table import Column

#: With more flags than this they are evaluated beside the event loop, once the cursor rests on a tenant.
INLINE_FLAGS = 2_000


class TenantTable(ListTable[str, TenantRow]):
    """The tenants by their ids."""

    NOTHING = "no tenant"

    def columns(self, width: int) -> Sequence[Column]:
        """The columns."""
        return [
            Column("id", "TENANT", 14),
            Column("name", "NAME", 16, grows=True),
            Column("size", "SIZE", 6, spare=2),
            Column("industry", "INDUSTRY", 14, spare=3),
            Column("region", "REGION", 8, spare=4),
            Column("risk", "RISK", 4, right=True, spare=2),
            Column("engagement", "ENG", 4, right=True, spare=5),
            Column("beta", "BETA", 4, spare=6),
            Column("own", "OWN", 3, right=True),
        ]

    def found(self, key: str) -> TenantRow | None:
        """One tenant."""
        return self.console.state.profiles.get(key)

    def cell_of(self, row: TenantRow, column: Column) -> Span:
        """What it says in a column."""
        width = column.width
        match column.id:
            case "id":
                return cell(row.tenant_id, width, "strong" if row.active else "faint")
            case "name":
                return cell(
                    row.name if row.active else f"(not active) {row.name}", width, "plain" if row.active else "faint"
                )
            case "size":
                return cell(row.size or "–", width, "muted")
            case "industry":
                return cell(row.industry or "–", width, "muted")
            case "region":
                return cell(row.region or "–", width, "muted")
            case "risk":
                return cell(_score(row.risk), width, "warning" if (row.risk or 0.0) >= 0.7 else "muted", right=True)
            case "engagement":
                return cell(_score(row.engagement), width, "muted", right=True)
            case "beta":
                return cell("beta" if row.beta else "", width)
            case _:
                own = sum(row.tenant_id in tenants for tenants in self.console.state.overrides.values())
                return cell(own or "", width, "warning", right=True)

    def none_yet(self) -> Sequence[Line]:
        """Why there are none, and what to do."""
        return [
            line("  no tenants are known: without them nobody can be counted or named"),
            line(span("  flagconsole tenants import FILE.csv", "key")),
        ]


class TenantsScreen(ListScreen):
    """Who the customers are."""

    name_in_keymap = "tenants"
    PANE_TELLS = True
    table: TenantTable

    def __init__(self, tenant_id: str | None = None) -> None:
        self.table = TenantTable(self._moved)
        super().__init__()
        self.table.select(tenant_id)
        self._counted: TenantFlags | None = None
        self._reached: tuple[Reached, ...] | str | None = None

    @property
    def filter_hint(self) -> str:
        """What can be typed."""
        return "text  !text  size:small  industry:rest  region:eu  beta:yes  own:yes  active:no"

    def title_line(self, width: int) -> Line:
        """How many there are."""
        state = self.console.state
        profiled = sum(row.profiled for row in state.profiles.values())
        left = line(
            span(" TENANTS ", "header"),
            span(len(state.tenants), "strong"),
            span(f" active, {profiled} with a profile", "muted"),
        )
        own = {tenant for tenants in state.overrides.values() for tenant in tenants}
        return spread(left, line(span(f"{len(own)} with an override ", "muted")), width)

    def on_mount(self) -> None:
        """Ask whom the newest incidents reached."""
        super().on_mount()
        self.background(self._ask_reached)

    async def _ask_reached(self) -> None:
        self._reached = await self.console.session.questions.reached()
        self.pane.repaint()

    def refill(self) -> None:
        """Those that pass the filter, by id."""
        state, words = self.console.state, filtering.words_of(self.filter_text)
        own = {tenant for tenants in state.overrides.values() for tenant in tenants}
        keys = sorted(
            row.tenant_id
            for row in state.profiles.values()
            if not words or filtering.passes(words, f"{row.tenant_id} {row.name}".casefold(), _fields(row, own))
        )
        self.table.fill(keys, len(state.profiles), self.filter_text)

    def _moved(self) -> None:
        self.row_changed()

    def _flags(self, tenant_id: str) -> TenantFlags | None:
        state, known = self.console.state, self._counted
        if known is not None and known.tenant_id == tenant_id and known.ruleset is state.ruleset:
            return known
        if len(state.flags) <= INLINE_FLAGS:
            self._counted = flags_of(state, tenant_id, self.console.server_now())
            return self._counted
        self.background(partial(self._count, tenant_id), group="count", exclusive=True)
        return known if known is not None and known.tenant_id == tenant_id else None

    async def _count(self, tenant_id: str) -> None:
        state, now = self.console.state, self.console.server_now()
        self._counted = await asyncio.to_thread(flags_of, state, tenant_id, now)
        self.pane.repaint()

    def pane_lines(self, width: int) -> Sequence[Line]:
        """Profile, flags, incidents."""
        row = self.console.state.profiles.get(self.table.selected or "")
        if row is None:
            return []
        rows = [line(span(row.tenant_id, "strong"), span(f"  {row.name}", "plain")), *profile_lines(row)]
        rows += [BLANK, *self._flag_lines(row.tenant_id, width)]
        return [*rows, BLANK, *self._incident_lines(row.tenant_id)]

    def _flag_lines(self, tenant_id: str, width: int) -> list[Line]:
        state, found = self.console.state, self._flags(tenant_id)
        if found is None:
            return [line(span("FLAGS", "header"), span("  counting …", "muted"))]
        rows = [
            line(
                span("FLAGS", "header"),
                span(f"  {found.enabled} enabled, {found.shadow} shadow"),
                span(f", {found.outside} outside, {found.off} off", "muted"),
            )
        ]
        longest = max((len(outcome.flag_name) for outcome in found.telling), default=0)
        size = min(longest, max(16, width // 2 - 10))
        for outcome in found.telling[:200]:
            flag = state.flags.get(outcome.flag_name)
            why = evaluation_words(outcome, flag.percentage, flag.cohort) if flag is not None else outcome.reason.value
            own = state.overrides.get(outcome.flag_name, {}).get(tenant_id)
            if own is not None and outcome.reason.value == "override":
                why = f"its own override by {own.who}: {own.reason}"
            name = cell(outcome.flag_name, size, "strong" if own is not None else "plain")
            state_cell = cell(state_span(outcome.state).text, 9, state_span(outcome.state).role)
            if len(why) <= width - size - 10:
                rows.append(line(name, " ", state_cell, span(why, "muted")))
            else:
                rows.append(line(name, " ", state_cell))
                rows += [line("  ", *row) for row in wrapped(why, width - 2, "muted", most=3)]
        if len(found.telling) > 200:
            rows.append(line(span(f"and {len(found.telling) - 200} more", "muted")))
        return rows

    def _incident_lines(self, tenant_id: str) -> list[Line]:
        heading, reached = span("INCIDENTS", "header"), self._reached
        if reached is None:
            return [line(heading, span("  asking …", "muted"))]
        if isinstance(reached, str):
            return [line(heading, span(f"  can't be had: {reached}", "warning"))]
        now, rows = self.console.server_now(), []
        for item in reached:
            if item.tenants is not None and tenant_id in item.tenants:
                when = f"{moment_text(item.started_at, now)}Z, {ago_words(now - item.started_at)}"
                rows.append(line("  ", span(item.flag_name, "strong"), span(f"  {when}  {item.incident_id}", "muted")))
        uncounted = sum(item.tenants is None for item in reached)
        note = f", {uncounted} not counted yet" if uncounted else ""
        many = (
            f"  {len(rows) or 'none'} of the newest {len(reached)} reached it{note}" if reached else "  there were none"
        )
        return [line(heading, span(many, "muted")), *rows]

    def own_handlers(self) -> Mapping[str, Handler]:
        """Watching a tenant in the fleet."""
        return {"watch": lambda _: self._watch()}

    def _watch(self) -> None:
        tenant = self.table.selected
        if tenant is not None:
            self.console.choose_tenant(tenant)
            self.console.say(f"the fleet's panes show what {tenant} gets {ARROW} Esc there drops it")

    def copyable(self) -> str:
        """The tenants that pass the filter, by id and name."""
        profiles = self.console.state.profiles
        return "\n".join(f"{key}\t{profiles[key].name}" for key in self.table.keys if key in profiles)


def profile_lines(row: TenantRow) -> list[Line]:
    """What is known of a tenant."""
    if not row.active:
        return [line(span("not active: it no longer counts for rollouts", "warning"))]
    users = f"{row.users} users" if row.users is not None else ""
    first = [part for part in (row.size, users, row.industry, row.region, row.timezone) if part]
    rows = [line(span(" · ".join(first), "muted"))] if first else []
    scores = []
    if row.risk is not None:
        scores.append(line("risk ", span(_score(row.risk), "warning" if row.risk >= 0.7 else "plain")))
    if row.engagement is not None:
        scores.append(line("engagement ", span(_score(row.engagement))))
    if row.beta:
        scores.append(line(span("beta participant")))
    if row.tickets is not None:
        scores.append(line(span(f"{row.tickets} tickets in 90 days")))
    rows += [joined(scores)] if scores else []
    if row.escalation_open or row.escalated_on:
        rows.append(
            line(span("! escalation open" if row.escalation_open else f"escalated on {row.escalated_on}", "warning"))
        )
    rows += [line(span(f"own: {', '.join(row.custom)}", "warning"))] if row.custom else []
    rows += [line(span(f"blackout {item}", "warning")) for item in row.blackouts]
    return rows or [line(span("no profile: the hash decides about cohorts", "muted"))]


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _fields(row: TenantRow, own: set[str]) -> filtering.Fields:
    return {
        "size": (row.size,),
        "industry": row.industry,
        "region": (row.region,),
        "beta": ("yes" if row.beta else "no",),
        "own": ("yes" if row.tenant_id in own else "no",),
        "active": ("yes" if row.active else "no",),
        "escalation": ("yes" if row.escalation_open else "no",),
    }
