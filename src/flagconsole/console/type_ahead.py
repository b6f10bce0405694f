"""Keys that were typed while one screen made room for another."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.screen import Screen


def passed_on(screen: Screen[Any], event: events.Key) -> bool:
    """Whether a key that came to ``screen`` is for the one in front now, because ``screen`` was left, or covered, after the
    key was typed. It is handed on then, with the time at which it was typed."""
    front = screen.app.screen
    if front is screen:
        return False
    again = events.Key(event.key, event.character)
    again.time = event.time
    front.post_message(again)
    return True
