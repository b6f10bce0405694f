"""What a drawn cohort is: its members, how it was drawn, and why each tenant is in or out.

The draw itself is ``cohort_draw.select_cohort``. Everything here can be stored and read back, so that a draw can be
explained and judged long after the profiles have changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import AwareDatetime, Field

from flagconsole.domain.flag import Frozen, Setting

#: The version of the selection: the same version, seed and population give the same cohort.
ALGORITHM_VERSION: Final = 1
MAX_SEED: Final = 2**53 - 1
#: The stratum of a tenant that no draw of this design can take.
NOT_DRAWABLE: Final = -1

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


class Placement(StrEnum):
    """Why a tenant is in or out of a cohort."""

    KEPT = "kept"
    TIMEZONE = "timezone"
    BETA = "beta"
    ENGAGED = "engaged"
    STANDARD_RISK = "standard_risk"
    HASH_IN = "hash_in"
    JOINED_IN = "joined_in"
    NAMED = "named"
    NOT_DRAWN = "not_drawn"
    NARROWED = "narrowed"
    RISK_UNKNOWN = "risk_unknown"
    RISK = "risk"
    NOT_ENGAGED = "not_engaged"
    CUSTOM_CONFIGURATION = "custom_configuration"
    BLACKOUT = "blackout"
    ESCALATION = "escalation"
    INACTIVE = "inactive"
    HASH_OUT = "hash_out"
    JOINED_OUT = "joined_out"
    NOT_NAMED = "not_named"


#: The placements of tenants that are in.
INSIDE: Final = frozenset(
    {
        Placement.KEPT,
        Placement.TIMEZONE,
        Placement.BETA,
        Placement.ENGAGED,
        Placement.STANDARD_RISK,
        Placement.HASH_IN,
        Placement.JOINED_IN,
        Placement.NAMED,
    }
)
#: The placements of tenants that no draw had a say in: the hash decides, in the evaluator, or whoever named them.
UNDRAWN: Final = frozenset(
    {
        Placement.HASH_IN,
        Placement.HASH_OUT,
        Placement.JOINED_IN,
        Placement.JOINED_OUT,
        Placement.NAMED,
        Placement.NOT_NAMED,
    }
)


class Explanation(NamedTuple):
    """Why one tenant is in or out. ``drawn`` is false for tenants that are not part of the drawn cohort's population."""

    tenant_id: str
    placement: Placement
    text: str

    @property
    def inside(self) -> bool:
        """Whether the tenant is in."""
        return self.placement in INSIDE

    @property
    def drawn(self) -> bool:
        """Whether the draw decided about this tenant."""
        return self.placement not in UNDRAWN


class CohortDesign(Frozen):
    """How a cohort was drawn, so that another one can be drawn the same way.

    ``tenants`` is the population in a fixed order. ``strata`` holds the stratum of each (an index into ``drawn``, or
    ``NOT_DRAWABLE``); from stratum ``s`` chance took ``drawn[s]`` tenants, each set of that many as likely as any other.
    ``always_in`` are members without chance: they had the feature already, or hold a time zone. ``members`` is what came
    out: ``always_in`` and the drawn. Tenants that are not in ``tenants`` belong to neither group.
    """

    tenants: tuple[str, ...]
    strata: tuple[int, ...]
    drawn: tuple[int, ...]
    always_in: tuple[str, ...]
    members: tuple[str, ...]
    seed: Seed

    @property
    def by_chance(self) -> int:
        """How many members are in by chance alone. Where a stratum was taken whole, and for those who were in whatever
        chance said, nothing was left to it. What a comparison of canary and control proves rests on these."""
        always = frozenset(self.always_in)
        sizes = Counter(
            code
            for tenant, code in zip(self.tenants, self.strata, strict=True)
            if code != NOT_DRAWABLE and tenant not in always
        )
        return sum(seats for stratum, seats in enumerate(self.drawn) if seats < sizes[stratum])


class StratumShare(Frozen):
    """How full one stratum of one axis (``size``, ``region``, ``industry``) is: its target and the members in it.

    ``eligible`` counts the tenants that could have been drawn from it, members included.
    """

    axis: str
    stratum: str
    share: float
    target: int
    actual: int
    eligible: int

    @property
    def shortfall(self) -> int:
        """How many members it lacks."""
        return max(0, self.target - self.actual)

    @property
    def could_be_filled(self) -> bool:
        """Whether the population has enough eligible tenants for the target."""
        return self.eligible >= self.target


class TimezoneCoverage(Frozen):
    """The hours of a day (UTC, 0 to 23) in which members are at work, 8 to 18 by their clocks, and those in which eligible
    tenants are. ``members_with_timezone`` counts the members whose time zone is known."""

    covered: tuple[int, ...]
    possible: tuple[int, ...]
    members_with_timezone: int

    @property
    def missing(self) -> tuple[int, ...]:
        """The hours that no member covers."""
        return tuple(sorted(set(range(24)) - set(self.covered)))


class CohortSelection(Frozen):
    """One draw. ``tenant_ids``, ``placements`` and ``texts`` go together, in the order of the ids.

    ``population`` counts the active tenants, ``target`` is their share, ``by_hash`` are those inside that have no profile:
    the evaluator's hash takes them, and they count towards the target. ``holdout_ids`` are the tenants that the hash would
    take although they were not drawn: with them an evaluator tells a tenant that stayed outside from one that joined later.
    """

    flag_name: str
    percentage: Annotated[int, Field(ge=1, le=99)]
    seed: Seed
    algorithm: int = ALGORITHM_VERSION
    at: AwareDatetime
    until: AwareDatetime
    population: int
    population_digest: str
    target: int
    member_ids: tuple[str, ...]
    holdout_ids: tuple[str, ...]
    by_hash: int
    tenant_ids: tuple[str, ...]
    placements: tuple[Placement, ...]
    texts: tuple[str, ...]
    shares: tuple[StratumShare, ...]
    timezones: TimezoneCoverage
    design: CohortDesign

    @property
    def actual(self) -> int:
        """How many tenants are inside: the members, and those that the hash takes."""
        return len(self.member_ids) + self.by_hash

    @property
    def shortfall(self) -> int:
        """How many tenants are lacking for the target, since no more were eligible."""
        return max(0, self.target - self.actual)

    def explain(self, tenant_id: str) -> Explanation | None:
        """Why the tenant is in or out; None for one that the draw didn't know."""
        index = bisect_left(self.tenant_ids, tenant_id)
        if index == len(self.tenant_ids) or self.tenant_ids[index] != tenant_id:
            return None
        return Explanation(tenant_id, self.placements[index], self.texts[index])

    def explanations(self) -> list[Explanation]:
        """All tenants by id."""
        return [Explanation(*item) for item in zip(self.tenant_ids, self.placements, self.texts, strict=True)]

    def is_cohort_of(self, setting: Setting) -> bool:
        """Whether a flag with this setting has the cohort that was drawn here."""
        return setting.canary_tenant_ids == self.member_ids and setting.canary_holdout_ids == self.holdout_ids
