"""How the latencies of a group are spread, which turns shares of slow operations into factors between latencies."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.observation import SHAPE_SHARES, Latency

Floats = NDArray[np.float64]

_NORMAL = NormalDist()
#: Shares beyond these are taken as these: no count tells them from 0 or 1.
_SHARES = (1e-6, 0.999)
#: Bounds of the spread that an error is reckoned with: latencies that are all alike would make every difference certain.
_SPREAD_BOUNDS = (0.1, 4.0)
#: The spread where the quantiles don't tell.
_UNKNOWN_SPREAD = 0.5
#: Where more operations than this are slow, counting them no longer tells how slow they are.
MOST_SHARE = 0.95
#: A slope is taken over so many errors of the share on either side, which is about as far as intervals reach: where nearly all
#: operations are slow the curve is steep above and flat below.
_REACH = 4.0
_REACHES = (0.1, 2.0)
_FAR = 8.0


class LatencyShape:
    """The logarithm of the latency as a function of the normal deviate of its place: a line for log-normal latencies, and a
    line between each two known quantiles for any others."""

    def __init__(self, latency: Latency) -> None:
        shares: tuple[float, ...] = SHAPE_SHARES
        known = latency.shape
        if not known:
            shares, known = (0.95, 0.99), tuple(value for value in (latency.p95, latency.p99) if value is not None)
        usable = len(known) == len(shares) and all(0 < value < math.inf for value in known)
        if usable and known[0] < known[-1]:
            places = [deviate(share) for share in shares]
            logs = [math.log(value) for value in known]
        else:
            places, logs = [0.0, 1.0], [0.0, _UNKNOWN_SPREAD]
        first, last = ((logs[b] - logs[a]) / (places[b] - places[a]) for a, b in ((0, 1), (-2, -1)))
        self._places = np.array([-_FAR, *places, _FAR])
        self._logs = np.array([logs[0] - first * (_FAR + places[0]), *logs, logs[-1] + last * (_FAR - places[-1])])

    def log_exceeded_by(self, share: float) -> float:
        """The logarithm of the latency that ``share`` of the operations exceed."""
        return float(np.interp(-deviate(share), self._places, self._logs))

    def log_error(self, share: float, error: float) -> float:
        """The standard error of the logarithm of a latency, from that of the logarithm of the ``share`` of operations above
        a fixed one."""
        reach = min(max(_REACH * error, _REACHES[0]), _REACHES[1])
        low, high = share * math.exp(-reach), min(share * math.exp(reach), max(share, MOST_SHARE))
        deviates = deviate(high) - deviate(low)
        spread = (self.log_exceeded_by(low) - self.log_exceeded_by(high)) / deviates
        return error * min(max(spread, _SPREAD_BOUNDS[0]), _SPREAD_BOUNDS[1]) * deviates / math.log(high / low)


def deviate(share: float) -> float:
    """The normal deviate that ``share`` of a population doesn't exceed."""
    return _NORMAL.inv_cdf(min(max(share, _SHARES[0]), _SHARES[1]))


def deviates_per_share(share: float) -> float:
    """By how many deviates the place moves for each part by which ``share`` grows."""
    return min(max(share, _SHARES[0]), _SHARES[1]) / _NORMAL.pdf(deviate(share))


def moved(shares: Floats, deviates: Floats) -> Floats:
    """Shares of slow operations after latencies moved by so many deviates."""
    places, below = _table()
    found: Floats = np.interp(np.interp(shares, below, places) + deviates, places, below)
    return found


@lru_cache(maxsize=1)
def _table() -> tuple[Floats, Floats]:
    """Deviates and the shares below them, near enough for errors and quick for many tenants."""
    places = np.linspace(-5.0, 5.0, 1001)
    return places, np.array([_NORMAL.cdf(place) for place in places])
