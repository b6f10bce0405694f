"""How near a cohort comes to what it should be like: its strata, and the hours of the day it covers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from flagconsole.domain.cohort import StratumShare, TimezoneCoverage
from flagconsole.domain.strata import AXES, Cell, Shares, targets
from flagconsole.domain.tenant import TenantProfile
from flagconsole.domain.timezones import hours_of


def stratum_shares(
    total: int, shares: Shares, members: Iterable[Cell], left: Iterable[Cell]
) -> tuple[StratumShare, ...]:
    """Each stratum with its part of ``total`` seats. ``left`` are the tenants that could have been drawn and weren't."""
    inside, outside = Counter(members), Counter(left)
    found: list[StratumShare] = []
    for index, axis in enumerate(AXES):
        wanted = targets(total, shares[index])
        actual, more = _along(inside, index), _along(outside, index)
        found += (
            StratumShare(
                axis=axis,
                stratum=stratum,
                share=shares[index].get(stratum, 0.0),
                target=wanted.get(stratum, 0),
                actual=actual[stratum],
                eligible=actual[stratum] + more[stratum],
            )
            for stratum in (*wanted, *sorted(set(actual) - set(wanted)))
        )
    return tuple(found)


def _along(cells: Counter[Cell], axis: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for cell, count in cells.items():
        found[cell[axis]] += count
    return found


def coverage(members: Sequence[TenantProfile], drawable: Sequence[TenantProfile], at: datetime) -> TimezoneCoverage:
    """The hours that members cover, and those that they and all ``drawable`` tenants could."""
    covered = hours_of(members, at)
    return TimezoneCoverage(
        covered=tuple(sorted(covered)),
        possible=tuple(sorted(covered | hours_of(drawable, at))),
        members_with_timezone=sum(tenant.timezone is not None for tenant in members),
    )
