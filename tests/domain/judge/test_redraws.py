"""Alternative cohorts: of the same design, summed without being stored, the observed one hidden among them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from flagconsole.domain.cohort import NOT_DRAWABLE, CohortDesign
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.judge import Assignment
from flagconsole.domain.judge.redraws import Redraws
from flagconsole.domain.verdict import CohortBasis

NAMES = [f"t{number}" for number in range(30)]
STRATA = ["small"] * 13 + ["medium"] * 10 + ["large"] * 7
COHORT = ["t0", "t4", "t12", "t13", "t20", "t21", "t25", "t29"]


def assignment(seed: str = "s", **more: object) -> Assignment:
    return Assignment.drawn(NAMES, COHORT, strata=STRATA, seed_text=seed, **more)  # type: ignore[arg-type]


def test_the_observed_cohort_is_among_them_at_its_place() -> None:
    for seed in ("a", "b", "c"):
        drawn = assignment(seed)
        redraws = Redraws(drawn, 500)
        assert redraws.cohort(redraws.observed).tolist() == np.flatnonzero(drawn.canary).tolist()


def test_every_cohort_takes_as_many_of_each_stratum_as_were_drawn() -> None:
    drawn = assignment()
    redraws = Redraws(drawn, 300)
    expected = np.bincount(drawn.stratum[drawn.canary], minlength=3).tolist()
    seen = set()
    for index in range(300):
        cohort = redraws.cohort(index)
        assert np.bincount(drawn.stratum[cohort], minlength=3).tolist() == expected
        seen.add(tuple(cohort.tolist()))
    assert len(seen) > 250


def test_sums_are_those_of_each_cohorts_tenants() -> None:
    drawn = assignment()
    redraws = Redraws(drawn, 200)
    scores = np.random.default_rng(1).normal(size=(3, 30))
    direct = np.array([[row[redraws.cohort(index)].sum() for index in range(200)] for row in scores])
    np.testing.assert_allclose(redraws.sums(scores), direct, atol=1e-9)


def test_the_observed_cohorts_place_is_anywhere_with_equal_chance() -> None:
    places = [Redraws(assignment(f"seed {number}"), 20).observed for number in range(2000)]
    counted = np.bincount(places, minlength=20)
    assert counted.min() > 60
    assert counted.max() < 145


def test_tenants_that_chance_had_no_say_in_are_left_out() -> None:
    drawn = assignment(fixed=["t0", "t4"])
    redraws = Redraws(drawn, 50)
    assert all(not {0, 4} & set(redraws.cohort(index).tolist()) for index in range(50))
    whole_stratum = Assignment.drawn(["a", "b", "c", "d"], ["a", "b", "c"], strata=[0, 0, 1, 1], seed_text="s")
    assert whole_stratum.by_chance.tolist() == [False, False, True, True]


def test_a_selected_cohorts_design_is_redrawn_as_it_was_drawn() -> None:
    design = CohortDesign(
        tenants=tuple("abcdefghij"),
        strata=(0, 0, 0, 0, 1, 1, 2, 2, NOT_DRAWABLE, NOT_DRAWABLE),
        drawn=(2, 1, 2),
        always_in=("i",),
        members=("a", "b", "e", "g", "h", "i"),
        seed=7,
    )
    drawn = Assignment.of_design(design)
    assert drawn.basis is CohortBasis.DRAWN
    # Stratum 2 was taken whole, and the last two stood outside the draw.
    assert drawn.by_chance.tolist() == [True] * 6 + [False] * 4
    assert drawn.canary.tolist() == [name in design.members for name in design.tenants]
    assert drawn.drawn_by_chance == design.by_chance == 3
    redraws = Redraws(drawn, 300)
    assert redraws.cohort(redraws.observed).tolist() == [0, 1, 4]
    cohorts = {tuple(redraws.cohort(index).tolist()) for index in range(300)}
    assert cohorts == {(*pair, one) for pair in combinations(range(4), 2) for one in (4, 5)}


@pytest.mark.parametrize(
    ("tenants", "cohort", "field"),
    [([], [], "tenants"), (["a", "a"], ["a"], "tenants"), (["a", "b"], ["c"], "cohort")],
)
def test_an_impossible_assignment_is_refused_by_field(tenants: list[str], cohort: list[str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Assignment.drawn(tenants, cohort, seed_text="s")
    assert refused.value.details["field"] == field


def test_strata_must_fit_the_tenants() -> None:
    with pytest.raises(InvalidInput, match="one entry for each of 2 tenants"):
        Assignment.drawn(["a", "b"], ["a"], strata=["x"], seed_text="s")
