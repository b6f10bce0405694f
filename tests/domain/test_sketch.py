"""A sketch answers within its error, whatever it is fed, however it is cut up, and from no more than its bound of bins."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagconsole.domain.sketch import (
    HIGHEST_BIN,
    LONGEST_SECONDS,
    LOWEST_BIN,
    MAX_BINS,
    RELATIVE_ERROR,
    SHORTEST_SECONDS,
    LatencySketch,
    bin_of,
    packed,
    quantile_of,
    unpacked,
)

latencies = st.lists(st.floats(SHORTEST_SECONDS, LONGEST_SECONDS), min_size=1, max_size=200)
shares = st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0])


def exact(values, share):
    return sorted(values)[math.floor(share * (len(values) - 1))]


@settings(max_examples=150, deadline=None)
@given(latencies, shares)
def test_quantiles_are_within_one_percent(values, share):
    sketch = LatencySketch()
    for value in values:
        sketch.add(value)
    assert sketch.quantile(share) == pytest.approx(exact(values, share), rel=RELATIVE_ERROR * 1.0001)


@settings(max_examples=100, deadline=None)
@given(st.lists(latencies, min_size=1, max_size=6), shares)
def test_merging_parts_loses_nothing(parts, share):
    merged = LatencySketch()
    for part in parts:
        sketch = LatencySketch((bin_of(value), 1) for value in part)
        merged.merge(LatencySketch.from_bytes(sketch.to_bytes()))
    values = [value for part in parts for value in part]
    assert merged.count == len(values)
    assert merged.quantile(share) == pytest.approx(exact(values, share), rel=RELATIVE_ERROR * 1.0001)
    whole = LatencySketch()
    for value in values:
        whole.add(value)
    assert merged.bins() == whole.bins()
    assert quantile_of(whole.to_bytes(), share) == whole.quantile(share)


def test_quantiles_of_a_realistic_service():
    chance = random.Random(7)
    values = [chance.lognormvariate(math.log(0.24), 0.55) for _ in range(20_000)]
    sketch = LatencySketch((bin_of(value), 1) for value in values)
    for share in (0.5, 0.95, 0.99):
        assert sketch.quantile(share) == pytest.approx(exact(values, share), rel=0.0101)
    assert len(sketch.to_bytes()) < 2500


def test_size_is_bounded_whatever_comes():
    sketch = LatencySketch()
    for value in (-1.0, 0.0, math.nan, math.inf, 1e-300, 1e300):
        sketch.add(value)
    sketch.add_bins((key, 1) for key in range(LOWEST_BIN, HIGHEST_BIN + 1))
    assert len(sketch.bins()) == MAX_BINS
    assert sketch.count == MAX_BINS + 6
    assert sketch.quantile(0.0) == pytest.approx(SHORTEST_SECONDS, rel=0.011)
    assert sketch.quantile(1.0) == pytest.approx(LONGEST_SECONDS, rel=0.011)


def test_an_empty_sketch_has_no_quantile():
    assert LatencySketch().quantile(0.95) is None
    assert LatencySketch.from_bytes(b"").quantile(0.5) is None
    assert quantile_of(b"", 0.5) is None


@pytest.mark.parametrize("pair", [(LOWEST_BIN - 1, 1), (HIGHEST_BIN + 1, 1), (0, 0), (0, -3)])
def test_pairs_that_no_latency_makes_are_refused(pair):
    with pytest.raises(ValueError):
        LatencySketch([pair])


def test_cut_bytes_are_refused():
    with pytest.raises(ValueError):
        LatencySketch.from_bytes(packed([(3, 4)])[:-1])


def test_counts_that_are_too_large_to_keep_are_capped():
    assert list(unpacked(packed([(3, 2**40)]))) == [(3, 2**32 - 1)]
