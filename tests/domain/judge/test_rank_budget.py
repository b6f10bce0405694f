"""The rank budget: its bound, its schedule, and that no look spends twice."""

from __future__ import annotations

import numpy as np
import pytest

from flagconsole.domain.judge import Assignment, JudgeSettings
from flagconsole.domain.judge.rank_budget import RankBudget, Scores, Window, schedule
from flagconsole.domain.judge.redraws import Redraws

SETTINGS = JudgeSettings(
    horizon_seconds=3600, cohorts=200, phase_ranks=12, hour_ranks=6, overtime_ranks=2
)  # 20 of 200: 10 %
TENANTS = 40


def draw(rng: np.random.Generator, seed: str, cohort: int = 8) -> Assignment:
    names = [str(number) for number in range(TENANTS)]
    chosen = rng.choice(TENANTS, cohort, replace=False)
    return Assignment.drawn(names, [names[index] for index in chosen], seed_text=seed)


def budget(assignment: Assignment, settings: JudgeSettings = SETTINGS) -> RankBudget:
    return RankBudget(Redraws(assignment, settings.cohorts), schedule(settings), assignment.seed("ties"))


def accused(rng: np.random.Generator, seed: str, effect: float) -> bool:
    """Heavy tails, one shared shock, scores that remember the past: nothing that a textbook would call independent."""
    assignment = draw(rng, seed)
    ranks = budget(assignment)
    errors, slow = np.zeros(TENANTS), np.zeros(TENANTS)
    for look in range(1, 60):
        shock = rng.standard_t(2) if look == 20 else 0.0
        errors = 0.9 * errors + rng.standard_t(2, TENANTS) + shock + effect * assignment.canary
        slow = 0.5 * slow + 0.5 * errors + rng.exponential(1, TENANTS)
        rows = np.array([errors, slow])
        ranks.spend(look * 120.0, lambda window, rows=rows: Scores(("e", "s"), rows))
    return ranks.accused_at is not None


def test_without_an_effect_no_more_are_accused_than_the_ranks_allow() -> None:
    rng = np.random.default_rng(20261123)
    runs = 800
    hits = sum(accused(rng, f"run {number}", effect=0.0) for number in range(runs))
    # 10 % are expected: all 20 ranks of 200 cohorts are spent. Four standard deviations on either side.
    assert 0.0575 * runs < hits < 0.1425 * runs


def test_with_an_effect_nearly_all_are_accused() -> None:
    rng = np.random.default_rng(7)
    assert sum(accused(rng, f"run {number}", effect=3.0) for number in range(20)) >= 19


def test_the_schedule_has_every_rank_once_and_most_of_them_early() -> None:
    settings = JudgeSettings()
    ranks = schedule(settings)
    whole = [rank.seconds for rank in ranks if rank.window is Window.WHOLE_PHASE]
    assert len(ranks) == 160
    assert settings.rank_budget == pytest.approx(0.008)
    assert settings.rank_budget + settings.guard_budget == pytest.approx(0.01)
    assert min(whole) == 60
    assert sum(seconds <= 3600 for seconds in whole) >= 30
    assert sum(rank.seconds > settings.horizon_seconds for rank in ranks) == 20
    assert [rank.seconds for rank in ranks] == sorted(rank.seconds for rank in ranks)


def test_a_short_phase_has_its_ranks_inside_it() -> None:
    settings = JudgeSettings(horizon_seconds=180, tick_seconds=5)
    inside = [rank for rank in schedule(settings) if rank.seconds <= 180]
    assert len(inside) == 140
    assert min(rank.seconds for rank in inside) == 10


def test_a_repeated_look_spends_nothing_and_missed_looks_are_made_up() -> None:
    assignment = draw(np.random.default_rng(1), "s")
    scores = Scores(("e",), np.random.default_rng(3).normal(size=(1, TENANTS)) - 3.0 * assignment.canary)
    often, seldom = budget(assignment), budget(assignment)
    for seconds in range(60, 3601, 60):
        often.spend(seconds, lambda window: scores)
        spent = often.spent
        often.spend(seconds, lambda window: scores)
        assert often.spent == spent
    seldom.spend(3600, lambda window: scores)
    assert seldom.spent == often.spent == 18


def test_scores_that_tell_nothing_apart_accuse_by_chance_alone() -> None:
    hits = 0
    for number in range(300):
        ranks = budget(draw(np.random.default_rng(number), f"s{number}"))
        ranks.spend(1e9, lambda window: Scores(("e",), np.zeros((1, TENANTS))))
        hits += ranks.accused_at is not None
    assert 10 < hits < 55


def test_it_goes_on_where_it_was_saved() -> None:
    assignment = draw(np.random.default_rng(1), "s")
    scores = Scores(("e",), np.random.default_rng(2).normal(size=(1, TENANTS)))
    whole, first = budget(assignment), budget(assignment)
    whole.spend(3600, lambda window: scores)
    first.spend(600, lambda window: scores)
    second = budget(assignment)
    second.restore(first.state())
    second.spend(3600, lambda window: scores)
    assert second.state() == whole.state()
