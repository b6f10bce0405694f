"""Moments as people type them: ``03:14``, ``03:14:10``, ``2026-03-14 03:14``, ``20m`` (ago). All in UTC, as on screen."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_AGO: Final = re.compile(r"-?(\d{1,6})([smhd])(?: ?ago)?", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_CLOCKS: Final = ("%H:%M", "%H:%M:%S")
_DATES: Final = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")
MOMENT_HELP: Final = "03:14 · 2026-03-14 03:14 · 20m"


def moment_of(text: str, now: float) -> float | None:
    """The moment that is meant, in seconds since the epoch; None where none is. A time of day is its newest occurrence."""
    text = text.strip().removesuffix("Z").removesuffix("z")
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    today = datetime.fromtimestamp(now, UTC)
    for form in _CLOCKS:
        clock = _parsed(text, form)
        if clock is not None:
            at = clock.replace(year=today.year, month=today.month, day=today.day)
            return (at if at.timestamp() <= now + 60 else at - timedelta(days=1)).timestamp()
    return next((date.timestamp() for form in _DATES if (date := _parsed(text, form)) is not None), None)


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None


def duration_of(text: str) -> float | None:
    """Seconds that ``2h`` or ``30m`` means; None where it means none."""
    found = _AGO.fullmatch(text)
    return int(found[1]) * _SECONDS[found[2]] if found is not None else None


def offset_text(seconds: float) -> str:
    """How far from a moment, in at most six characters: ``-2m``, ``+14s``, ``=``."""
    size = abs(seconds)
    for limit, unit, width in ((60, "s", 1), (3600, "m", 60), (86_400, "h", 3600), (float("inf"), "d", 86_400)):
        if size < limit:
            whole = int(size / width)
            return f"{'-' if seconds < 0 else '+'}{whole}{unit}" if whole else "="
    return ""
