"""Positions ``(epoch, revision)`` as they travel: ``epoch:revision`` in headers and in the ids of stream events."""

from __future__ import annotations

from typing import Final

HEADER: Final = "X-Flagconsole-Position"
MAX_EPOCH: Final = 64
_MAX_DIGITS: Final = 18

Position = tuple[str, int]


def position_text(position: Position) -> str | None:
    """``epoch:revision``, or ``None`` where the epoch can't travel in a header (no server of ours makes such a one)."""
    epoch, revision = position
    if not epoch or not all("!" <= char <= "~" for char in epoch):
        return None
    return f"{epoch}:{revision}"


def parse_position(text: str) -> Position:
    """The position that ``text`` spells. Raises ``ValueError`` where it isn't one."""
    epoch, _, digits = text.rpartition(":")
    if not 0 < len(epoch) <= MAX_EPOCH or not digits.isascii() or not digits.isdigit() or len(digits) > _MAX_DIGITS:
        raise ValueError("not a position (epoch:revision)")
    return epoch, int(digits)
