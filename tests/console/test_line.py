"""Rows measured in cells."""

from __future__ import annotations

import pytest

from flagconsole.console.line import (
    cell,
    cut,
    cut_text,
    folded,
    joined,
    line,
    line_width,
    pad,
    spread,
    text_of,
    wrapped,
)
from flagconsole.console.safe import span
from flagconsole.console.text_entry import Entry


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("short", 10, "short"),
        ("exactly", 7, "exactly"),
        ("too long", 5, "too…"),
        ("名前名前", 5, "名前…"),
        ("x", 0, ""),
    ],
)
def test_cut_ends_in_an_ellipsis(text: str, width: int, cut: str) -> None:
    assert cut_text(text, width) == cut


def test_what_is_typed_stays_in_view_where_it_is_longer_than_the_row() -> None:
    entry = Entry.of("kill pos.loyalty_points because 名前 of it")
    assert text_of(cut(entry.line("> "), 20)) == "> …cause 名前 of it "
    middle = entry._replace(cursor=10)
    assert text_of(cut(middle.line("> "), 20)) == "> kill pos.loyalty_…"
    assert text_of(cut(middle.line("> "), 10)) == "> …pos.lo…"
    for cursor in range(len(entry.text) + 1):
        row = cut(entry._replace(cursor=cursor).line("> "), 12)
        assert line_width(row) <= 12
        assert [part.role for part in row].count("caret") == 1, "whoever types sees where"


@pytest.mark.parametrize("width", [1, 2, 5, 12, 40])
def test_pad_is_exact_whatever_is_in_it(width: int) -> None:
    for row in (line("abc", span("名前名前"), "…"), line(), line(span("e\u0301" * 9))):
        assert line_width(pad(row, width)) == width


def test_spread_keeps_the_right_end() -> None:
    row = spread(line("a long left side"), line("right"), 12)
    assert text_of(row) == "a long…right"


def test_cell_stands_right() -> None:
    assert cell(7, 4, right=True).text == "   7"
    assert cell("名前です", 5).text == "名前…"


def test_wrapped_breaks_at_blanks_and_says_when_it_stops() -> None:
    rows = [text_of(row) for row in wrapped("one two three four five", 9, most=2)]
    assert rows == ["one two", "three …"]
    assert all(len(text_of(row)) <= 4 for row in wrapped("x" * 30, 4))


def test_joined_leaves_out_the_empty() -> None:
    assert text_of(joined([line("a"), (), line("b")], " · ")) == "a · b"


def test_a_row_that_is_too_long_goes_on_below_behind_its_label() -> None:
    row = line(
        span("SDKS   ", "header"), "12 instances expected to confirm; 3 more will be told, ", span("now", "strong"), "!"
    )
    assert [text_of(part) for part in folded(row, 40)] == [
        "SDKS   12 instances expected to confirm;",
        "       3 more will be told, now!",
    ]
    assert folded(row, 80) == [row]


def test_a_row_is_broken_nowhere_but_at_blanks_and_keeps_its_styles() -> None:
    row = line(span("  · ", "muted"), span("“two", "plain"), span("words”", "warning"), " and what follows them")
    broken = folded(row, 20)
    assert [text_of(part) for part in broken] == ["  · “twowords” and", "    what follows", "    them"]
    assert {part.role for part in broken[0]} == {"muted", "plain", "warning"}


def test_what_is_no_row_yet_is_left_alone() -> None:
    # A widget draws once before it has its place: then it is less than nothing wide.
    assert folded((), -4) == [()]
    assert folded(line("a few words"), -4) == [line("a few words")]
