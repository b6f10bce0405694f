"""What the cache holds of the past, as a console that travels will find it."""

from __future__ import annotations

from typing import Any

from flagconsole.console import cache
from flagconsole.console.past import Timeline


def past_is_kept(console: Any) -> bool:
    """Whether the cache has the newest revision and more before it: it is written beside the console, and ``T`` doesn't
    wait for it longer than a second."""
    path = console.app.keeper.path
    cached = cache.read(path)
    if cached is None or cached.revision != console.app.state.revision:
        return False
    return len(Timeline(cached, cache.read_changes(path)).moments) > 2
