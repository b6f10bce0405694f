"""What is painted reaches the terminal whole, and a terminal that is stuck or gone holds nobody up."""

from __future__ import annotations

import os
import pty
import threading
import tty
from collections.abc import Iterator

import pytest

from flagconsole.console import terminal_output
from flagconsole.console.terminal_output import TerminalOutput

LONG = "0123456789" * 50_000


@pytest.fixture
def pair() -> Iterator[list[int]]:
    ends = list(pty.openpty())
    tty.setraw(ends[1])
    yield ends
    for end in ends:
        os.close(end)


def writing(output: TerminalOutput) -> threading.Thread:
    thread = threading.Thread(target=output.write, args=(LONG,), daemon=True)
    thread.start()
    return thread


def test_all_of_it_arrives_in_order_at_a_slow_terminal(pair: list[int]) -> None:
    output = TerminalOutput(pair[1])
    thread = writing(output)
    got = b""
    while len(got) < len(LONG):
        got += os.read(pair[0], 3_000)
    thread.join(20)
    assert not thread.is_alive()
    assert got.decode() == LONG
    assert not output.gone
    output.close()


def test_a_terminal_that_is_taken_away_ends_a_write_that_waits(pair: list[int]) -> None:
    output = TerminalOutput(pair[1])
    thread = writing(output)
    os.read(pair[0], 1)  # it has begun, and there is no room for all of it
    os.close(pair[0])
    pair.pop(0)
    thread.join(20)
    assert not thread.is_alive()
    assert output.gone
    assert output.write("more") == 4  # and nothing waits any more
    output.close()


def test_who_ends_gives_a_stuck_terminal_up(pair: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_output, "STUCK", 0.2)
    output = TerminalOutput(pair[1])
    thread = writing(output)
    os.read(pair[0], 1)
    assert thread.is_alive()
    output.end()
    thread.join(20)
    assert not thread.is_alive()
    assert output.gone
    output.close()
