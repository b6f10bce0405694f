"""Tables: aligned by columns of the terminal, cut to its width, safe."""

from __future__ import annotations

from flagconsole.cli.table import Cell, cell_width, fitted, table


def lines(width: int | None, *rows: list[Cell | str], colours: bool = False) -> list[str]:
    return list(table(["NAME", "WHY"], rows, width=width, colours=colours))


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
    assert "\x1b" not in "".join(table(["S", "W"], rows, width=None, colours=False))
    coloured = list(table(["S", "W"], rows, width=None, colours=True))
    assert coloured[1] == "\x1b[31m\x1b[1mkill\x1b[0m  x"


def test_a_terminal_too_narrow_for_all_columns_gets_names_and_times_whole_and_the_rest_below():
    rows = [
        ["57", "2026-11-23 14:40:59Z", "scheduling.route_optimization", "", "canary 10 % → off", "controller", "w" * 90]
    ]
    shown = list(table(["ID", "WHEN", "FLAG", "TENANT", "WHAT", "BY", "WHY"], rows, width=80, colours=False))
    assert all(cell_width(line) <= 80 for line in shown)
    assert shown[2].split("  ") == ["57", "2026-11-23 14:40:59Z", "scheduling.route_optimization"]
    assert shown[3].startswith("  canary 10 % → off  controller  www")
    assert shown[3].endswith("…")
