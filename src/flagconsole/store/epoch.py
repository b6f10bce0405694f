"""Names of lineages."""

from __future__ import annotations

import secrets
import time


def new_epoch() -> str:
    """A name for a new lineage: later ones sort higher as text."""
    return f"{time.time_ns() // 1_000_000:012x}-{secrets.token_hex(4)}"
