"""The one constructor for text, and the filter behind it."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from flagconsole.console.safe import HostileFilter, content, rich_text, span
from flagconsole.console.text_entry import Entry

BLACK = Color(0, 0, 0)


def test_span_makes_controls_visible() -> None:
    assert span("a\x1b]52;c;aGk=\x07b").text == "a\\u{1b}]52;c;aGk=\\u{7}b"
    assert span(7).text == "7"


def test_markup_stays_text() -> None:
    text = "[@click=app.bell]x[/] [red]y[/red]"
    assert content(text).plain == text
    assert not content(text).spans
    assert rich_text(text).plain == text


def test_filter_replaces_what_slipped_through_and_keeps_the_rest() -> None:
    style = Style(bold=True)
    clean = [Segment("● fine", style)]
    assert HostileFilter().apply(clean, BLACK) is clean
    dirty = HostileFilter().apply([Segment("a\x9b2J\u202eb", style), *clean], BLACK)
    assert [segment.text for segment in dirty] == ["a\ufffd2J\ufffdb", "● fine"]
    assert dirty[0].style == style


def test_entry_edits_one_line() -> None:
    entry = Entry()
    for key in "pos lite":
        entry = entry.press("x", key) or entry
    assert entry.text == "pos lite"
    entry = entry.press("ctrl+w", None) or entry
    assert entry == Entry("pos ", 4)
    entry = (entry.press("home", None) or entry).insert("!")
    assert entry == Entry("!pos ", 1)
    entry = entry.press("backspace", None) or entry
    entry = (entry.press("end", None) or entry).press("delete", None) or entry
    assert entry.text == "pos "
    assert entry.press("pagedown", None) is None
    assert Entry().insert("a\nb\x1b").text == "a b\\u{1b}"
