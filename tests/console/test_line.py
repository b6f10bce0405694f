"""Rows measured in cells."""

from __future__ import annotations

import pytest

from flagconsole.console.line import cell, cut, cut_text, joined, line, line_width, pad, spread, text_of, wrapped
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
