"""Text from outside, made safe to show in a terminal.

Names, reasons, tenants, actors and server errors are written by strangers. ``safe_text`` is the one gate between them and
anything that ends on a screen, in a log line or in a clipboard.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_LENGTH: Final = 500
MAX_COMBINING: Final = 3

_LINE_BREAKS = re.compile("[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_HOSTILE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: escape sequences begin here
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # invisible letters and joiners
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f"  # zero-width and bidirectional controls
    "\ufe00-\ufe0f\ufeff\ufff0-\ufffb"  # variation selectors, BOM, interlinear annotation
    "\ud800-\udfff"  # lone surrogates
    "\U000e0000-\U000e0fff"  # tag characters, more variation selectors
    "\U0001d173-\U0001d17a"  # invisible musical controls
    "]"
)


def safe_text(value: object, limit: int = MAX_LENGTH) -> str:
    """``value`` as one line that can't move the cursor, hide text, change direction or run longer than ``limit``.

    Control, bidirectional, zero-width, tag and surrogate code points become visible, like ``\\u{1b}``; line breaks and tabs
    collapse to one space; more than three combining marks in a row and everything past ``limit`` characters are cut, with
    ``…`` in their place.
    """
    text = value if isinstance(value, str) else str(value)
    if len(text) > limit * 4:
        text = text[: limit * 4]
    if text.isascii() and text.isprintable():
        return _cap(text, limit)
    text = _LINE_BREAKS.sub(" ", text)
    text = _HOSTILE.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", text)
    return _cap(_cap_combining(text), limit)


def _cap(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _cap_combining(text: str) -> str:
    kept: list[str] = []
    run = 0
    for char in text:
        run = run + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        if run <= MAX_COMBINING:
            kept.append(char)
        elif run == MAX_COMBINING + 1:
            kept.append("…")
    return "".join(kept)


def is_hostile(text: str) -> bool:
    """Whether ``text`` holds a code point that must never reach a terminal."""
    return _HOSTILE.search(text) is not None
