"""The way to the terminal for what is painted: one that is stuck or gone holds nobody up."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from typing import Final

#: Seconds between two looks at whether a terminal that takes nothing is still waited for.
SLICE: Final = 0.1
#: Seconds without a byte taken after which a console that ends no longer waits for its terminal.
STUCK: Final = 2.0


class TerminalOutput:
    """A file for Textual's writing thread. ``gone`` is true once the terminal was taken away; from then on all is dropped.

    It has a file description of its own that doesn't block, so that a terminal which takes nothing (a stopped multiplexer, a
    stalled line) can be given up. Where that can't be had it writes as before.
    """

    encoding = "utf-8"

    def __init__(self, descriptor: int) -> None:
        self._given = descriptor
        self._own: int | None = None
        with suppress(OSError):
            self._own = os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        self.gone = False
        self._ending = False

    def fileno(self) -> int:
        """The terminal's descriptor, as it was given."""
        return self._given

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._given)

    def flush(self) -> None:
        """Nothing is held back."""

    def end(self) -> None:
        """The console ends: what is left is written as long as the terminal takes any of it."""
        self._ending = True

    def close(self) -> None:
        """Give the descriptor of its own back."""
        if self._own is not None:
            os.close(self._own)
            self._own = None

    def write(self, text: str) -> int:
        """Write all of ``text``, however long that takes; or nothing, once the terminal is gone or was given up."""
        data = memoryview(text.encode("utf-8", "replace"))
        taken_at = time.monotonic()
        while data and not self.gone:
            try:
                sent = os.write(self._given if self._own is None else self._own, data)
            except BlockingIOError:
                if self._ending and time.monotonic() - taken_at > STUCK:
                    self.gone = True
                elif self._own is not None:
                    select.select((), (self._own,), (), SLICE)
            except OSError:
                self.gone = True
            else:
                data, taken_at = data[sent:], time.monotonic()
        return len(text)
