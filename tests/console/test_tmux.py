"""The console in tmux, as people run it: a kill, a resize with a sheet open, a re-attach."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from .pseudo_terminal import PseudoTerminal

pytestmark = [pytest.mark.terminal, pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")]

SOCKET = f"flagconsole-test-{os.getpid()}"


class Tmux:
    """A tmux server of its own with one window."""

    def __init__(self, command: str, environment: dict[str, str]) -> None:
        self.environment = {**os.environ, **environment, "TERM": "xterm-256color"}
        self.environment.pop("TMUX", None)
        self.run("-f", "/dev/null", "new-session", "-d", "-s", "c", "-x", "80", "-y", "24", command)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", SOCKET, *arguments], capture_output=True, text=True, check=True, env=self.environment
        )
        return done.stdout

    def screen(self) -> str:
        return self.run("capture-pane", "-p", "-t", "c")

    def until(self, text: str, seconds: float = 40.0) -> str:
        deadline = time.monotonic() + seconds
        while text not in (screen := self.screen()):
            assert time.monotonic() < deadline, f"not seen: {text!r} in\n{screen}"
            time.sleep(0.05)
        return screen

    def still(self) -> str:
        """The screen once it has come to rest, but for its figures: times and ages go on."""
        deadline = time.monotonic() + 40
        before, quiet_since = "", time.monotonic()
        while time.monotonic() - quiet_since < 0.7:
            assert time.monotonic() < deadline, "it doesn't come to rest"
            screen = re.sub(r" *\d+[smhd]?", "0", self.screen())
            if screen != before:
                before, quiet_since = screen, time.monotonic()
            time.sleep(0.05)
        return before

    def keys(self, *keys: str) -> None:
        """Like a person: with a pause before each."""
        for key in keys:
            time.sleep(0.3)
            self.run("send-keys", "-t", "c", key)


@pytest.fixture(scope="module")
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tmux]:
    folder = tmp_path_factory.mktemp("home")
    kinds = ("CONFIG", "STATE", "CACHE", "DATA")
    homes = {"HOME": str(folder), **{f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in kinds}}
    store = f"sqlite:{folder / 'flags.db'}"
    environment = {**os.environ, **homes, "FLAGCONSOLE_CONFIG": str(folder / "config.toml")}
    flagconsole = [sys.executable, "-m", "flagconsole"]
    subprocess.run([*flagconsole, "init", "--store", store], check=True, capture_output=True, env=environment)
    subprocess.run([*flagconsole, "create", "pos.lite", "to be killed", "--store", store], check=False, capture_output=True, env=environment)  # fmt: skip
    session = Tmux(f"{sys.executable} -m flagconsole console --store {store}; echo left with $?; sleep 60", environment)
    try:
        session.until("● LIVE")
        session.until("K kill")
        yield session
    finally:
        session.run("kill-server")


def test_a_kill_takes_three_keys(tmux: Tmux) -> None:
    screen = tmux.until("K kill")
    name = next(row.split()[1] for row in screen.splitlines() if row.startswith("▶")).rstrip("…")
    tmux.keys("K")
    tmux.until(f"KILL {name}")
    tmux.keys("1", "Y")
    tmux.until("ACCEPTED")
    tmux.keys("x")
    tmux.until("■ kill")


def test_a_sheet_survives_a_resize(tmux: Tmux) -> None:
    tmux.keys("j", "K")
    tmux.until("nothing sent yet")
    tmux.run("resize-window", "-t", "c", "-x", "120", "-y", "40")
    tmux.until("│")
    screen = tmux.until("nothing sent yet")
    assert "REASON" in screen
    tmux.run("resize-window", "-t", "c", "-x", "80", "-y", "24")
    tmux.until("nothing sent yet")
    tmux.keys("n")
    tmux.until("K kill")


def test_what_was_painted_bit_by_bit_is_what_is_painted_as_a_whole(tmux: Tmux) -> None:
    tmux.keys("j", "j", "k", "K", "n", "k", "/", "o", "Escape", "j")
    by_bits = tmux.still()
    tmux.run("resize-window", "-t", "c", "-x", "120", "-y", "40")
    tmux.until("│")
    tmux.run("resize-window", "-t", "c", "-x", "80", "-y", "24")
    tmux.until("K kill")
    assert tmux.still() == by_bits


def test_it_survives_being_left_and_attached_again(tmux: Tmux) -> None:
    for _ in range(2):
        client = PseudoTerminal(["tmux", "-L", SOCKET, "attach", "-t", "c"], environment={"TERM": "xterm-256color"})
        try:
            client.until(b"LIVE")
            client.type(b"\xff\xfe\x80")
            tmux.run("detach-client", "-s", "c")
            client.ended()
        finally:
            client.close()
    tmux.keys("?")
    tmux.until("HELP")
    tmux.keys("Escape", "q")
    tmux.until("left with 0")
