"""Prose is broken between words, on terminals only; a command that is to be copied is not."""

from __future__ import annotations

import pytest

from flagconsole.cli.wrapping import wrapped

from .conftest import Run

PROSE = "  canary 10: canary 10 %, 2 min at least, 500 operations of 5 tenants, a look every 5 s"
COMMAND = "error: it is refused. Say so with: flagconsole promote checkout.one_click 'shadow looks good' --checked"


def test_lines_are_broken_between_words_and_go_on_indented():
    lines = wrapped(PROSE, 40).splitlines()
    assert all(len(line) <= 40 for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == PROSE.strip()
    assert all("10 %" in wrapped(PROSE, width) for width in range(20, 90)), "a number keeps its unit"


def test_a_command_stays_in_one_piece_on_a_line_of_its_own():
    assert wrapped(COMMAND, 60).splitlines()[-1].strip() == COMMAND.partition("with: ")[2]
    assert wrapped(COMMAND, 200) == COMMAND


@pytest.mark.parametrize("text", ["a\n" + "word " * 40, '{"event": "' + "word " * 40 + '"}', "x" * 100])
def test_what_isnt_prose_stays_as_it_is(text: str):
    assert wrapped(text, 40) == text
    assert wrapped(PROSE, None) == PROSE


def test_a_pipe_gets_whole_lines_and_a_terminal_broken_ones(fc: Run, monkeypatch: pytest.MonkeyPatch):
    whole = fc("plan", "check", "default")
    longest = max(map(len, whole.out.splitlines()))
    assert longest > 80
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("flagconsole.cli.output.is_terminal", lambda: True)
    shown = fc("plan", "check", "default")
    assert max(map(len, shown.out.splitlines())) <= 80
    assert shown.out.split() == whole.out.split()


def test_long_values_go_on_below_where_they_began(flags: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("flagconsole.cli.output.is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    lines = flags("get", "invoices.write").out.splitlines()
    assert max(map(len, lines)) <= 60
    number = next(number for number, line in enumerate(lines) if line.startswith("affects "))
    assert lines[number + 1] == " " * lines[number].index("POST") + "DELETE /api/invoices/{id}"
