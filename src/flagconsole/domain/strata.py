"""Strata: how many members of a cohort each size, region and industry shall have, and how seats are dealt out.

A cell is one combination of the three. Its quota comes from three targets at once, and from how many tenants it has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import floor
from typing import Final, NamedTuple

from flagconsole.domain.tenant import Size, TenantProfile

AXES: Final = ("size", "region", "industry")
UNKNOWN: Final = "unknown"
OTHER: Final = "other"

SIZE_SHARES: Final = {"small": 0.40, "medium": 0.40, "large": 0.20}
REGION_SHARES: Final = {"us_west": 0.30, "us_east": 0.30, "eu": 0.20, OTHER: 0.20}
#: Of the tenants in these two industries. What share the others get, the population decides.
INDUSTRY_SHARES: Final = {"field_services": 0.60, "restaurants": 0.40}

#: Seats up to this part of a cell's own target are given at once; the rest goes where the three axes lack most.
_GIVEN_AT_ONCE: Final = 0.9
_STEPS: Final = 200
_EXCHANGES: Final = 200


class Cell(NamedTuple):
    """One combination of size, region and industry."""

    size: str
    region: str
    industry: str


class Shares(NamedTuple):
    """The share that each stratum of each axis shall have; each adds up to 1. A stratum that isn't named has none."""

    size: Mapping[str, float]
    region: Mapping[str, float]
    industry: Mapping[str, float]

    def of(self, cell: Cell) -> float:
        """The share of a cell, were the axes independent."""
        return self.size.get(cell.size, 0.0) * self.region.get(cell.region, 0.0) * self.industry.get(cell.industry, 0.0)


def cell_of(tenant: TenantProfile) -> Cell:
    """The cell of a tenant. What isn't known is a stratum of its own, which no target asks for."""
    return _cell(tenant.size, tenant.region, tenant.industry)


@lru_cache(maxsize=4096)
def _cell(size: Size | None, region: str | None, industry: str | None) -> Cell:
    return Cell(
        UNKNOWN if size is None else size.value,
        UNKNOWN if region is None else region if region in REGION_SHARES else OTHER,
        UNKNOWN if industry is None else industry if industry in INDUSTRY_SHARES else OTHER,
    )


def first_canary_shares(cells: Iterable[Cell]) -> Shares:
    """What the first canary shall be like: fixed shares, and other industries as often as among these tenants."""
    industries = Counter(cell.industry for cell in cells)
    known = sum(count for industry, count in industries.items() if industry != UNKNOWN)
    others = industries[OTHER] / known if known else 0.0
    industry = {name: share * (1 - others) for name, share in INDUSTRY_SHARES.items()}
    return Shares(SIZE_SHARES, REGION_SHARES, {**industry, OTHER: others} if others else industry)


def population_shares(cells: Iterable[Cell]) -> Shares:
    """What a wider canary shall be like: as the population is."""
    counts = Counter(cells)
    total = sum(counts.values()) or 1
    axes: list[dict[str, float]] = [{}, {}, {}]
    for cell, count in sorted(counts.items()):
        for axis, stratum in zip(axes, cell, strict=True):
            axis[stratum] = axis.get(stratum, 0.0) + count / total
    return Shares(*axes)


def targets(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """``total`` seats in whole numbers by ``shares``: largest remainders first, so that they add up."""
    exact = {stratum: total * share for stratum, share in shares.items()}
    whole = {stratum: floor(value + 1e-9) for stratum, value in exact.items()}
    left = total - sum(whole.values())
    by_remainder = sorted(exact, key=lambda stratum: (whole[stratum] - exact[stratum], stratum))
    for stratum in by_remainder[:left]:
        whole[stratum] += 1
    return whole


def quotas(seats: int, available: Mapping[Cell, int], fixed: Mapping[Cell, int], shares: Shares) -> dict[Cell, int]:
    """How many of ``seats`` each cell gets, at most ``available``, so that with the ``fixed`` members all three axes come
    as near to their targets as the cells allow. The seats are all given while any cell has room."""
    dealer = _Dealer(seats, available, fixed, shares)
    dealer.deal()
    dealer.exchange()
    return dealer.quota


class _Dealer:
    """Deals seats to cells. Everything it goes by is ordered, so the same question has the same answer."""

    def __init__(self, seats: int, available: Mapping[Cell, int], fixed: Mapping[Cell, int], shares: Shares) -> None:
        self.available = dict(sorted(available.items()))
        self.quota = dict.fromkeys(self.available, 0)
        self.left = min(seats, sum(self.available.values()))
        total = seats + sum(fixed.values())
        self._cell_targets = {cell: total * shares.of(cell) for cell in self.available}
        self._targets = [targets(total, axis) for axis in shares]
        self._counts: list[Counter[str]] = [Counter(), Counter(), Counter()]
        self._fixed = fixed
        for cell, count in fixed.items():
            self._count(cell, count)

    def _count(self, cell: Cell, change: int) -> None:
        for counter, stratum in zip(self._counts, cell, strict=True):
            counter[stratum] += change

    def _give(self, cell: Cell, seats: int) -> None:
        self.quota[cell] += seats
        self.left -= seats
        self._count(cell, seats)

    def deal(self) -> None:
        for cell, target in self._cell_targets.items():
            wanted = floor(_GIVEN_AT_ONCE * target) - self._fixed.get(cell, 0)
            self._give(cell, max(0, min(wanted, self.available[cell], self.left)))
        step = max(1, self.left // _STEPS)
        while self.left:
            open_cells = [cell for cell, room in self.available.items() if self.quota[cell] < room]
            neediest = max(open_cells, key=self._need)
            self._give(neediest, min(step, self.available[neediest] - self.quota[neediest], self.left))

    def _need(self, cell: Cell) -> float:
        """How much the axes lack of this cell's strata, each as a part of its target; a stratum without one goes last."""
        need = 0.0
        for wanted, counts, stratum in zip(self._targets, self._counts, cell, strict=True):
            target = wanted.get(stratum, 0)
            need += (target - counts[stratum]) / target if target else -2.0 - counts[stratum]
        target_of_cell = self._cell_targets[cell]
        return need + 0.1 * (target_of_cell - self.quota[cell]) / max(target_of_cell, 1.0)

    def exchange(self) -> None:
        """Move single seats while that brings the axes nearer to their targets."""
        for _ in range(_EXCHANGES):
            if not self._deviation():
                return
            givers = [cell for cell, seats in self.quota.items() if seats]
            takers = [cell for cell, room in self.available.items() if self.quota[cell] < room]
            best = min(
                ((self._cost(giver, taker), giver, taker) for giver in givers for taker in takers if giver != taker),
                default=None,
            )
            if best is None or best[0] >= 0:
                return
            _, giver, taker = best
            self._give(giver, -1)
            self._give(taker, 1)

    def _deviation(self) -> int:
        """How far the axes are from their targets, in seats."""
        return sum(
            abs(counts[stratum] - wanted.get(stratum, 0))
            for wanted, counts in zip(self._targets, self._counts, strict=True)
            for stratum in {*wanted, *counts}
        )

    def _cost(self, giver: Cell, taker: Cell) -> int:
        """How much farther from the targets the axes are, in seats, when one seat moves."""
        cost = 0
        for wanted, counts, old, new in zip(self._targets, self._counts, giver, taker, strict=True):
            if old != new:
                cost += abs(counts[old] - 1 - wanted.get(old, 0)) - abs(counts[old] - wanted.get(old, 0))
                cost += abs(counts[new] + 1 - wanted.get(new, 0)) - abs(counts[new] - wanted.get(new, 0))
        return cost
