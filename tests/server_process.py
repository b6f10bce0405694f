"""``flagconsole serve`` as its user starts it: a process of its own, which can be stopped, continued and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx


class ServerProcess:
    """A server on ``store_url`` with these arguments. ``wait()`` for it; ``said`` is what it said on standard error."""

    def __init__(
        self,
        store_url: str,
        *arguments: str,
        port: int = 0,
        prefix: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        code: str | None = None,
    ) -> None:
        program = ["-m", "flagconsole"] if code is None else ["-c", code]
        command = [*prefix, sys.executable, *program, "serve", "--store", store_url, "--port", str(port), *arguments]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self.url = ""
        self.said: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip())
            if line.startswith("listening on "):
                self.url = line.removeprefix("listening on ").strip()
                self._listening.set()
        self._listening.set()

    def wait(self, seconds: float = 120) -> ServerProcess:
        """Until it listens."""
        assert self._listening.wait(seconds), "the server neither listened nor ended"
        assert self.url, f"the server ended: {self.said}"
        return self

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def send(self, sign: int) -> None:
        """A signal, such as SIGSTOP."""
        self.process.send_signal(sign)

    def end(self, sign: int = signal.SIGTERM, seconds: float = 15) -> int:
        """End it, by force if it must be, and return its exit code."""
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(sign)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._reader.join(seconds)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return self.process.wait()

    def ask(self, method: str, path: str, key: str, **options: Any) -> httpx.Response:
        """One request with a key."""
        headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=options.pop("timeout", 20), **options)


def eventually(condition: Any, seconds: float = 30, every: float = 0.02) -> Any:
    """The first true answer of ``condition``; fails after ``seconds`` without one."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(every)
    return found
