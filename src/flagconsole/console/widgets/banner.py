"""The banner under the environment bar: what is wrong with the connection, and what else the user has to know."""

from __future__ import annotations

from typing import Final

from flagconsole.console.ages import age_text, clock_text
from flagconsole.console.line import Line, line, spread
from flagconsole.console.safe import span
from flagconsole.console.state import Connection, ConsoleState, Phase
from flagconsole.console.widgets.painted import Painted

#: Seconds of connecting after which it is said that what is shown comes from the cache. Most servers are quicker.
PATIENCE: Final = 1.5
#: Warnings that are shown at once.
MOST_WARNINGS: Final = 2


def offline_lines(state: ConsoleState, width: int, now: float, monotonic: float) -> list[Line]:
    """Two rows: that nothing can be sent, since when; how old the data is, what is wrong, when it is tried again."""
    connection = state.connection
    since = ""
    if connection.lost_at is not None:
        lost = monotonic - connection.lost_at
        since = f" · since {clock_text(now + connection.skew - lost)}Z ({age_text(lost)})"
    retry = ""
    if connection.retry_at is not None:
        wait = connection.retry_at - monotonic
        retry = f"  next try in {wait:.0f}s " if wait >= 0.5 else "  trying now "
    word = "OFFLINE" if connection.phase is Phase.OFFLINE else "NOT CONNECTED YET"
    data = line(span(f" {_data_of(connection, state.loaded, now, monotonic)}"))
    problem = line(span(f" · {connection.problem}")) if connection.problem else ()
    return [
        line(span(f" {word} · READ-ONLY · nothing is queued{since}")),
        spread((*data, *problem), line(span(retry)), width),
    ]


def _data_of(connection: Connection, loaded: bool, now: float, monotonic: float) -> str:
    kept = "the cache" if connection.recalled else "data"
    if not loaded:
        return "there is no data yet"
    if connection.fresh_at is None:
        return f"{kept} of an unknown age"
    age = monotonic - connection.fresh_at
    day = "" if age < 72_000 else f" ({int(age // 86_400)} days)" if age >= 172_800 else " (yesterday)"
    return f"{kept} of {clock_text(now - age + connection.skew)}Z{day}, {age_text(age)} old"


class Banner(Painted):
    """Takes no room while there is nothing to say."""

    ground = "banner"

    def lines(self, width: int) -> list[Line]:
        """What is to be said now."""
        console, clock = self.console, self.console.clock
        connection = console.state.connection
        rows: list[Line] = []
        waiting = connection.phase is Phase.CONNECTING and console.state.loaded
        if connection.phase is Phase.OFFLINE or (waiting and clock.monotonic() - console.began_at >= PATIENCE):
            rows += offline_lines(console.state, width, clock.time(), clock.monotonic())
        armed = console.arming.words()
        if armed and not console.sheet_open:
            rows.append(spread(line(span(f" {armed}")), line("  a shows it "), width))
        for words in list(console.warnings.values())[:MOST_WARNINGS]:
            rows.append(spread(line(span(f" ! {words}")), line("  x hides this "), width))
        return rows

    def fit(self) -> None:
        """As high as there is to say."""
        height = self.rows_taken
        self.display = height > 0
        self.styles.height = max(1, height)

    @property
    def rows_taken(self) -> int:
        """The rows that it takes now."""
        return len(self.lines(self.app.size.width))

    def draw(self, width: int, height: int) -> list[Line]:
        """The rows."""
        return self.lines(width)
