"""The bounds that ``serve --limit`` sets."""

from __future__ import annotations

import pytest

from flagconsole.domain.errors import InvalidInput
from flagconsole.server.bounds import LIMITS, Bounds, bounds_of, default_of


def test_what_is_given_is_set_and_the_rest_stays():
    assert bounds_of(["rate=20000", "streams=7", "header_seconds=2.5"]) == Bounds(
        rate=20_000, streams=7, header_seconds=2.5
    )
    assert bounds_of([]) == Bounds()


def test_each_bound_is_told_and_its_default_is_within_its_range():
    assert set(LIMITS) == set(Bounds.__slots__)
    for name, limit in LIMITS.items():
        assert limit.least <= default_of(name) <= limit.most
        assert limit.meaning


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["rate"], "must be NAME=VALUE with one of rate, burst"),
        (["speed=3"], "must be NAME=VALUE with one of rate, burst"),
        (["rate=nan"], "limit rate: must be a number from 1 to 1000000"),
        (["rate=inf"], "limit rate: must be a number from 1 to 1000000"),
        (["rate=0"], "limit rate: must be a number from 1 to 1000000"),
        (["streams=1.5"], "limit streams: must be a whole number from 0 to 1000000"),
        (["streams=-1"], "limit streams: must be a whole number"),
        (["rate=5", "rate=6"], "limit rate: is given twice"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(given, said):
    with pytest.raises(InvalidInput, match=said.replace("(", r"\(")) as refused:
        bounds_of(given)
    assert given[-1].rpartition("=")[2] in str(refused.value)
