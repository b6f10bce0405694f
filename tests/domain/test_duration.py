"""Durations in words."""

from __future__ import annotations

import math

from flagconsole.domain.duration import length_text, part_of, rest_text


def test_a_part_is_told_in_the_unit_that_suits_the_whole_and_never_rounded_up():
    assert part_of(215, 300) == "3.5 of 5 min"
    assert part_of(299.9, 300) == "4.9 of 5 min"
    assert part_of(5400, 48 * 3600) == "1.5 of 48 h"
    assert part_of(math.nan, 300) == "an unknown part of 5 min"
    assert part_of(12, 30) == "12.0 of 30 s"


def test_the_part_and_the_rest_make_up_the_whole():
    for seconds, whole in ((20, 120), (215, 300), (5400, 48 * 3600), (12, 30)):
        part, _, length = part_of(seconds, whole).partition(" of ")
        rest, unit = rest_text(seconds, whole).split(" ")
        assert length_text(whole) == length == f"{float(part) + float(rest):g} {unit}"
