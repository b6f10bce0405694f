"""What the first paint does without. It is imported where it is needed, and loaded behind the first paint, so that no key waits for
it: first what a kill needs, then what any other key may lead to."""

from __future__ import annotations

from importlib import import_module
from typing import Final

#: Modules of the console, in the order in which they are loaded.
BEHIND: Final = (
    "navigation",
    "sheets.kill",
    "sheets.revive",
    "sheets.rollback",
    "own_actions",
    "journal",
    "performer",
    "dead_keys",
    "crash",
    "feed",
    "watcher",
    "undoing",
    "chart_wall",
    "sheets.leaving",
    "sheets.tenant",
    "switching",
    "theme_watch",
)


def load() -> None:
    """Load all of it. For a thread: keys are answered meanwhile."""
    for name in BEHIND:
        import_module(f"flagconsole.console.{name}")
