"""Ending early without leaving anything behind: servers, databases, folders."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Ending:
    """Whether SIGTERM has come, and whether it has to wait a moment."""

    held = False
    asked = False


def unwind_on_sigterm() -> None:
    """From now on SIGTERM ends the program as an exception does, with everything that is cleared up on the way; a second one waits
    for that."""

    def ended(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _Ending.asked = True
        if not _Ending.held:
            raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, ended)


@contextmanager
def not_yet() -> Iterator[None]:
    """SIGTERM takes effect after the block: what is begun in it is known to whoever clears up."""
    _Ending.held = True
    try:
        yield
    finally:
        _Ending.held = False
        if _Ending.asked:
            raise SystemExit(128 + signal.SIGTERM)
