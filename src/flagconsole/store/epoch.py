"""Names of lineages."""

from __future__ import annotations

import secrets
import time


def new_epoch() -> str:
    """A name for a new lineage: later ones sort higher as text."""
    return _named(time.time_ns() // 1_000_000)


def epoch_after(epoch: str) -> str:
    """A name that sorts after ``epoch``, also where this machine's clock is behind the one that named it."""
    made = int(epoch.partition("-")[0], 16)
    return _named(max(time.time_ns() // 1_000_000, made + 1))


def _named(milliseconds: int) -> str:
    return f"{milliseconds:012x}-{secrets.token_hex(4)}"
