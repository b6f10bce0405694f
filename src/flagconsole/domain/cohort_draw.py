"""Drawing a cohort: who may be in it, how many of each kind, and at last chance, from a recorded seed.

The order of a draw:

1. Tenants that have the feature already stay, also those that would not be drawn today: taking it away from a tenant that
   had trouble with it would hide the trouble. A lower percentage draws among them, and only takes away.
2. Tenants without any profile are left to the evaluator's hash, and count towards the target.
3. Where hours of the day would hardly be covered by chance, a tenant of such a time zone is set.
4. Every combination of size, region and industry gets its quota, and within it the preferred tenants come first. Where a
   preference has more tenants than seats, chance decides: these are the strata of the ``CohortDesign``.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from flagconsole.domain.bucketing import bucket
from flagconsole.domain.cohort import (
    NOT_DRAWABLE,
    CohortDesign,
    CohortSelection,
    Placement,
)
from flagconsole.domain.cohort_report import coverage, stratum_shares
from flagconsole.domain.eligibility import (
    FIRST_CANARY_UP_TO,
    Period,
    Standing,
    first_canary_standing,
    wider_canary_standing,
)
from flagconsole.domain.evaluation import Rule, in_cohort
from flagconsole.domain.states import FlagState
from flagconsole.domain.strata import (
    Cell,
    Shares,
    cell_of,
    first_canary_shares,
    population_shares,
    quotas,
)
from flagconsole.domain.tenant import TenantProfile, population_digest
from flagconsole.domain.timezones import hours_of, working_hours

#: An hour of which fewer members than this are expected is not left to chance.
_EXPECTED_AT_LEAST: Final = 12.0


def select_cohort(
    flag_name: str,
    tenants: Iterable[TenantProfile],
    *,
    percentage: int,
    seed: int,
    at: datetime,
    lasts: timedelta = timedelta(0),
    previous: Rule | None = None,
) -> CohortSelection:
    """Draw a cohort of ``percentage`` (1 to 99) of the active tenants; §6 of the system.

    ``previous`` is the canary that the flag is now, if it is one: whoever it reaches stays. Without one, a cohort above 10 %
    is drawn around the 10 % that the same seed gives. ``at`` is when the cohort's time begins and ``lasts`` how long it is:
    a tenant with a blackout in it is not drawn. The same arguments give the same cohort.
    """
    if not 1 <= percentage <= 99:
        raise ValueError(f"percentage must be from 1 to 99, not {percentage}")
    known = sorted(tenants, key=lambda tenant: tenant.tenant_id)
    digest, period = population_digest(known), Period(at, at + lasts)
    if previous is None and percentage > FIRST_CANARY_UP_TO:
        previous = rule_of(_Draw(flag_name, known, FIRST_CANARY_UP_TO, seed, period, None).selection(digest))
    return _Draw(flag_name, known, percentage, seed, period, previous).selection(digest)


def rule_of(selection: CohortSelection) -> Rule:
    """The canary that a draw makes."""
    members, holdout = frozenset(selection.member_ids), frozenset(selection.holdout_ids)
    return Rule(selection.flag_name, FlagState.CANARY, selection.percentage, members, (), 0, holdout)


class _Candidate(NamedTuple):
    """A tenant that chance may pick: the lower its rank, the earlier."""

    rank: bytes
    tenant: TenantProfile
    cell: Cell
    standing: Standing


class _Draw:
    """One draw on its way. Every step leaves a placement and a text for the tenants that it decides about."""

    def __init__(
        self,
        flag_name: str,
        known: Sequence[TenantProfile],
        percentage: int,
        seed: int,
        period: Period,
        previous: Rule | None,
    ) -> None:
        self.flag_name, self.known, self.percentage, self.seed = flag_name, known, percentage, seed
        self.period, self.previous = period, previous
        # The percentage of a cohort that was chosen by hand means nothing.
        by_hand = previous is not None and previous.cohort and previous.holdout is None
        self.narrowing = previous is not None and not by_hand and percentage < previous.percentage
        self.active = [tenant for tenant in known if tenant.active]
        self.target = -(-len(self.active) * percentage // 100)
        self.buckets = {tenant.tenant_id: bucket(flag_name, tenant.tenant_id) for tenant in known}
        self.decided: dict[str, tuple[Placement, str]] = {}
        self.members: list[TenantProfile] = []
        self.pool: list[_Candidate] = []
        self.strata: dict[tuple[Cell, int], list[_Candidate]] = {}
        self.drawn: Counter[tuple[Cell, int]] = Counter()

    def selection(self, digest: str) -> CohortSelection:
        self._place_everyone()
        always = self._with_time_zones(list(self.members))
        self.members = list(always)
        shares = self._shares()
        self._draw_within_strata(shares)
        return self._selection(digest, [tenant.tenant_id for tenant in always], shares)

    # -- who may be drawn -------------------------------------------------------------------------------------------

    def _place_everyone(self) -> None:
        first = self.percentage <= FIRST_CANARY_UP_TO
        standing_of = first_canary_standing if first else wider_canary_standing
        for tenant in self.known:
            standing = standing_of(tenant, self.period)
            inside = tenant.active and self.previous is not None and in_cohort(self.previous, tenant.tenant_id)
            chosen = inside and self.previous is not None and tenant.tenant_id in self.previous.cohort
            if tenant.active and not tenant.has_profile and not chosen:
                taken = self.buckets[tenant.tenant_id] <= self.percentage
                text = f"has no profile; its hash is bucket {self.buckets[tenant.tenant_id]} of 100"
                self._decide(tenant, Placement.HASH_IN if taken else Placement.HASH_OUT, text)
            elif inside and self.narrowing:
                self._offer(tenant, Standing(Placement.KEPT, "had the feature already", 0))
                self._decide(tenant, Placement.NARROWED, f"had the feature until it went down to {self.percentage} %")
            elif inside:
                despite = "" if standing.tier is not None else f", though {standing.text}"
                self._decide(tenant, Placement.KEPT, f"had the feature already{despite}")
                self.members.append(tenant)
            elif standing.tier is None or self.narrowing:
                placement = Placement.NOT_DRAWN if standing.tier is not None else standing.placement
                self._decide(tenant, placement, standing.text)
            else:
                self._offer(tenant, standing)
                self._decide(tenant, Placement.NOT_DRAWN, f"{standing.text}; chance took others")

    def _offer(self, tenant: TenantProfile, standing: Standing) -> None:
        rank = hashlib.blake2b(f"{self.seed}:{tenant.tenant_id}".encode("utf-8", "replace"), digest_size=16).digest()
        self.pool.append(_Candidate(rank, tenant, cell_of(tenant), standing))

    def _decide(self, tenant: TenantProfile, placement: Placement, text: str) -> None:
        self.decided[tenant.tenant_id] = placement, text

    def _wanted(self) -> int:
        """How many members there should be: the target without those whom the hash takes, and no fewer than there are."""
        by_hash = sum(placement is Placement.HASH_IN for placement, _ in self.decided.values())
        return max(self.target - by_hash, len(self.members))

    @property
    def seats(self) -> int:
        """How many members the draw may still add."""
        return min(self._wanted() - len(self.members), len(self.pool))

    # -- time zones -------------------------------------------------------------------------------------------------

    def _with_time_zones(self, members: list[TenantProfile]) -> list[TenantProfile]:
        """Set tenants for the hours that chance would hardly cover. How often it does, only the population decides, so
        that every other outcome of the draw would have had the same tenants set."""
        seats, at = self.seats, self.period.start
        if not seats:
            return members
        at_work: Counter[int] = Counter()
        for zone, count in Counter(candidate.tenant.timezone for candidate in self.pool).items():
            for hour in working_hours(zone, at):
                at_work[hour] += count
        share = seats / len(self.pool)
        wanted = {hour for hour, count in at_work.items() if share < 1 and count * share < _EXPECTED_AT_LEAST}
        wanted -= hours_of(members, at)
        ranked = sorted(self.pool, key=lambda candidate: (candidate.standing.tier or 0, candidate.rank))
        while wanted and seats:
            best = max(ranked, key=lambda candidate: len(wanted & working_hours(candidate.tenant.timezone, at)))
            covers = wanted & working_hours(best.tenant.timezone, at)
            if not covers:
                break
            wanted -= covers
            ranked.remove(best)
            members.append(best.tenant)
            hours = ", ".join(str(hour) for hour in sorted(covers))
            self._decide(best.tenant, Placement.TIMEZONE, f"{best.tenant.timezone} is at work at {hours} h UTC")
            seats -= 1
        self.pool = [candidate for candidate in self.pool if self.decided[candidate.tenant.tenant_id][0] in _UNDECIDED]
        return members

    # -- chance -----------------------------------------------------------------------------------------------------

    def _shares(self) -> Shares:
        cells = [cell_of(tenant) for tenant in self.active if tenant.has_profile]
        return first_canary_shares(cells) if self.percentage <= FIRST_CANARY_UP_TO else population_shares(cells)

    def _draw_within_strata(self, shares: Shares) -> None:
        for candidate in self.pool:
            self.strata.setdefault((candidate.cell, candidate.standing.tier or 0), []).append(candidate)
        available = Counter(candidate.cell for candidate in self.pool)
        fixed = Counter(map(cell_of, self.members))
        quota = quotas(self.seats, available, fixed, shares)
        for key in sorted(self.strata):
            cell, _ = key
            candidates = sorted(self.strata[key])
            taken = min(quota[cell], len(candidates))
            quota[cell] -= taken
            self.drawn[key] = taken
            for candidate in candidates[:taken]:
                self._take(candidate, taken, len(candidates))

    def _take(self, candidate: _Candidate, taken: int, of: int) -> None:
        kind = "/".join(candidate.cell)
        standing = candidate.standing
        self._decide(
            candidate.tenant, standing.placement, f"{standing.text}; drawn as one of {taken} of {of} in {kind}"
        )
        self.members.append(candidate.tenant)

    # -- the result -------------------------------------------------------------------------------------------------

    def _selection(self, digest: str, always: Sequence[str], shares: Shares) -> CohortSelection:
        member_ids = tuple(sorted(tenant.tenant_id for tenant in self.members))
        members = frozenset(member_ids)
        placements = [self.decided[tenant.tenant_id] for tenant in self.known]
        left = [candidate.cell for candidate in self.pool if candidate.tenant.tenant_id not in members]
        return CohortSelection(
            flag_name=self.flag_name,
            percentage=self.percentage,
            seed=self.seed,
            at=self.period.start,
            until=self.period.end,
            population=len(self.active),
            population_digest=digest,
            target=self.target,
            member_ids=member_ids,
            holdout_ids=self._holdout(members),
            by_hash=sum(placement is Placement.HASH_IN for placement, _ in placements),
            tenant_ids=tuple(tenant.tenant_id for tenant in self.known),
            placements=tuple(placement for placement, _ in placements),
            texts=tuple(text for _, text in placements),
            shares=stratum_shares(self._wanted(), shares, map(cell_of, self.members), left),
            timezones=coverage(self.members, [candidate.tenant for candidate in self.pool], self.period.start),
            design=self._design(always, member_ids),
        )

    def _holdout(self, members: frozenset[str]) -> tuple[str, ...]:
        """The tenants that the hash would take although they are outside. When a canary shrinks, those of before stay
        among them: so that whoever compares the two settings sees that nobody was added."""
        held = {
            tenant_id
            for tenant_id, (placement, _) in self.decided.items()
            if tenant_id not in members
            and placement is not Placement.HASH_IN
            and self.buckets[tenant_id] <= self.percentage
        }
        if self.narrowing and self.previous is not None:
            held |= (self.previous.holdout or frozenset()) - members
        return tuple(sorted(held))

    def _design(self, always: Sequence[str], member_ids: tuple[str, ...]) -> CohortDesign:
        order = sorted(self.strata)
        stratum_of = {
            candidate.tenant.tenant_id: index for index, key in enumerate(order) for candidate in self.strata[key]
        }
        population = [
            tenant.tenant_id
            for tenant in self.active
            if self.decided[tenant.tenant_id][0] not in {Placement.HASH_IN, Placement.HASH_OUT}
        ]
        return CohortDesign(
            tenants=tuple(population),
            strata=tuple(stratum_of.get(tenant_id, NOT_DRAWABLE) for tenant_id in population),
            drawn=tuple(self.drawn[key] for key in order),
            always_in=tuple(sorted(always)),
            members=member_ids,
            seed=self.seed,
        )


_UNDECIDED: Final = frozenset({Placement.NOT_DRAWN, Placement.NARROWED})
