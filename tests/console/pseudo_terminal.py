"""A program in a pseudo-terminal: what it writes, what it costs, and keys typed into it. For tests and for the benchmark."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path


def _clock_of(process: int) -> int:
    """The clock of a process's processor time, as ``clock_getcpuclockid`` makes it on Linux (Python doesn't have that call). It counts
    nanoseconds, where ``/proc`` counts hundredths of a second."""
    return ~process << 3 | 2


class PseudoTerminal:
    """Runs ``command`` with a terminal on all three ends (Textual writes to standard error). ``output`` is what it wrote
    since the last ``type`` or ``forget``, ``written`` counts all bytes."""

    def __init__(
        self, command: Sequence[str], *, columns: int = 80, rows: int = 24, environment: dict[str, str] | None = None
    ) -> None:
        self.master, slave = pty.openpty()
        self._size(columns, rows)
        env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(environment or {})}
        for name in ("NO_COLOR", "TMUX"):
            env.pop(name, None)
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, close_fds=True)
        os.close(slave)
        self.output = b""
        self.written = 0

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, and tell the program."""
        self._size(columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def read(self, seconds: float) -> bool:
        """Take what comes within ``seconds``; False where nothing does."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 1 << 20)
        except OSError:
            return False
        self.output += data
        self.written += len(data)
        return bool(data)

    def watch(self, seconds: float) -> None:
        """Take whatever comes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self.read(min(left, 0.2)) and self.process.poll() is not None:
                return

    def until(self, text: bytes, seconds: float = 30.0) -> float:
        """Wait until ``text`` was written; returns the seconds that took."""
        begun = time.monotonic()
        while text not in self.output:
            assert time.monotonic() - begun < seconds, f"not seen: {text!r} in {self.output[-3000:]!r}"
            if not self.read(0.1) and self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.output[-3000:]!r}")
        return time.monotonic() - begun

    def forget(self) -> None:
        """Look at nothing that was written before."""
        self.output = b""

    def type(self, data: bytes) -> None:
        """Type, looking only at what is written from now on."""
        self.output = b""
        os.write(self.master, data)

    def answered(self, data: bytes, sign: bytes, seconds: float = 10.0) -> float:
        """Type, and give the seconds until ``sign`` is written."""
        self.type(data)
        return self.until(sign, seconds)

    def cpu(self) -> float:
        """Seconds of processor time that the program has used so far, all its threads together. Raises ``OSError``
        for one that has been waited for."""
        return time.clock_gettime(_clock_of(self.process.pid))

    def memory(self) -> float:
        """Mebibytes that it holds."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmRSS")

    def ended(self, seconds: float = 15.0) -> int:
        """Wait until the program has ended; returns its exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "still running"
            self.read(0.05)
        while self.read(0.05):
            pass
        return self.process.returncode

    def close(self) -> None:
        """End the program, however it is."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
