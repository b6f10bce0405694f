"""What the system answers about drawn cohorts."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, RootModel

from flagconsole.domain.cohort import Explanation, Placement, StratumShare, TimezoneCoverage
from flagconsole.domain.flag import Frozen
from flagconsole.domain.states import FlagState
from flagconsole.domain.views import ChangeResult


class StratumView(Frozen):
    """One stratum: its target, the members in it, how many are lacking, and whether there are enough eligible tenants."""

    axis: str
    stratum: str
    share: float
    target: int
    actual: int
    eligible: int
    shortfall: int
    could_be_filled: bool

    @classmethod
    def of(cls, share: StratumShare) -> StratumView:
        """The view of a stratum."""
        return cls(**share.model_dump(), shortfall=share.shortfall, could_be_filled=share.could_be_filled)


class TimezoneView(Frozen):
    """The hours of a day (UTC) in which members are at work, those in which eligible tenants are, and those uncovered."""

    covered: tuple[int, ...]
    possible: tuple[int, ...]
    missing: tuple[int, ...]
    members_with_timezone: int

    @classmethod
    def of(cls, coverage: TimezoneCoverage) -> TimezoneView:
        """The view of a coverage."""
        return cls(**coverage.model_dump(), missing=coverage.missing)


class CohortTenant(Frozen):
    """One tenant, in or out, and why. ``drawn`` is false for tenants that are not part of a drawn cohort: those that have
    no profile, and those that joined after the draw (the hash decides about them), and all of a cohort that nothing drew."""

    tenant_id: str
    name: str = ""
    inside: bool
    drawn: bool
    placement: Placement
    text: str

    @classmethod
    def of(cls, explanation: Explanation, name: str) -> CohortTenant:
        """The view of an explanation."""
        return cls(
            tenant_id=explanation.tenant_id,
            name=name,
            inside=explanation.inside,
            drawn=explanation.drawn,
            placement=explanation.placement,
            text=explanation.text,
        )


class CohortView(Frozen):
    """``GET /api/flags/{name}/cohort`` of a draw: the one in force, or else the newest, and a page of its tenants by id.

    ``in_force`` says whether the flag has this cohort now; ``current_state`` whether that enables anything. ``actual`` counts
    the members and the ``by_hash`` tenants without a profile, ``by_chance`` the members that nothing but the draw's chance let
    in; ``joined_later`` those that the draw didn't know, of whom the
    hash takes ``joined_inside``. ``next_after`` asks for the next page; null on the last one.
    """

    epoch: str
    revision: int
    flag_name: str
    current_state: FlagState
    drawn: Literal[True] = True
    in_force: bool
    percentage: int
    seed: int
    algorithm: int
    population_digest: str
    at: AwareDatetime
    until: AwareDatetime
    drawn_at: AwareDatetime
    drawn_by: str
    change_id: int | None
    population: int
    target: int
    actual: int
    shortfall: int
    members: int
    by_hash: int
    by_chance: int
    joined_later: int
    joined_inside: int
    by_placement: dict[Placement, int]
    strata: tuple[StratumView, ...]
    timezones: TimezoneView
    tenants: tuple[CohortTenant, ...]
    next_after: str | None = None


class UndrawnCohort(Frozen):
    """``GET /api/flags/{name}/cohort`` of a canary that goes by no draw: the hash decides, as where a plan began it and too
    little is known of the tenants, or somebody ``named`` that many of them.

    ``actual`` of the ``population`` (active tenants) are inside. Tenants that were named and aren't known to the store, or
    aren't active, are listed too. ``next_after`` asks for the next page; null on the last one.
    """

    epoch: str
    revision: int
    flag_name: str
    current_state: FlagState
    drawn: Literal[False] = False
    in_force: Literal[True] = True
    percentage: int
    named: int | None
    population: int
    actual: int
    tenants: tuple[CohortTenant, ...]
    next_after: str | None = None


#: What a flag goes by, or went by last.
AnyCohort = CohortView | UndrawnCohort


class CohortAnswer(RootModel[AnyCohort]):
    """Either of both."""


class CohortResult(Frozen):
    """What drawing a cohort answers: the change that gave it to the flag, and the cohort. A dry run changes nothing."""

    epoch: str
    revision: int
    result: ChangeResult
    cohort: CohortView
