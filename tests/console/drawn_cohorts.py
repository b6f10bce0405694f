"""A cohort as a server answers it: drawn for a tenth of 500 tenants, a stratum short, some hours of the day uncovered."""

from __future__ import annotations

from datetime import UTC, datetime

from flagconsole.domain.cohort import Placement
from flagconsole.domain.cohort_views import CohortTenant, CohortView, StratumView, TimezoneView
from flagconsole.domain.states import FlagState

DRAWN_AT = datetime(2026, 3, 14, 2, 7, 31, tzinfo=UTC)


def _stratum(axis: str, stratum: str, target: int, actual: int, eligible: int) -> StratumView:
    return StratumView(
        axis=axis,
        stratum=stratum,
        share=target / 50,
        target=target,
        actual=actual,
        eligible=eligible,
        shortfall=max(0, target - actual),
        could_be_filled=eligible >= target,
    )


def a_drawn_cohort(flag_name: str, *, name: str = "Tenant") -> CohortView:
    """Six of its tenants are listed: four inside, two outside."""
    reasons = [
        (Placement.BETA, "takes part in the beta"),
        (Placement.BETA, "takes part in the beta"),
        (Placement.ENGAGED, "engagement 0.91, risk 0.12"),
        (Placement.TIMEZONE, "covers 21 to 23 UTC"),
        (Placement.RISK, "risk 0.55 is not below 0.3"),
        (Placement.BLACKOUT, "2026-03-10 to 2026-04-20 (tax season)"),
    ]
    tenants = tuple(
        CohortTenant(
            tenant_id=f"tenant-{number:04}",
            name=f"{name} {number}",
            inside=number <= 4,
            drawn=True,
            placement=placement,
            text=text,
        )
        for number, (placement, text) in enumerate(reasons, start=1)
    )
    return CohortView(
        epoch="e1",
        revision=7,
        flag_name=flag_name,
        current_state=FlagState.CANARY,
        in_force=True,
        percentage=10,
        seed=20_260_314,
        algorithm=1,
        population_digest="0" * 64,
        at=DRAWN_AT,
        until=DRAWN_AT,
        drawn_at=DRAWN_AT,
        drawn_by="rel",
        change_id=7,
        population=500,
        target=50,
        actual=48,
        shortfall=2,
        members=45,
        by_hash=3,
        by_chance=38,
        joined_later=2,
        joined_inside=1,
        by_placement={Placement.BETA: 30, Placement.ENGAGED: 15},
        strata=(
            _stratum("size", "small", 20, 20, 40),
            _stratum("size", "medium", 20, 20, 33),
            _stratum("size", "large", 10, 8, 8),
            _stratum("region", "us_west", 15, 15, 30),
            _stratum("region", "eu", 10, 10, 11),
        ),
        timezones=TimezoneView(
            covered=tuple(range(4, 24)), possible=tuple(range(24)), missing=(0, 1, 2, 3), members_with_timezone=45
        ),
        tenants=tenants,
        next_after="tenant-0006",
    )
