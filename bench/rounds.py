"""Interleaved rounds: every contender is measured once, then every one again, so that what else the machine does hits all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Measured(NamedTuple):
    """What came out of several rounds: the median, and how far the middle half of the rounds is spread, as a share of it."""

    median: float
    spread: float
    rounds: int


def summary(values: list[float]) -> Measured:
    """The median and the spread of ``values``, of which there must be at least one."""
    middle = statistics.median(values)
    if len(values) < 3 or middle == 0:
        return Measured(middle, 0.0 if middle == 0 else (max(values) - min(values)) / middle, len(values))
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return Measured(middle, (high - low) / middle, len(values))


def interleaved(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Measured]:
    """Measure each contender ``rounds`` times, in turn; every other round runs backwards, so that nobody is always second."""
    values: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            values[name].append(contenders[name]())
    return {name: summary(found) for name, found in values.items()}
