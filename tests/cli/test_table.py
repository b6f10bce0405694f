"""Tables: aligned by columns of the terminal, cut to its width, safe."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from flagconsole.cli.output import when
from flagconsole.cli.table import Cell, cell_width, fitted, table
from flagconsole.cli.table_prose import table_with_prose

from .conftest import Run


def lines(width: int | None, *rows: list[Cell | str], colours: bool = False) -> list[str]:
    return table(["NAME", "WHY"], rows, width=width, colours=colours).lines


def test_columns_begin_at_the_same_place_also_behind_wide_and_combining_letters():
    shown = lines(None, ["ab", "x"], ["日本", "x"], ["e\u0301e", "x"])
    assert {cell_width(line[: line.rindex("x")]) for line in shown[1:]} == {6}


def test_without_a_width_nothing_is_cut():
    assert lines(None, ["a", "w" * 400])[1].endswith("w" * 400)


def test_a_terminal_gets_lines_that_fit_and_the_prose_gives_way_first():
    shown = lines(40, ["invoices.write", "because the error rate went above two percent"])
    assert all(cell_width(line) <= 40 for line in shown)
    assert shown[1].startswith("invoices.write  because the error")
    assert shown[1].endswith("…")


def test_wide_letters_are_never_cut_in_half():
    assert fitted("日本語", 4) == "日…"
    assert fitted("日本語", 6) == "日本語"


def test_cells_are_made_safe():
    (_, line) = lines(None, ["\x1b[31m", "a\nb"])
    assert line == "\\u{1b}[31m  a b"


def test_colours_only_where_they_are_wanted_and_outside_the_alignment():
    rows = [[Cell("kill", "red", bold=True), "x"], [Cell("off", dim=True), "x"]]
    assert "\x1b" not in "".join(table(["S", "W"], rows, width=None, colours=False).lines)
    coloured = table(["S", "W"], rows, width=None, colours=True).lines
    assert coloured[1] == "\x1b[31m\x1b[1mkill\x1b[0m  x"


NOW = datetime.now(UTC)
LONG_AGO = datetime(2025, 2, 3, 4, 5, 6, tzinfo=UTC)
CHANGES: list[list[Cell | str]] = [
    ["58", when(LONG_AGO), "scheduling.route_optimization", "", Cell("on → off"), "maria.oncall", "it was " * 20],
    ["57", when(LONG_AGO), "scheduling.route_planning", "", Cell("on → off"), "controller", "error rate"],
]
HEADER = ["ID", "WHEN", "FLAG", "TENANT", "WHAT", "BY", "WHY"]


def test_at_every_width_lines_fit_and_flags_are_told_apart():
    for width in range(33, 220):
        laid_out = table(HEADER, CHANGES, width=width, colours=False)
        assert all(cell_width(line) <= width for line in laid_out.lines)
        assert "scheduling.route_optimization" in laid_out.lines[1]
        assert "scheduling.route_planning" in laid_out.lines[2]
        shown = set(re.split(r"\s{2,}", laid_out.lines[0].replace(" UTC", "")))
        assert shown | set(laid_out.left_out) == {*HEADER} - {"TENANT"}, "an empty one isn't missed, any other is named"


def test_who_and_why_stand_below_where_they_cannot_be_read_beside():
    for width in (60, 80):
        laid_out = table_with_prose(HEADER, CHANGES, 2, width=width, colours=False)
        assert laid_out.left_out == []
        assert all(cell_width(line) <= width for line in laid_out.lines)
        text = "\n".join(laid_out.lines)
        assert "    maria.oncall: it was it was" in text
        assert text.split().count("was") == 20, "the whole reason"
        assert "\n    controller: error rate" in text
    wide = table_with_prose(HEADER, CHANGES, 2, width=140, colours=False)
    assert wide == table(HEADER, CHANGES, width=140, colours=False)


def test_what_gives_way_is_first_the_time_then_the_prose_and_then_whole_columns():
    def shown(width: int) -> str:
        return table(HEADER, CHANGES, width=width, colours=False).lines[1]

    assert "2025-02-03 04:05:06Z" in shown(200)
    assert re.fullmatch(r"58  2025-02-03  \S+  on → off  maria.oncall  it was.*…", shown(90))
    assert shown(60).endswith("on → off")
    assert "…" not in shown(60)


def test_a_column_of_times_is_short_as_a_whole_and_its_name_says_the_zone():
    today: list[Cell] = [when(NOW), Cell("on → off"), Cell("why " * 30)]
    rows = [today, [when(LONG_AGO), "on → off", ""], [when(None), "on → off", ""]]
    head, *lines = table(["WHEN", "WHAT", "WHY"], rows, width=40, colours=False).lines
    assert head.startswith("WHEN UTC    WHAT")
    assert today[0].short == lines[0].split()[0]
    assert lines[1].startswith("2025-02-03  on → off")
    assert lines[2].startswith("-           on → off")
    earlier = NOW - timedelta(days=1)
    assert when(earlier).short in {f"{earlier:%m-%d %H:%M}", f"{earlier:%Y-%m-%d}"}


def test_a_terminal_of_80_columns_shows_every_flag_and_says_what_it_left_out(
    flags: Run, monkeypatch: pytest.MonkeyPatch
):
    for flag in ("invoices.payment_links", "invoices.pdf_generation"):
        flags("set", flag, "canary", "--percentage", "10", "shadow passed for the whole of two days")
        flags("set", flag, "canary", "--percentage", "25", "ten per cent passed for the whole of two days")
    piped = flags("history").out
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  invoices.pdf_generation  .*two days$", piped, re.M)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("flagconsole.cli.output.is_terminal", lambda: True)
    for command in (("history",), ("list",)):
        shown = flags(*command)
        assert all(cell_width(re.sub(r"\x1b\[\d*m", "", line)) <= 80 for line in shown.out.splitlines())
        assert "invoices.payment_links " in shown.out
        assert "invoices.pdf_generation " in shown.out
    said = flags("history").out
    assert "25 %" in said
    assert "loaded from the shipped catalogue" in said, "who and why are what it is for"
    assert "no room for" in flags("list").err
    assert flags("list", "--json").json["flags"], "and --json has everything"
