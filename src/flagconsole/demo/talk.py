"""What the demo says of itself while it starts and ends: on standard error, so that nobody looks at a blank screen."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

#: Says one line of progress.
Tell = Callable[[str], None]


class Talk:
    """Tells on standard error, each line with the seconds since it began."""

    def __init__(self) -> None:
        self._begun: Final = time.monotonic()

    def __call__(self, words: str) -> None:
        """Say it at once. Whether anybody can hear it is no matter of what is told of: the terminal may be gone."""
        with suppress(OSError, ValueError):
            print(f"{time.monotonic() - self._begun:5.1f} s  {words}", file=sys.stderr, flush=True)  # noqa: T201


def silence(_: str) -> None:
    """For callers who have nobody to tell."""
