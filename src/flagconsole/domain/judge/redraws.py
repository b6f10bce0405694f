"""The cohorts that the same draw could have given instead of the observed one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.assignment import Assignment

Floats = NDArray[np.float64]

#: How many places all rings together may have: 20 million take about half a gigabyte.
MOST_PLACES = 20_000_000


@dataclass(frozen=True)
class _Stratum:
    """One stratum in every ring: which tenant stands where, and the spectrum of the cohort before it is turned."""

    members: NDArray[np.int64]
    orders: NDArray[np.int64]
    spectra: NDArray[np.complex128]


class Redraws:
    """``count`` cohorts of the same design, the observed one among them at a place that chance chose.

    They come in rings: a fresh draw in a random order of each stratum's tenants, moved on by 1, 2, 3 … places. One ring,
    at a step that chance chose, begins where the observed cohort comes from when it is moved back by that step. Where the
    observed cohort was drawn uniformly, that ring looks like the others whichever step it was, so each of the ``count``
    places is equally likely to hold the observed cohort, given all of them. That is all the rank budget needs. In return
    the sums of a score over all cohorts are circular correlations: no cohort is ever stored, and 20,000 of 50,000 tenants
    cost a few Fourier transforms.
    """

    def __init__(self, assignment: Assignment, count: int) -> None:
        rng = np.random.Generator(np.random.PCG64(assignment.seed("redraws")))
        self.count = count
        self.observed = int(rng.integers(count))
        codes = np.where(assignment.by_chance, assignment.stratum, -1)
        groups = [np.flatnonzero(codes == code) for code in np.unique(codes[codes >= 0])]
        largest = max((group.size for group in groups), default=2)
        # A ring longer than its largest stratum repeats cohorts, which costs power but no exactness: better than memory.
        fewest = -(-count * assignment.size // MOST_PLACES)
        self._turns = min(max(largest - 1, fewest, 1), count)
        self._rings = -(-count // self._turns)
        ring, step = divmod(self.observed, self._turns)
        self._strata = tuple(self._turned_back(rng, group, assignment.canary, ring, step + 1) for group in groups)
        self.tenants = int(sum(group.size for group in groups))
        self.drawn = assignment.drawn_by_chance or 0

    def _turned_back(
        self,
        rng: np.random.Generator,
        group: NDArray[np.int64],
        canary: NDArray[np.bool_],
        ring: int,
        step: int,
    ) -> _Stratum:
        size = group.size
        orders = rng.permuted(np.tile(np.arange(size), (self._rings, 1)), axis=1)
        own = orders[ring]
        observed = canary[group]
        start = rng.permuted(np.tile(observed.astype(np.float64), (self._rings, 1)), axis=1)
        start[ring] = observed[own[(np.arange(size) + step) % size]]
        return _Stratum(group, group[orders], np.conj(np.fft.rfft(start, axis=1)))

    def sums(self, scores: Floats) -> Floats:
        """For each row of ``scores`` (one number per tenant) its sum over each cohort: shape (rows, count)."""
        total = np.zeros((scores.shape[0], self._rings, self._turns))
        steps = np.arange(1, self._turns + 1)
        for stratum in self._strata:
            size = stratum.members.size
            spectra = np.fft.rfft(scores[:, stratum.orders], axis=2)
            turned = np.fft.irfft(spectra * stratum.spectra, n=size, axis=2)
            total += turned[:, :, steps % size]
        return total.reshape(scores.shape[0], -1)[:, : self.count]

    def cohort(self, index: int) -> NDArray[np.int64]:
        """The tenants (by place in the assignment) that cohort ``index`` drew by chance, for checking."""
        ring, step = divmod(index, self._turns)
        chosen = []
        for stratum in self._strata:
            size = stratum.members.size
            start = np.fft.irfft(np.conj(stratum.spectra[ring]), n=size) > 0.5
            places = (np.flatnonzero(start) + step + 1) % size
            chosen.append(stratum.orders[ring][places])
        return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)
