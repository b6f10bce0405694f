"""Where the running demo's store is, so that ``--store demo`` finds it from another terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from flagconsole.demo.talk import Tell, silence
from flagconsole.domain.errors import InvalidInput


def _note() -> Path:
    return Path(platformdirs.user_data_dir("flagconsole")) / "running-demo"


@contextmanager
def announced(store_url: str, tell: Tell = silence) -> Iterator[None]:
    """Name the store of this demo while the ``with`` lasts. The demo that was started last is the one that is found; one that
    runs already is told of, and is found again afterwards."""
    note = _note()
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    earlier = _noted(note)
    if earlier is not None:
        tell("another demo runs: --store demo now means this one, until it ends")
    _write(note, store_url)
    try:
        yield
    finally:
        with suppress(OSError):
            if note.read_text() == store_url:
                if earlier is not None and _is_there(earlier):
                    _write(note, earlier)
                else:
                    note.unlink()


def _write(note: Path, store_url: str) -> None:
    draft = note.with_name(f"{note.name}.{os.getpid()}")
    draft.write_text(store_url)
    draft.replace(note)


def _noted(note: Path) -> str | None:
    """The store that the note names, as long as it is there."""
    try:
        store_url = note.read_text()
    except OSError:
        return None
    return store_url if _is_there(store_url) else None


def _is_there(store_url: str) -> bool:
    return Path(store_url.removeprefix("sqlite:")).exists()


def running_demo() -> str:
    """The store of the running demo. Raises ``InvalidInput`` when none is running."""
    store_url = _noted(_note())
    if store_url is not None:
        return store_url
    raise InvalidInput("Start one with: flagconsole demo", field="store", problem="no demo is running", value="demo")
