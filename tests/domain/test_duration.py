"""Durations in words."""

from __future__ import annotations

import math

from flagconsole.domain.duration import part_of


def test_a_part_is_told_in_the_unit_that_suits_the_whole_and_never_rounded_up():
    assert part_of(215, 300) == "3.5 of 5 min"
    assert part_of(299.9, 300) == "4.9 of 5 min"
    assert part_of(5400, 48 * 3600) == "1.5 of 48 h"
    assert part_of(math.nan, 300) == "an unknown part of 5 min"
