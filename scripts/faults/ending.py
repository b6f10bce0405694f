"""Ending early without leaving anything behind: servers, databases, folders."""

from __future__ import annotations

import signal
from types import FrameType


def unwind_on_sigterm() -> None:
    """From now on SIGTERM ends the program as an exception does, with everything that is cleared up on the way; a second one waits
    for that."""

    def ended(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, ended)
