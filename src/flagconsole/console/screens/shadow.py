"""Shadow: the flags that run read-only, what was measured of them, and how far that is from a canary's demands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from flagconsole.console import filtering
from flagconsole.console.ages import age_text, ago, ago_words
from flagconsole.console.glyphs import DONE, FAILED
from flagconsole.console.line import BLANK, Line, cell, line, spread, wrapped
from flagconsole.console.questions import ShadowMeasured
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import Span, span
from flagconsole.console.screens.list_screen import ListScreen
from flagconsole.console.state import ConsoleState
from flagconsole.console.widgets.detail import title_lines
from flagconsole.console.widgets.virtual_table import Column, VirtualTable, fitted, row_line
from flagconsole.domain.states import FlagState

#: What a canary asks of shadow: the least share of successes, the largest share of errors.
LEAST_SUCCESS: Final = 0.95
MOST_ERRORS: Final = 0.02
#: Seconds after which a flag's measurements are asked for again.
ASK_AGAIN: Final = 30.0


class Asked(NamedTuple):
    """What the server said of a flag, and when (monotonic seconds)."""

    at: float
    answer: ShadowMeasured | str


def in_shadow(state: ConsoleState, row: FlagRow) -> bool:
    """Whether a flag runs in shadow for anyone: by its state, or by a tenant's override."""
    own = state.overrides.get(row.name, {}).values()
    return row.state is FlagState.SHADOW or any(item.state is FlagState.SHADOW for item in own)


class ShadowTable(VirtualTable[str]):
    """The flags in shadow by their names."""

    def __init__(self, on_move: Callable[[], None], known: Callable[[str], Asked | None]) -> None:
        super().__init__()
        self._on_move = on_move
        self._known = known
        self.filtered_away = ""

    def moved(self) -> None:
        """The pane tells of another one."""
        self._on_move()

    def shape(self, width: int) -> Sequence[Column]:
        """The columns."""
        return fitted(
            [
                Column("name", "FLAG", 22, grows=True),
                Column("since", "SINCE", 5, right=True),
                Column("operations", "OPS 24h", 8, right=True, spare=1),
                Column("success", "SUCC%", 6, right=True),
                Column("errors", "ERR%", 6, right=True),
                Column("latency", "P95 ms", 7, right=True, spare=2),
                Column("age", "AGE", 5, right=True, spare=3),
            ],
            width,
        )

    def row(self, key: str, shape: Sequence[Column], *, cursor: bool) -> Line:
        """One flag."""
        row = self.console.state.flags.get(key)
        return BLANK if row is None else row_line([self._cell(row, column) for column in shape], cursor=cursor)

    def _cell(self, row: FlagRow, column: Column) -> Span:
        width, asked = column.width, self._known(row.name)
        if column.id == "name":
            return cell(row.name, width, "strong")
        if column.id == "since":
            since = self.console.server_now() - (row.last.at if row.last is not None else row.updated_at)
            return cell(ago(since), width, "muted", right=True)
        found = asked.answer if asked is not None and isinstance(asked.answer, ShadowMeasured) else None
        if found is None:
            return cell("…" if asked is None else "?", width, "faint", right=True)
        match column.id:
            case "operations":
                return cell(found.operations or "–", width, right=True)
            case "success":
                bad = found.success_rate is not None and found.success_rate < LEAST_SUCCESS
                return cell(_percent(found.success_rate), width, "danger" if bad else "plain", right=True)
            case "errors":
                bad = found.error_rate is not None and found.error_rate > MOST_ERRORS
                return cell(_percent(found.error_rate), width, "danger" if bad else "plain", right=True)
            case "latency":
                return cell("–" if found.latency_p95 is None else f"{found.latency_p95:.0f}", width, right=True)
            case _:
                return cell("–" if found.age is None else ago(found.age), width, "muted", right=True)

    def empty(self) -> Sequence[Line]:
        """Why there are none, and what to do."""
        if self.filtered_away:
            return [
                line("  no flag in shadow passes the filter ", span(self.filtered_away, "strong"), "   Esc shows all")
            ]
        return [
            line("  no flag runs in shadow: set one to shadow, or start its rollout, whose first phase is shadow"),
            line(span('  flagconsole set FLAG shadow "why"', "key"), span("   or   ", "muted"),
                 span('flagconsole start FLAG "why"', "key")),
        ]  # fmt: skip


