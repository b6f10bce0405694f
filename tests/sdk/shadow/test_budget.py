"""What shadow work may take."""

from __future__ import annotations

import pytest

from flagconsole.sdk.shadow import Budget, Skipped


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("share", [0.0, 0.1, 1 / 3, 0.5, 0.99, 1.0])
def test_of_any_number_of_requests_no_more_than_the_share_run(share):
    budget = Budget(share=share)
    ran = 0
    for number in range(1, 2001):
        ran += budget.admit() is None
        assert ran <= share * number + 1e-6
    assert ran >= int(2000 * share - 1)


def test_time_that_is_used_up_comes_back_by_and_by():
    clock = Clock()
    budget = Budget(seconds_per_minute=6, clock=clock)
    assert budget.admit() is None
    budget.spend(9)
    assert budget.admit() is Skipped.TIME
    clock.now = 29.0
    assert budget.admit() is Skipped.TIME
    clock.now = 31.0
    assert budget.admit() is None
    clock.now = 10_000.0
    budget.spend(6.1)
    assert budget.admit() is Skipped.TIME


def test_what_time_left_out_is_not_made_up_for():
    clock = Clock()
    budget = Budget(share=0.5, seconds_per_minute=6, clock=clock)
    budget.spend(7)
    for _ in range(100):
        assert budget.admit() is not None
    clock.now = 600
    assert sum(budget.admit() is None for _ in range(100)) <= 51


@pytest.mark.parametrize("wrong", [{"share": 1.1}, {"share": -0.1}, {"seconds": 0}, {"seconds_per_minute": -1}])
def test_numbers_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        Budget(**wrong)
