"""Shadow: the flags that run read-only, what their executions came to, and how ready they are for a canary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from flagconsole.console import filtering
from flagconsole.console.ages import ago, ago_words
from flagconsole.console.glyphs import DONE, FAILED
from flagconsole.console.line import BLANK, Line, cell, line, spread
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import Span, span
from flagconsole.console.screens.list_screen import ListScreen
from flagconsole.console.state import ConsoleState
from flagconsole.console.widgets.detail import title_lines
from flagconsole.console.widgets.list_table import ListTable
from flagconsole.console.widgets.shadow_report import report_lines
from flagconsole.console.widgets.virtual_table import Column
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.domain.shadow_report import ShadowReport

#: Seconds after which a flag's measurements are asked for again.
ASK_AGAIN: Final = 30.0


class Asked(NamedTuple):
    """What the server said of a flag, and when (monotonic seconds)."""

    at: float
    answer: ShadowReport | str


def in_shadow(state: ConsoleState, row: FlagRow) -> bool:
    """Whether a flag runs in shadow for anyone: by its state, or by a tenant's override."""
    own = state.overrides.get(row.name, {}).values()
    return row.state is FlagState.SHADOW or any(item.state is FlagState.SHADOW for item in own)


class ShadowTable(ListTable[str, FlagRow]):
    """The flags in shadow by their names."""

    NOTHING = "no flag in shadow"

    def __init__(self, on_move: Callable[[], None], measured: Callable[[str], Asked | None]) -> None:
        super().__init__(on_move)
        self._measured = measured

    def columns(self, width: int) -> Sequence[Column]:
        """The columns."""
        return [
            Column("name", "FLAG", 22, grows=True),
            Column("since", "SINCE", 5, right=True),
            Column("ready", "FOR CANARY", 11),
            Column("executions", "EXEC 24h", 8, right=True, spare=1),
            Column("success", "SUCC%", 6, right=True, spare=2),
            Column("errors", "ERR%", 6, right=True),
            Column("consistent", "SAME%", 6, right=True, spare=3),
            Column("age", "AGE", 4, right=True, spare=4),
        ]

    def found(self, key: str) -> FlagRow | None:
        """One flag."""
        return self.console.state.flags.get(key)

    def cell_of(self, row: FlagRow, column: Column) -> Span:
        """What it says in a column."""
        width, asked = column.width, self._measured(row.name)
        if column.id == "name":
            return cell(row.name, width, "strong")
        if column.id == "since":
            since = self.console.server_now() - (row.last.at if row.last is not None else row.updated_at)
            return cell(ago(since), width, "muted", right=True)
        found = asked.answer if asked is not None and not isinstance(asked.answer, str) else None
        if found is None:
            return cell("…" if asked is None else "?", width, "faint", right=True)
        match column.id:
            case "ready":
                return _ready(found, width)
            case "executions":
                return cell(found.executions or "none", width, "plain" if found.executions else "warning", right=True)
            case "success":
                return cell(_percent(found.success_rate), width, right=True)
            case "errors":
                return cell(_percent(found.error_rate), width, right=True)
            case "consistent":
                return cell(_percent(found.consistency), width, right=True)
            case _:
                return cell("–" if found.age_seconds is None else ago(found.age_seconds), width, "muted", right=True)

    def none_yet(self) -> Sequence[Line]:
        """Why there are none, and what to do."""
        return [
            line("  no flag runs in shadow: set one to shadow, or start its rollout, whose first phase is shadow"),
            line(span('  flagconsole set FLAG shadow "why"', "key"), span("   or   ", "muted"),
                 span('flagconsole start FLAG "why"', "key")),
        ]  # fmt: skip


class ShadowScreen(ListScreen):
    """What runs read-only."""

    name_in_keymap = "shadow"
    PANE_TELLS = True
    table: ShadowTable

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self.table = ShadowTable(self._moved, self._asked.get)
        super().__init__()

    @property
    def filter_hint(self) -> str:
        """What can be typed."""
        return "text  !text  owner:pay"

    def target(self) -> str | None:
        """The flag under the cursor."""
        return self.table.selected

    def title_line(self, width: int) -> Line:
        """What a canary asks for."""
        count = len(self.table.keys)
        left = line(span(" SHADOW ", "header"), span(f"{count} flag{'s run' if count != 1 else ' runs'} read-only"))
        return spread(left, line(span("  a canary asks for success ≥ 95 %, errors ≤ 2 % ", "muted")), width)

    def refill(self) -> None:
        """Those that pass the filter, by name."""
        state, words = self.console.state, filtering.words_of(self.filter_text)
        rows = [row for row in state.flags.values() if in_shadow(state, row)]
        keys = sorted(
            row.name for row in rows if filtering.passes(words, row.name.casefold(), {"owner": row.owner.casefold()})
        )
        self.table.fill(keys, len(rows), self.filter_text)
        self._ask_for_what_is_seen()

    def _moved(self) -> None:
        self.row_changed()
        self._ask_for_what_is_seen()

    def _ask_for_what_is_seen(self) -> None:
        """Ask for the flags in view whose figures are missing or have aged."""
        at, table = self.console.clock.monotonic(), self.table
        seen = table.keys[table.top : table.top + max(1, table.size.height)]
        wanted = [key for key in seen if (known := self._asked.get(key)) is None or at - known.at >= ASK_AGAIN]
        if wanted and self.console.state.loaded:
            self.background(partial(self._ask, wanted), group="measured")

    async def _ask(self, names: Sequence[str]) -> None:
        for name in names:
            known = self._asked.get(name)
            if known is not None and self.console.clock.monotonic() - known.at < ASK_AGAIN:
                continue  # another asker was quicker
            answer = await self.console.session.questions.shadow_report(name)
            self._asked[name] = Asked(self.console.clock.monotonic(), answer)
            self.table.repaint()
            self.pane.repaint()

    def pane_lines(self, width: int) -> Sequence[Line]:
        """The flag under the cursor: since when, what was measured, what isn't known."""
        state, now = self.console.state, self.console.server_now()
        row = state.flags.get(self.table.selected or "")
        if row is None:
            return []
        rows = title_lines(row, width)
        if row.state is not FlagState.SHADOW:
            names = sorted(n for n, item in state.overrides.get(row.name, {}).items() if item.state is FlagState.SHADOW)
            rows.append(line(span(f"in shadow only for {', '.join(names[:4])}", "muted")))
        elif row.last is not None:
            rows.append(
                line(span(f"changed {ago_words(now - row.last.at)} by {row.last.who}: “{row.last.reason}”", "muted"))
            )
        asked = self._asked.get(row.name)
        rows.append(BLANK)
        if asked is None:
            return [*rows, line(span("asking …", "muted"))]
        if isinstance(asked.answer, str):
            return [*rows, line(span(f"the report can't be had: {asked.answer}", "warning"))]
        return [*rows, *report_lines(asked.answer, width)]


def _ready(report: ShadowReport, width: int) -> Span:
    if not report.executions:
        return cell("? no data", width, "warning")
    ready = report.ready_for_canary.ready
    return cell(f"{DONE} ready" if ready else f"{FAILED} not ready", width, "good" if ready else "danger")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.2f}"
