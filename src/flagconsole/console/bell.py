"""Sounds and desktop notes for what must not be missed: a guard that failed, a kill that is confirmed.

Only what was not sounded before sounds; both ways can be turned off, and neither carries anything but words of our own and
text that has passed ``safe_text``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final

from flagconsole.domain.text import safe_text

#: Terminals that show OSC 9 as a note. Others might print it, or beep, or take ``9;4`` for a progress bar.
_SHOW_NOTES: Final = frozenset({"iterm.app", "wezterm", "ghostty", "kitty", "rio"})
_LONGEST_NOTE: Final = 120


def notes_allowed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this terminal is known to show OSC 9; inside tmux and screen it doesn't get that far."""
    if environment.get("TMUX") or environment.get("TERM", "").startswith(("screen", "tmux")):
        return False
    program = environment.get("TERM_PROGRAM", "").casefold()
    return program in _SHOW_NOTES or bool(environment.get("KITTY_WINDOW_ID") or environment.get("WT_SESSION"))


class Bell:
    """Writes to the terminal. ``sound`` is BEL, ``note`` is OSC 9."""

    def __init__(self, write: Callable[[str], None], *, sound: bool = True, note: bool = True) -> None:
        self._write = write
        self.sound = sound
        self.note = note
        self._rung: set[str] = set()

    def ring(self, occasion: str, words: str) -> bool:
        """Ring once for an ``occasion`` (a name that tells it from others); ``words`` are what a note says."""
        if occasion in self._rung:
            return False
        self._rung.add(occasion)
        if self.note:
            # A text that begins with a digit and a semicolon would be another command of OSC 9.
            self._write(f"\x1b]9;flagconsole: {safe_text(words, _LONGEST_NOTE)}\x1b\\")
        if self.sound:
            self._write("\x07")
        return self.sound or self.note
