"""However the console dies, the terminal is usable afterwards."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .pseudo_terminal import PseudoTerminal

PROGRAM = """
import os, pty, sys
# A controlling terminal of its own, as a shell gives one.
os.setsid()
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "flagconsole", "console", "--url", "http://127.0.0.1:9", "--api-key", "fc_x"])
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[PseudoTerminal]:
    homes = {
        name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    }
    opened = PseudoTerminal([sys.executable, "-c", PROGRAM], environment=homes)
    yield opened
    opened.close()


def child_of(pid: int) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.01)
    raise AssertionError("no child")


#: Bytes that a pseudo-terminal holds before whoever writes to it has to wait.
FULL = 3_500


def unread(terminal: PseudoTerminal) -> int:
    return int.from_bytes(fcntl.ioctl(terminal.master, termios.FIONREAD, bytes(4)), sys.byteorder)


def cooked(terminal: PseudoTerminal) -> bool:
    flags = termios.tcgetattr(terminal.master)[3]
    return bool(flags & termios.ECHO) and bool(flags & termios.ICANON)


@pytest.mark.terminal
@pytest.mark.parametrize("name", [signal.SIGABRT, signal.SIGKILL], ids=lambda item: item.name)
def test_an_abort_leaves_a_usable_terminal(terminal: PseudoTerminal, name: signal.Signals) -> None:
    terminal.until(b"OFFLINE")
    assert not cooked(terminal)
    terminal.forget()
    os.kill(child_of(terminal.process.pid), name)
    assert terminal.ended() == 128 + name
    assert b"\x1b[?1049l" in terminal.output
    assert b"\x1b[?25h" in terminal.output
    assert f"flagconsole was ended by {name.name}".encode() in terminal.output
    assert cooked(terminal)


@pytest.mark.terminal
def test_a_signal_to_the_guardian_ends_both(terminal: PseudoTerminal) -> None:
    terminal.until(b"OFFLINE")
    child = child_of(terminal.process.pid)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 128 + signal.SIGTERM
    assert not Path(f"/proc/{child}").exists()
    assert cooked(terminal)


@pytest.mark.terminal
def test_a_console_whose_guardian_is_gone_ends(terminal: PseudoTerminal) -> None:
    terminal.until(b"OFFLINE")
    child = child_of(terminal.process.pid)
    terminal.process.kill()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        terminal.read(0.1)
    assert not Path(f"/proc/{child}").exists()


@pytest.mark.terminal
def test_a_terminal_that_is_taken_away_while_it_is_written_to_takes_both_along(terminal: PseudoTerminal) -> None:
    terminal.until(b"OFFLINE")
    child = child_of(terminal.process.pid)
    deadline = time.monotonic() + 60
    rows = 24
    while unread(terminal) < FULL and time.monotonic() < deadline:
        rows = 54 - rows  # nobody reads, and every resize paints
        terminal.resize(80, rows)
        time.sleep(0.01)
    assert unread(terminal) >= FULL
    for _ in range(60):  # and now nothing that is painted can leave
        rows = 54 - rows
        terminal.resize(80, rows)
        time.sleep(0.02)
    os.close(terminal.master)
    terminal.master = os.open(os.devnull, os.O_RDONLY)
    terminal.process.wait(30)
    assert not Path(f"/proc/{child}").exists()


@pytest.mark.terminal
def test_it_is_left_with_its_own_code(terminal: PseudoTerminal) -> None:
    terminal.until(b"OFFLINE")
    terminal.type(b"q")
    assert terminal.ended() == 0


STUBBORN = """
import os, signal, sys
os.setsid()
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from flagconsole.console.guardian import stand_guard
stand_guard(0.2, interrupts=False)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, lambda *_: print("INTERRUPTED", flush=True))
print("READY", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.terminal
def test_one_that_does_not_end_when_told_to_is_killed_and_interrupts_may_be_its_own(tmp_path: Path) -> None:
    terminal = PseudoTerminal([sys.executable, "-c", STUBBORN], environment={"HOME": str(tmp_path)})
    try:
        terminal.until(b"READY")
        child = child_of(terminal.process.pid)
        terminal.process.send_signal(signal.SIGINT)  # for the guardian alone: it hears nothing
        os.kill(child, signal.SIGINT)
        terminal.until(b"INTERRUPTED")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.ended() == 128 + signal.SIGKILL
        assert terminal.output.count(b"INTERRUPTED") == 1
        assert not Path(f"/proc/{child}").exists()
    finally:
        terminal.close()


#: A console whose start takes until all of that was typed.
SLOW_START = """
import fcntl, os, sys, termios, time
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from flagconsole.cli.main import main
from flagconsole.console import entry
run_console, typed = entry.run_console, int(sys.argv.pop(1))

def slowly(*arguments, **options):
    print("STARTING", flush=True)
    while int.from_bytes(fcntl.ioctl(0, termios.FIONREAD, bytes(4)), sys.byteorder) < typed:
        time.sleep(0.01)
    return run_console(*arguments, **options)

entry.run_console = slowly
main()
"""


@pytest.fixture
def homes(tmp_path: Path) -> dict[str, str]:
    names = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    return dict.fromkeys(names, str(tmp_path))


@pytest.mark.terminal
def test_what_is_typed_while_it_starts_acts_on_nothing_and_is_left_to_nobody(homes: dict[str, str]) -> None:
    typed = b"?K1Y:kill x"  # the first of them would open the help
    command = ["console", "--url", "http://127.0.0.1:9", "--api-key", "fc_x"]
    terminal = PseudoTerminal([sys.executable, "-c", SLOW_START, str(len(typed)), *command], environment=homes)
    try:
        terminal.until(b"STARTING", 60)
        terminal.type(typed)
        terminal.until(b"OFFLINE", 60)
        assert b"HELP" not in terminal.output
        assert b"kill x" not in terminal.output, "it isn't shown either"
        terminal.type(b"q")
        assert terminal.ended(60) == 0
        assert cooked(terminal)
    finally:
        terminal.close()


@pytest.mark.terminal
def test_a_start_that_fails_gives_the_terminal_back(homes: dict[str, str]) -> None:
    command = ["console", "--url", "http://127.0.0.1:9", "--api-key", "fc_x", "--theme", "none"]
    terminal = PseudoTerminal([sys.executable, "-c", SLOW_START, "0", *command], environment=homes)
    try:
        assert terminal.ended(60) == 2
        assert b"theme" in terminal.output
        assert cooked(terminal)
    finally:
        terminal.close()
