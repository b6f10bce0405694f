"""The hours of the day in which tenants are at work, so that a cohort is used, and watched, around the clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final

from flagconsole.domain.tenant import TenantProfile, utc_offset

#: When tenants are at work, hours by their own clocks.
WORK_BEGINS: Final = 8
WORK_ENDS: Final = 18


@lru_cache(maxsize=2048)
def working_hours(zone: str | None, at: datetime) -> frozenset[int]:
    """The hours in UTC whose middle lies in the working day of ``zone``; none for an unknown zone."""
    if zone is None:
        return frozenset()
    ahead = utc_offset(zone, at).total_seconds() / 3600
    return frozenset(hour for hour in range(24) if WORK_BEGINS <= (hour + 0.5 + ahead) % 24 < WORK_ENDS)


def hours_of(tenants: Iterable[TenantProfile], at: datetime) -> frozenset[int]:
    """The hours in UTC in which any of these tenants is at work."""
    zones = {tenant.timezone for tenant in tenants}
    return frozenset().union(*(working_hours(zone, at) for zone in zones))
