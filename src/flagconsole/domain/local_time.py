"""Local times: which moments a clock on the wall can mean, and how a moment is shown on it.

A time of day comes twice when clocks go back, and never when they go forward. Nothing here guesses which is meant.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import NamedTuple


class Readings(NamedTuple):
    """What a local time can mean, in UTC: one moment, or ``first`` and ``second`` where the clock shows it twice, or where it
    never shows it the moments that it would be by the clock before and after the jump. ``exists`` tells the last two apart."""

    first: datetime
    second: datetime
    exists: bool

    @property
    def clear(self) -> bool:
        """Whether it means one moment."""
        return self.exists and self.first == self.second


def readings(local: datetime, zone: tzinfo | None) -> Readings:
    """What ``local``, a time without an offset, means in ``zone``, or in this machine's zone."""
    first, second = (_in_utc(local.replace(fold=fold), zone) for fold in (0, 1))
    exists = any(_shown(moment, zone) == local.replace(fold=0) for moment in (first, second))
    return Readings(min(first, second), max(first, second), exists)


def local_text(moment: datetime, zone: tzinfo | None = None) -> str:
    """A moment as the clock of ``zone`` (or this machine's) shows it, with the zone: ``2026-12-01 18:00:00 CET``."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _in_utc(local: datetime, zone: tzinfo | None) -> datetime:
    return (local if zone is None else local.replace(tzinfo=zone)).astimezone(UTC)


def _shown(moment: datetime, zone: tzinfo | None) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
