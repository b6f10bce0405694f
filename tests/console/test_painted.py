"""Only what differs is drawn and sent: the cells of a row, the rows of a table."""

from __future__ import annotations

import re
from typing import Any

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from flagconsole.console.exact_update import ExactUpdate
from flagconsole.console.line import Line
from flagconsole.console.safe import Span
from flagconsole.console.theme import load_theme
from flagconsole.console.widgets.flag_table import FlagTable
from flagconsole.console.widgets.painted import differing


def strip(*texts: str) -> Strip:
    return Strip([Segment(text, Style(bold=bool(number % 2))) for number, text in enumerate(texts)])


def test_a_row_that_reads_the_same_differs_nowhere() -> None:
    assert differing(strip("one", "two", "three"), strip("one", "two", "three")) == []


def test_only_the_cells_that_differ_are_told() -> None:
    assert differing(strip("flag", "state", "reason"), strip("flag", "STATE", "reason")) == [(4, 9)]
    assert differing(strip("漢字", "state", "reason"), strip("漢字", "STATE", "REASON")) == [(4, 15)]


def test_a_few_cells_between_two_changes_are_sent_along_and_many_are_not() -> None:
    assert differing(strip("old", "abc", "old"), strip("new", "abc", "new")) == [(0, 9)]
    assert differing(strip("old", "abcdefgh", "old"), strip("new", "abcdefgh", "new")) == [(0, 3), (11, 14)]


def test_other_pieces_of_the_same_length_all_differ_from_where_they_part() -> None:
    assert differing(strip("one", "two and three"), strip("one", "two", " and three")) == [(3, 16)]


def test_an_update_writes_exactly_the_cells_of_its_spans() -> None:
    row = strip("flag ", "state ", "reason")
    update = ChopsUpdate([{0: row}, {0: row}], [(0, 5, 11), (1, 0, 17)], [[17], [17]])
    written = ExactUpdate.of(update).render_segments(Console(color_system="truecolor", force_terminal=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", written) == "\x1b[1;6Hstate \x1b[2;1Hflag state reason"


def test_a_piece_under_another_widget_is_left_out() -> None:
    update = ChopsUpdate([{0: strip("left "), 5: None, 8: strip("right")}], [(0, 2, 10)], [[5, 8, 13]])
    written = ExactUpdate.of(update).render_segments(Console(color_system=None))
    assert written == "\x1b[1;3Hft \x1b[1;9Hri"


def test_blanks_are_painted_with_their_neighbours_unless_they_look_different() -> None:
    palette = load_theme("night")
    row: Line = (Span(" ", "key"), Span("name", "strong"), Span("  ", "plain"), Span("12", "muted"))
    assert [segment.text for segment in palette.strip(row, 11)] == [" name  ", "12  "]
    for theme in ("night", "mono"):
        row = (Span("x", "plain"), Span("  ", "caret"), Span("y", "plain"))
        assert [segment.text for segment in load_theme(theme).strip(row, 5)] == ["x", "  ", "y "]


async def test_moving_the_cursor_draws_two_rows(open_console: Any) -> None:
    async with open_console() as console:
        await console.settled()
        table = console.app.screen.query_one(FlagTable)
        before, here = list(table._strips or ()), table.position
        await console.press("j", pause=0.0)
        await console.until(lambda: table.position == here + 1)
        changed = [number for number, strip in enumerate(table._strips or ()) if strip is not before[number]]
        assert changed == [here + 1, here + 2]


async def test_a_row_that_changed_is_drawn_anew_and_grows_old(open_console: Any, server: Any) -> None:
    async with open_console((120, 40)) as console:
        await console.settled()
        server.change("ai.vector_search", "on", reason="tried in staging")
        await console.until("tried in staging")
        console.clock.now += 65
        console.app._tick()
        await console.until("1m")
