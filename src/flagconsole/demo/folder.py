"""The demo's temporary folder: gone when the demo ends, or when the next one starts after it was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

PREFIX: Final = "flagconsole-demo-"
#: Held locked by the demo's processes for as long as one of them lives: a lock ends with its holders, however those end, and
#: unlike a process id it can't be anybody else's later.
_ALIVE: Final = "alive"


class DemoFolder(NamedTuple):
    """A demo's folder, and the lock that its processes inherit."""

    path: Path
    lock: int


@contextmanager
def demo_folder() -> Iterator[DemoFolder]:
    """A folder while the ``with`` lasts. Those of demos that were killed are removed first."""
    remove_stale(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        # Locked before it has its name, so that nobody sees it unlocked.
        draft = folder / f"{_ALIVE}.new"
        with draft.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            draft.rename(folder / _ALIVE)
            yield DemoFolder(folder, held.fileno())


def remove_stale(parent: Path) -> None:
    """Remove the folders of this user's demos that no longer live."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if _is_ours(folder) and _is_dead(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _is_dead(folder: Path) -> bool:
    """Whether it is a demo's folder and nobody holds its lock."""
    with (folder / _ALIVE).open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
