"""Where the running demo's store is, so that ``--store demo`` finds it from another terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from flagconsole.domain.errors import InvalidInput


def _note() -> Path:
    return Path(platformdirs.user_data_dir("flagconsole")) / "running-demo"


@contextmanager
def announced(store_url: str) -> Iterator[None]:
    """Name the store of this demo while the ``with`` lasts. The demo that was started last is the one that is found."""
    note = _note()
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = note.with_name(f"{note.name}.{os.getpid()}")
    draft.write_text(store_url)
    draft.replace(note)
    try:
        yield
    finally:
        with suppress(OSError):
            if note.read_text() == store_url:
                note.unlink()


def running_demo() -> str:
    """The store of the running demo. Raises ``InvalidInput`` when none is running."""
    with suppress(OSError):
        store_url = _note().read_text()
        if Path(store_url.removeprefix("sqlite:")).exists():
            return store_url
    raise InvalidInput("Start one with: flagconsole demo", field="store", problem="no demo is running", value="demo")
