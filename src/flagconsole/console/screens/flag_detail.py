"""Flag detail: everything known of one flag on one screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.widget import Widget

from flagconsole.console.ages import ago_words, moment_text
from flagconsole.console.glyphs import ARROW
from flagconsole.console.line import Line, cell, line
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.screens.console_screen import ConsoleScreen, Handler
from flagconsole.console.state import ConsoleState
from flagconsole.console.widgets import detail
from flagconsole.console.widgets.painted import Painted
from flagconsole.domain.states import FlagState


def override_lines(state: ConsoleState, name: str, now: float, most: int = 12) -> list[Line]:
    """The tenants that have a state of their own."""
    own = sorted(state.overrides.get(name, {}).values(), key=lambda item: item.tenant_id)
    rows = []
    for item in own[:most]:
        until = ""
        if item.expires_at is not None:
            until = " expired" if item.expires_at <= now else f" until {moment_text(item.expires_at, now)}Z"
        rows.append(
            line(
                span(item.tenant_id, "strong"),
                f" {ARROW} ",
                detail.state_span(item.state),
                span(f"{until}  {item.who}: {item.reason}", "muted"),
            )
        )
    if len(own) > most:
        rows.append(line(span(f"and {len(own) - most} more", "muted")))
    return rows


def instance_lines(state: ConsoleState, now: float) -> list[Line]:
    """The running SDKs: which have confirmed the newest revision, and who is behind."""
    rows = sorted(state.expected, key=lambda item: (item.service, item.instance_id))
    behind = [row for row in rows if not row.confirms(state.epoch, state.revision)]
    if not rows:
        return [line(span("no running SDK is known", "muted"))]
    lines = [line(span(f"{len(rows) - len(behind)} of {len(rows)}", "strong"), f" have applied rev {state.revision}")]
    lines += [
        line(
            span(f"! {row.instance_id}", "warning"),
            span(f"  at rev {row.revision}, heard {ago_words(now - row.last_seen)}, {row.transport}", "muted"),
        )
        for row in behind[:6]
    ]
    return lines


def recent_lines(state: ConsoleState, name: str, now: float, most: int = 8) -> list[Line]:
    """The flag's newest changes."""
    rows = [row for row in state.history if row.flag_name == name][:most]
    return [
        line(
            cell(moment_text(row.at, now), 11, "muted"),
            " ",
            cell(row.who, 10),
            " ",
            span(f"{row.before} {ARROW} {row.after}"),
            span(f"  {row.tenant_id}" if row.tenant_id is not None else "", "strong"),
            span(f"  “{row.reason}”", "muted"),
        )
        for row in rows
    ]


def cohort_words(row: FlagRow) -> str:
    """Who is enabled, in words."""
    match row.state:
        case FlagState.CANARY if row.cohort:
            return f"on for {row.cohort} chosen tenants"
        case FlagState.CANARY:
            return f"on for {row.percentage} % of tenants, drawn by hash"
        case FlagState.ON:
            return "on for every tenant without an override"
        case FlagState.SHADOW:
            return "runs read-only for every tenant without an override"
        case FlagState.KILL:
            return "emergency off: no tenant has it, whatever its override"
        case _:
            return "off for every tenant without an override"


class FlagDetailBody(Painted):
    """The sections, in two columns where there is room. ``top`` is how far it is scrolled."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.flag_name = name
        self.top = 0

    def sections(self, width: int) -> list[Line]:
        """All rows."""
        console = self.console
        state, now = console.state, console.server_now()
        row = state.flags.get(self.flag_name)
        if row is None:
            return [line(span(self.flag_name, "strong"), span("  is archived", "warning"))]
        wide = width >= 110
        half = (width - 3) // 2 if wide else width
        left = [line(span(cohort_words(row))), *detail.reach_lines(state, row)]
        left += detail.section("TENANT", detail.tenant_lines(state, row, now, half) or _no_tenant())
        left += detail.section("NEEDS", detail.dependency_lines(state, row))
        left += detail.section("NEEDED BY", detail.dependent_lines(state, row))
        left += detail.section("OVERRIDES", override_lines(state, row.name, now))
        right: list[Line] = []
        if row.state is not FlagState.KILL:
            right += detail.section("IF KILLED", detail.impact_lines(console.impact_of(row.name), half))[1:]
        right += detail.section("INSTANCES", instance_lines(state, now))[0 if right else 1 :]
        recent = detail.section("RECENT CHANGES", recent_lines(state, row.name, now))
        title = detail.title_lines(row, width)
        both = detail.columns_of(left, right, width) if wide else [*left, (), *right]
        return [*title, (), *both, *recent]

    def draw(self, width: int, height: int) -> list[Line]:
        """What is scrolled into view."""
        rows = self.sections(width - 2)
        self.top = max(0, min(self.top, len(rows) - height))
        return [line(" ", *row) for row in rows[self.top : self.top + height]]


def _no_tenant() -> list[Line]:
    return [line(span("t", "key"), span(" choose one: what it gets, and why", "muted"))]


class FlagDetailScreen(ConsoleScreen):
    """One flag."""

    name_in_keymap = "detail"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.content_rows = FlagDetailBody(name)

    def body(self) -> Iterable[Widget]:
        """The sections."""
        yield self.content_rows

    def target(self) -> str | None:
        """The flag that is shown."""
        return self.content_rows.flag_name

    def handlers(self) -> Mapping[str, Handler]:
        """What the detail's own commands do."""
        return {
            "detail.down": lambda _: self._scroll(1),
            "detail.up": lambda _: self._scroll(-1),
            "next_flag": lambda _: self._other(1),
            "previous_flag": lambda _: self._other(-1),
            "detail_back": lambda _: self.console.back(),
            "detail_leave": lambda _: self.console.leave(),
        }

    def _scroll(self, rows: int) -> None:
        self.content_rows.top += rows
        self.content_rows.repaint()

    def _other(self, rows: int) -> None:
        self.console.move_selection(rows)
        self.content_rows.flag_name = self.console.state.selected or self.content_rows.flag_name
        self.content_rows.top = 0
        self.show(frozenset())

    def tick(self) -> None:
        """Ages."""
        super().tick()
        self.content_rows.repaint()
