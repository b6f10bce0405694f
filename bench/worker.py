"""A contender in a process of its own, run by its own interpreter and asked by lines of JSON, so that rounds can be interleaved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.peer import PEERS, SCRIPTS, Peer


class WorkerFailed(Exception):
    """A contender couldn't do what it was asked for; the message says why."""


class Worker:
    """A process that is asked things. Raises ``WorkerFailed`` where it ends at once."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=None if environment is None else dict(environment),
        )

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        """Have it do something. Raises ``WorkerFailed`` where it can't."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            assert self._process.stderr is not None
            self._process.kill()
            said = self._process.stderr.read().strip().splitlines()
            raise WorkerFailed(f"{self.name} ended: {said[-1] if said else 'without a word'}")
        answer: dict[str, Any] = json.loads(line)
        if "problem" in answer:
            raise WorkerFailed(f"{self.name}: {answer['problem']}")
        return answer

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Contender(Worker):
    """One contender: ``name`` is its script below ``bench/peers`` without the ending. A peer is run by its own interpreter, ours
    by this one. Raises ``WorkerFailed`` where it isn't installed."""

    def __init__(self, name: str) -> None:
        super().__init__(name, [*interpreter_of(name), str(Path(SCRIPTS) / "loop.py"), name], environment_of(name))
        try:
            self.version = str(self.ask("version")["version"])
        except BaseException:
            self.close()
            raise


def interpreter_of(name: str) -> list[str]:
    """How a script below ``bench/peers`` is run. Raises ``WorkerFailed`` where what it is of isn't installed."""
    peer = _peer_of(name)
    if peer is not None and not peer.installed:
        raise WorkerFailed(f"{peer.name} is not installed: scripts/bench-peers {peer.name}")
    return [sys.executable if peer is None else str(peer.interpreter)]


def environment_of(name: str) -> dict[str, str]:
    """What a script below ``bench/peers`` is run with: a peer must not find this package."""
    return (
        {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        if _peer_of(name)
        else dict(os.environ)
    )


def _peer_of(name: str) -> Peer | None:
    return PEERS.get(name.partition(".")[0].replace("_", "-"))