class ShadowScreen(ListScreen):
    """What runs read-only."""

    name_in_keymap = "shadow"
    table: ShadowTable

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self.table = ShadowTable(self._moved, self._asked.get)
        super().__init__()

    @property
    def filter_hint(self) -> str:
        """What can be typed."""
        return "text  !text  owner:pay"

    @property
    def filter_counts(self) -> tuple[int, int]:
        """Flags in shadow."""
        state = self.console.state
        return len(self.table.keys), sum(in_shadow(state, row) for row in state.flags.values())

    def target(self) -> str | None:
        """The flag under the cursor."""
        return self.table.selected

    def title_line(self, width: int) -> Line:
        """What a canary asks for."""
        left = line(span(" SHADOW ", "header"), span(f"{len(self.table.keys)} flags run read-only", "plain"))
        return spread(
            left,
            line(span(f"a canary asks for success ≥ {LEAST_SUCCESS:.0%}, errors ≤ {MOST_ERRORS:.0%} ", "muted")),
            width,
        )

    def refill(self) -> None:
        """Those that pass the filter, by name."""
        state, words = self.console.state, filtering.words_of(self.filter_text)
        keys = sorted(
            row.name
            for row in state.flags.values()
            if in_shadow(state, row) and filtering.passes(words, row.name.casefold(), {"owner": row.owner.casefold()})
        )
        self.table.filtered_away = (
            self.filter_text if any(in_shadow(state, row) for row in state.flags.values()) else ""
        )
        self.table.take(self.table.keys if keys == self.table.keys else keys)
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
            answer = await self.console.session.questions.shadow_measured(name)
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
        rows += [BLANK, line(span("MEASURED IN SHADOW, last 24 h", "header"))]
        if asked is None:
            rows.append(line(span("asking …", "muted")))
        elif isinstance(asked.answer, str):
            rows.append(line(span(f"can't be had: {asked.answer}", "warning")))
        else:
            rows += measured_lines(asked.answer, width)
        rows += [BLANK, line(span("READINESS", "header"))]
        said = "not known: it is made of shadow results (consistency, UI intents, effects kept back), and this server has none"
        return [*rows, *wrapped(said, width, "warning", most=3)]


def measured_lines(found: ShadowMeasured, width: int) -> list[Line]:
    """What services measured while the flag was in shadow, against what a canary asks for."""
    if not found.operations:
        said = "nothing was measured. Services report what runs in shadow when they wrap it in the SDK's operation()"
        return wrapped(said, width, "warning", most=3)
    age = "" if found.age is None else f", newest {age_text(found.age)} old"
    rows = [line(span(found.operations, "strong"), span(f" operations of {found.tenants} tenants{age}"))]
    rows.append(
        _against("success", found.success_rate, f"≥ {LEAST_SUCCESS:.0%}", (found.success_rate or 0) >= LEAST_SUCCESS)
    )
    rows.append(_against("errors", found.error_rate, f"≤ {MOST_ERRORS:.0%}", (found.error_rate or 0) <= MOST_ERRORS))
    if found.latency_p95 is not None:
        rows.append(line(cell("  p95", 11), cell(f"{found.latency_p95:.0f} ms", 9, right=True)))
    return rows


def _against(name: str, value: float | None, limit: str, good: bool) -> Line:
    if value is None:
        return line(cell(f"? {name}", 11, "warning"), span("not measured", "muted"))
    mark, role = (DONE, "good") if good else (FAILED, "danger")
    return line(
        cell(f"{mark} {name}", 11, role), cell(f"{value:.2%}", 9, right=True), span(f"  wanted {limit}", "muted")
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.2f}"
