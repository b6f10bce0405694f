"""A terminal with a shell in it, that is typed into and read."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\r")
#: Seconds after which something that should have been seen is given up.
PATIENCE = 240.0


class NotSeen(Exception):
    """A page shows what didn't happen."""


class Terminal:
    """A shell of 200 columns in a folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-i"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env={**environment, "PS1": "", "PS2": "", "TERM": "xterm-256color", "HISTFILE": ""},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self._said = ""
        self._marks = 0
        self.type("stty -echo")
        self.exit_code()

    def type(self, line: str) -> None:
        """Type a line, and Return."""
        os.write(self._master, line.encode() + b"\n")

    def interrupt(self) -> None:
        """Press Ctrl-C, and wait for the shell."""
        os.write(self._master, b"\x03")
        self.exit_code()

    def clear(self) -> None:
        """Forget what was said until now."""
        self._said = ""

    def exit_code(self) -> int:
        """Wait until what was typed has ended; how it ended."""
        self._marks += 1
        mark = f"ended-{self._marks}"
        self.type(f'printf "\\n%s %d\\n" "{mark}" "$?"')
        found = self._wait(lambda said: re.search(rf"^{mark} (\d+)$", said, re.MULTILINE), f"{mark!r}")
        self._said = self._said.replace(found[0], "")
        return int(found[1])

    def lines(self) -> list[str]:
        """What was said since ``clear``."""
        self._read(0.0)
        return self._said.splitlines()

    def wait_for(self, holds: object, what: str) -> None:
        """Wait until ``holds(lines)``. Raises ``NotSeen``."""
        self._wait(lambda said: holds(said.splitlines()), what)  # type: ignore[operator]

    def close(self) -> None:
        """End the shell and what it runs."""
        for number in (signal.SIGINT, signal.SIGHUP):
            try:
                os.killpg(os.tcgetpgrp(self._master), number)
            except OSError:
                break
        os.close(self._master)
        self._shell.kill()
        self._shell.wait()

    def _wait(self, found: object, what: str) -> re.Match[str]:
        deadline = time.monotonic() + PATIENCE
        while not (answer := found(self._said)):  # type: ignore[operator]
            if time.monotonic() > deadline:
                raise NotSeen(f"{what} was not seen in:\n{self._said[-3000:]}")
            self._read(0.5)
        return answer  # type: ignore[no-any-return]

    def _read(self, seconds: float) -> None:
        while select.select([self._master], [], [], seconds)[0]:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            self._said += _CONTROL.sub("", data.decode(errors="replace"))
            seconds = 0.0
