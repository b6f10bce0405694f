"""The few signs that the console draws with, and what stands for them on terminals that have only ASCII."""

from __future__ import annotations

from typing import Final

from flagconsole.domain.states import FlagState

STATE_GLYPH: Final[dict[FlagState, str]] = {
    FlagState.OFF: "○",
    FlagState.SHADOW: "◐",
    FlagState.CANARY: "▲",
    FlagState.ON: "●",
    FlagState.KILL: "■",
}

#: The role that a state is painted in. The word beside the glyph says the same without colour.
STATE_ROLE: Final[dict[FlagState, str]] = {state: f"state_{state.value}" for state in FlagState}

CURSOR: Final = "▶"
DONE: Final = "✓"
FAILED: Final = "✗"
FULL: Final = "■"
EMPTY: Final = "□"
ARROW: Final = "→"
CARET: Final = "▏"

_ASCII: Final = str.maketrans(
    {
        "○": "o",
        "◐": "~",
        "▲": "^",
        "●": "*",
        "■": "#",
        "□": ".",
        "▶": ">",
        "✓": "+",
        "✗": "x",
        "→": ">",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "╌": "-",
        "─": "-",
        "━": "=",
        "│": "|",
        "┃": "|",
        "┏": "+",
        "┓": "+",
        "┗": "+",
        "┛": "+",
        "┌": "+",
        "┐": "+",
        "└": "+",
        "┘": "+",
        "·": "-",
        "…": "~",
        "▏": "_",
        "–": "-",
        "⏎": "E",
        "“": '"',
        "”": '"',
        "×": "x",
        "‖": "=",
        "≤": "<",
        "≥": ">",
        "↻": "@",
    }
)


def to_ascii(text: str) -> str:
    """Text with our signs replaced by ASCII ones of the same width. What others wrote is left as it is."""
    return text.translate(_ASCII)
