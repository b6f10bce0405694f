"""The server that a console starts for itself on the embedded store, and that ends with it, however it ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.text import safe_text

_READY: Final = "listening on "
_KEY: Final = "the key of "
#: Seconds that it gets to end after its standard input has ended.
_ENDING: Final = 5.0


class OwnServer(NamedTuple):
    """Where it listens, and the key that opens it."""

    url: str
    api_key: str


@contextmanager
def own_server(store_url: str, environment: str = "") -> Iterator[OwnServer]:
    """A server on ``store_url``, on a free loopback port, while the block runs. ``environment`` is the one of
    its environments that is meant, or what a store without names calls itself.

    It ends when its standard input does, so also when this process is killed. Raises ``StoreUnavailable`` with what it
    said when it doesn't start.
    """
    from flagconsole.server.key_file import key_file_of

    command = [sys.executable, "-P", "-m", "flagconsole", "serve", "--store", store_url, "--port", "0"]
    process = subprocess.Popen(  # noqa: S603  # our own program
        [*command, *(["--environment", environment] if environment else []), "--end-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    drain: threading.Thread | None = None
    try:
        url, keys = _wait_until_ready(process.stderr)
        key_file = keys.get(environment) or key_file_of(store_url)
        drain = _drain(process.stderr)
        yield OwnServer(url, key_file.read_text().strip())
    finally:
        process.stdin.close()
        try:
            process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if drain is not None:
            drain.join()
        process.stderr.close()


def _wait_until_ready(stderr: IO[str]) -> tuple[str, dict[str, Path]]:
    """Where it listens, and where the key of each environment is."""
    said = "it ended without a word"
    keys: dict[str, Path] = {}
    for line in stderr:
        if line.startswith(_READY):
            return line.removeprefix(_READY).strip(), keys
        if line.startswith(_KEY):
            name, _, place = line.removeprefix(_KEY).strip().partition(" is in ")
            keys[name] = Path(place)
        said = line.strip() or said
    raise StoreUnavailable(problem=safe_text(said.removeprefix("error: ")))


def _drain(stderr: IO[str]) -> threading.Thread:
    """Keep reading, so that the server never blocks on a full pipe; the console's screen is no place for its log."""

    def read() -> None:
        for _ in stderr:
            pass

    thread = threading.Thread(target=read, name="flagconsole-server-log", daemon=True)
    thread.start()
    return thread
