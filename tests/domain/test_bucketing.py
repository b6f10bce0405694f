"""Every client must put a tenant into the same bucket, for ever."""

from __future__ import annotations

import json
from pathlib import Path

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagconsole.domain.bucketing import bucket, in_percentage

from ..vectors.reference import murmur3_x86_32

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "bucketing.json").read_text("utf-8"))

names = st.text(st.characters(codec="utf-8"), max_size=40)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"{case['flag']}:{case['tenant'][:12]}")
def test_golden_vectors(case):
    assert bucket(case["flag"], case["tenant"]) == case["bucket"]


@pytest.mark.parametrize(
    ("data", "seed", "expected"),
    [
        (b"", 0, 0),
        (b"", 1, 0x514E28B7),
        (b"", 0xFFFFFFFF, 0x81F16F39),
        (b"\xff\xff\xff\xff", 0, 0x76293B50),
        (b"!Ce\x87", 0, 0xF55B516B),
        (b"!Ce", 0, 0x7E4A8634),
        (b"!C", 0, 0xA0F7B07A),
        (b"!", 0, 0x72661CF4),
        (b"\0\0\0\0", 0, 0x2362F9DE),
        (b"Hello, world!", 0x9747B28C, 0x24884CBA),
    ],
)
def test_the_reference_computes_the_published_values_of_murmur3(data, seed, expected):
    assert murmur3_x86_32(data, seed) == expected


def test_unleash_clients_compute_the_same():
    """What the tests of Unleash's Node, Java and Go clients expect for these."""
    assert bucket("gr1", "123") == 73
    assert bucket("groupX", "999") == 25


@given(names, names)
def test_like_the_reference_for_any_text(flag, tenant):
    assert bucket(flag, tenant) == murmur3_x86_32(f"{flag}:{tenant}".encode()) % 100 + 1


@given(names, names)
def test_nobody_at_0_and_everybody_at_100(flag, tenant):
    assert not in_percentage(flag, tenant, 0)
    assert in_percentage(flag, tenant, 100)


@given(names, names, st.integers(0, 100), st.integers(0, 100))
def test_raising_the_percentage_only_adds(flag, tenant, one, other):
    low, high = sorted((one, other))
    assert in_percentage(flag, tenant, low) <= in_percentage(flag, tenant, high)


def test_shares_are_fair():
    inside = sum(in_percentage("invoices.write", f"tenant-{number:05}", 10) for number in range(20_000))
    assert 1800 < inside < 2200


def test_lone_surrogates_are_hashed_not_refused():
    assert bucket("a.b", "\ud800") == mmh3.hash("a.b:?", 0, signed=False) % 100 + 1
