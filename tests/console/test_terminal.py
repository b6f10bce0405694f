"""Manners towards the terminal, in a real one."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flagconsole.console.crash import crash_words, write_crash_log

PROGRAM = """
import sys
from pathlib import Path
from flagconsole.console.entry import run_console
from flagconsole.console.place import Place
sys.exit(run_console(Place("http://127.0.0.1:9", "fc_secret"), state_folder=Path(sys.argv[1])))
"""


class Terminal:
    """A console without a server in a pseudo-terminal."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        # Exported sizes, as some shells have them, must not count.
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30", **environment}
        env.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder)], stdin=slave, stdout=slave, stderr=slave, env=env
        )
        os.close(slave)
        self.output = b""

    def until(self, text: bytes, seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.output:
            assert time.monotonic() < deadline, f"not seen: {text!r} in {self.output[-2000:]!r}"
            if not self.read(0.1) and self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.output[-2000:]!r}")

    def read(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65_536)
        except OSError:
            return False
        self.output += data
        return bool(data)

    def type(self, data: bytes) -> None:
        self.output = b""
        os.write(self.master, data)

    def ended(self, seconds: float = 10.0) -> int:
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "still running"
            self.read(0.05)
        while self.read(0.05):
            pass
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


@pytest.mark.terminal
@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda item: item.name)
def test_bad_bytes_and_signals(terminal: Terminal, name: signal.Signals) -> None:
    terminal.until(b"OFFLINE")
    terminal.type(b"\xff\xfe\xc3(\x80")
    terminal.type(b"?")
    terminal.until(b"HELP")
    terminal.process.send_signal(name)
    assert terminal.ended() == 128 + name
    assert b"\x1b[?1049l" in terminal.output, "the alternate screen is left"
    assert b"\x1b[?25h" in terminal.output, "the cursor is back"
    assert b"Traceback" not in terminal.output


@pytest.mark.terminal
def test_dumb_terminal_prints_plain_text(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, TERM="dumb")
    try:
        assert terminal.ended(15.0) == 6
        assert b"can't be reached" in terminal.output
        assert b"\x1b" not in terminal.output
    finally:
        terminal.close()


def test_first_paint_loads_nothing_heavy_and_what_is_loaded_behind_it_is_all_that_a_kill_needs() -> None:
    program = """
import asyncio, sys
from dataclasses import replace
from flagconsole.console.app import ConsoleApp, Options
from flagconsole.console.state import Connection, Phase, with_listing
from flagconsole.console.theme import load_theme

def loaded():
    return {name for name in sys.modules if name.startswith("flagconsole")}

async def main():
    never = asyncio.Event()
    app = ConsoleApp(never.wait, Options(server="http://x"), load_theme("night"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0)
        assert "connecting" in str(app.screen._compositor.render_strips()[3].text)
        # sqlite3 is there: the first paint comes from the cache.
        heavy = {"httpx", "pydantic", "sqlite_utils", "plotext", "fastapi", "numpy"} & set(sys.modules)
        assert not heavy, heavy
        from flagconsole.console import behind
        early = {f"flagconsole.console.{name}" for name in behind.BEHIND} & loaded()
        # Its watch begins as soon as there is a first paint.
        assert early <= {"flagconsole.console.theme_watch"}, early
        behind.load()
        known = loaded()
        assert {f"flagconsole.console.{name}" for name in behind.BEHIND} <= known
        flag = {"flag_name": "pos.lite", "flag_type": "feature", "current_state": "on", "version": 1}
        listing = {"epoch": "e", "revision": 1, "flags": [flag], "overrides": []}
        state, changed = with_listing(app.state, listing, 0.0)
        live = Connection(phase=Phase.LIVE, role="admin", may_operate=True, may_administer=True, fresh_at=0.0)
        app.publish(replace(state, connection=live, caught_up=True), changed)
        while app.first_painted_at == float("inf"):  # keys that are typed before are for nothing
            await pilot.pause(0.01)
        await pilot.press("K")
        await pilot.pause(0)
        assert type(app.screen.sheet).__name__ == "KillSheet"
        assert loaded() == known, loaded() - known

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_crash_log_hides_secrets_and_strangers(tmp_path: Path) -> None:
    try:
        local = "a local value"
        raise ValueError(f"key fc_secret \x1b[2J {len(local)}")
    except ValueError as error:
        log = write_crash_log(tmp_path / "deep", error, ("fc_secret",))
        shown = crash_words(error, log, ())
    assert log is not None
    text = log.read_text()
    assert "fc_secret" not in text
    assert "a local value" not in text.replace('local = "a local value"', "")
    assert "\x1b" not in text
    assert "ValueError: key (hidden) \\u{1b}[2J" in text
    assert log.stat().st_mode & 0o777 == 0o600
    assert "crashed: an error inside it (ValueError), not in your flags. Your terminal is as it was before." in shown
    assert "Nothing that you sent is without an answer, and nothing more was sent." in shown
    assert f"The report is in {log}:" in shown


async def test_crash_shows_one_line_and_no_values(
    open_console: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "do not show me"

    def crash() -> None:
        raise RuntimeError(f"boom {secret}")

    async def crashing() -> None:
        async with open_console() as console:  # type: ignore[operator]
            console.app.call_later(crash)
            await console.until(lambda: not console.app.is_running)

    with pytest.raises(RuntimeError, match="boom"):
        await crashing()
    shown = capsys.readouterr().err
    assert "flagconsole crashed: an error inside it (RuntimeError), not in your flags." in shown
    assert secret not in shown
    assert "Traceback" not in shown
    assert "boom" in (tmp_path / "crash.log").read_text()


@pytest.mark.terminal
def test_a_resize_without_a_signal_is_noticed(terminal: Terminal) -> None:
    terminal.until(b"OFFLINE")
    terminal.output = b""
    # The kernel signals the foreground process group of the controlling terminal; this program has none.
    fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 50, 0, 0))
    terminal.until("50×12 is too small".encode())
