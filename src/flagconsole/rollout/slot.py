"""What was measured in one short slot of time: counts of each tenant, and the latencies of the groups that are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.group import Group
from flagconsole.domain.judge import SHAPE_SHARES, Counts, Latency
from flagconsole.domain.sketch import LOWEST_BIN, MAX_BINS, bin_of, latency_of_bin, packed, unpacked
from flagconsole.store.metric_store import GroupBucket, TenantRow

Integers = NDArray[np.int64]
#: How a pair of bin and count lies in a kept sketch.
_PAIR: Final = np.dtype([("bin", "<i2"), ("times", "<u4")])
#: Groups that belong to neither side of a comparison.
_NEITHER: Final = frozenset({Group.OFF, Group.OTHER})
#: The rows of a slot's counts; all but the last in the order of ``Counts``.
COLUMNS: Final = ("operations", "errors", "slow", "criticals", "slower", "conversions")


class References(NamedTuple):
    """The latencies before the rollout, in seconds, that operations are compared with: above the p95 they are ``slow``, above
    the median ``slower``. None where nothing was measured before."""

    slow: float | None = None
    slower: float | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """``counts``: one row per column, one column per tenant. ``latency``: a number per bin, of each group. ``source`` changes
    whenever something was added to the slot in the store."""

    start: int
    counts: Integers
    latency: Mapping[Group, Integers]
    source: tuple[GroupBucket, ...] = ()


def slot_of(
    start: int,
    rows: Sequence[TenantRow],
    groups: Sequence[GroupBucket],
    index: Mapping[str, int],
    references: References,
    compared: Iterable[Group],
) -> Slot:
    """A slot from the store's rows of it."""
    latency = {group: np.zeros(MAX_BINS, np.int64) for group in compared}
    for bucket in groups:
        if bucket.group in latency:
            latency[bucket.group] += bins_of(bucket.latency)
    return Slot(start, tenant_counts(rows, index, references), latency, tuple(groups))


def tenant_counts(rows: Sequence[TenantRow], index: Mapping[str, int], references: References) -> Integers:
    """Each tenant's counts. Operations that belong to neither side (overrides, capped, off), and tenants that
    aren't in ``index``, are left out."""
    kept = [row for row in rows if row.group not in _NEITHER and row.tenant_id in index]
    counts = np.zeros((len(COLUMNS), len(index)), np.int64)
    if not kept:
        return counts
    at = np.fromiter((index[row.tenant_id] for row in kept), np.intp, len(kept))
    for place, column in ((0, "operations"), (1, "errors"), (3, "critical_errors"), (5, "conversions")):
        np.add.at(counts[place], at, np.fromiter((getattr(row, column) for row in kept), np.int64, len(kept)))
    pairs = np.frombuffer(b"".join([row.latency for row in kept]), _PAIR)
    sizes = np.fromiter((len(row.latency) // _PAIR.itemsize for row in kept), np.intp, len(kept))
    owner = np.repeat(at, sizes)
    for place, limit in ((2, references.slow), (4, references.slower)):
        if limit is not None:
            above = pairs["bin"] > bin_of(limit)
            times = np.bincount(owner[above], weights=pairs["times"][above], minlength=len(index))
            counts[place] = times.astype(np.int64)
    return counts


def bins_of(latency: bytes) -> Integers:
    """A kept sketch as a number per bin."""
    bins = np.zeros(MAX_BINS, np.int64)
    for key, times in unpacked(latency):
        bins[key - LOWEST_BIN] += times
    return bins


def kept_sketch(bins: Integers) -> bytes:
    """The sketch that ``bins_of`` makes these numbers of."""
    filled = np.flatnonzero(bins)
    return packed((int(place) + LOWEST_BIN, int(bins[place])) for place in filled)


def latency_of(bins: Integers) -> Latency:
    """Quantiles in milliseconds."""
    counted = np.cumsum(bins)
    if counted[-1] == 0:
        return Latency()
    # The rank of a quantile as in the sketch itself.
    places = np.searchsorted(counted, np.array(SHAPE_SHARES) * (counted[-1] - 1), side="right")
    shape = tuple(latency_of_bin(int(place) + LOWEST_BIN) * 1000 for place in places)
    p95, p99 = (shape[SHAPE_SHARES.index(share)] for share in (0.95, 0.99))
    return Latency(p95, p99, shape)


def counts_of(summed: Integers, references: References) -> Counts:
    """Summed rows as the judge takes them."""
    operations, errors, slow, criticals, slower, _ = summed.astype(np.float64)
    return Counts(operations, errors, slow, criticals, None if references.slower is None else slower)
