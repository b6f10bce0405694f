"""The gate between strangers' text and a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagconsole.domain.text import MAX_LENGTH, is_hostile, safe_text


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("invoices.write", "invoices.write"),
        ("Fehler über 2 % – später", "Fehler über 2 % – später"),
        ("\x1b]52;c;cm0gLXJm\x07", "\\u{1b}]52;c;cm0gLXJm\\u{7}"),
        ("\x9b2J", "\\u{9b}2J"),
        ("one\r\n\ttwo\u2028three", "one two three"),
        ("a\u202egnp.exe", "a\\u{202e}gnp.exe"),
        ("pay\u200bpal", "pay\\u{200b}pal"),
        ("x\U000e0041y", "x\\u{e0041}y"),
        ("\ud83d", "\\u{d83d}"),
        ("del\x7f", "del\\u{7f}"),
        ("[red]kill[/red]", "[red]kill[/red]"),
        (42, "42"),
    ],
)
def test_what_is_shown(given_text, shown):
    assert safe_text(given_text) == shown


def test_long_text_is_cut_with_a_mark():
    assert safe_text("x" * 501) == "x" * 499 + "…"
    assert safe_text("x" * 10_000_000, 10) == "xxxxxxxxx…"
    assert safe_text("x" * 500) == "x" * 500


def test_towers_of_combining_marks_are_cut():
    assert safe_text("e" + "\u0301" * 50 + "!") == "e" + "\u0301" * 3 + "…!"


@given(st.text(max_size=3000), st.integers(2, 600))
def test_nothing_hostile_gets_through(text, limit):
    shown = safe_text(text, limit)
    assert len(shown) <= limit
    assert not is_hostile(shown)
    shown.encode("utf-8")  # no lone surrogate is left to fail here
    assert all(unicodedata.category(char) not in ("Cc", "Cs") for char in shown)
    assert not any(char in shown for char in "\n\r\t\v\f\u2028\u2029\x85")


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=MAX_LENGTH))
def test_plain_text_is_left_alone(text):
    assert safe_text(text) == text
