"""Durations as people write them: ``90s``, ``30m``, ``24h``, ``7d``."""

from __future__ import annotations

import math
import re
from typing import Final

from flagconsole.domain.errors import InvalidInput

DURATION_PATTERN: Final = r"^[0-9]{1,6}[smhd]$"
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str, field: str, *, least: int, most: int) -> int:
    """Seconds. Raises ``InvalidInput`` naming ``field`` for anything else, and for less than ``least`` or more than ``most``."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidInput(
            field=field, problem="must be a number with s, m, h or d, such as 30m or 24h", value=text[:40]
        )
    seconds = int(match[1]) * _UNITS[match[2]]
    if not least <= seconds <= most:
        raise InvalidInput(
            field=field, problem=f"must be from {duration_text(least)} to {duration_text(most)}", value=text
        )
    return seconds


def part_of(seconds: float, whole: float) -> str:
    """A part of a duration, in the unit that suits the whole: ``1.5 of 48 h``, ``3.6 of 5 min``."""
    size, _ = _unit_of(whole)
    # Cut, not rounded: what isn't over yet must not look so.
    part = f"{int(seconds / size * 10) / 10:.1f}" if math.isfinite(seconds) else "an unknown part"
    return f"{part} of {length_text(whole)}"


def length_text(whole: float) -> str:
    """A whole duration as ``part_of`` tells it: ``48 h``, ``5 min``, ``30 s``."""
    size, unit = _unit_of(whole)
    return f"{whole / size:g} {unit}"


def rest_text(seconds: float, whole: float) -> str:
    """What is left of a duration after ``seconds`` of it, as ``part_of`` tells the part: both make up the whole."""
    size, unit = _unit_of(whole)
    return f"{whole / size - int(seconds / size * 10) / 10:.1f} {unit}"


def _unit_of(whole: float) -> tuple[int, str]:
    return (3600, "h") if whole >= 3600 else (60, "min") if whole >= 60 else (1, "s")


def took_text(seconds: float) -> str:
    """How long something took, in the unit that suits it: ``0.4 s``, ``16 s``, ``4.1 min``, ``1.5 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def duration_text(seconds: int) -> str:
    """Seconds as ``parse_duration`` reads them, in the largest unit that needs no fraction."""
    for unit in "dhm":
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"
