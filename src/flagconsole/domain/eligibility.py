"""Who may be in a cohort at all, and who is preferred: what a draw asks of each tenant before chance picks."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from flagconsole.domain.cohort import Placement
from flagconsole.domain.tenant import TenantProfile

#: Up to this percentage a cohort is a first canary, of low-risk tenants only; above it standard risk is next.
FIRST_CANARY_UP_TO: Final = 10
LOW_RISK_BELOW: Final = 0.3
HIGH_RISK_FROM: Final = 0.7
ENGAGED_ABOVE: Final = 0.8
#: An escalation counts as recent for so long.
RECENT_ESCALATION: Final = timedelta(days=30)


class Standing(NamedTuple):
    """What a tenant is to a draw. ``tier`` orders preference, 0 first; it is None for tenants that may not be drawn."""

    placement: Placement
    text: str
    tier: int | None = None


class Period(NamedTuple):
    """The time that the cohort is for."""

    start: datetime
    end: datetime

    @property
    def escalated_since(self) -> date:
        """From which day on an escalation is recent."""
        return (self.start - RECENT_ESCALATION).date()


def first_canary_standing(tenant: TenantProfile, period: Period) -> Standing:
    """For a first canary: low risk, and a beta participant (preferred) or engaged."""
    excluded = _exclusion(tenant, period)
    if excluded is not None:
        return excluded
    risk, engagement = tenant.risk_score, tenant.engagement_score
    if risk is None or risk >= LOW_RISK_BELOW:
        return Standing(Placement.RISK, f"risk {_shown(risk)} is not below {LOW_RISK_BELOW}")
    if tenant.beta_participant:
        return Standing(Placement.BETA, "beta participant with low risk", 0)
    if engagement is not None and engagement > ENGAGED_ABOVE:
        return Standing(Placement.ENGAGED, f"engaged ({_shown(engagement)}) with low risk", 1)
    known = "unknown" if engagement is None else _shown(engagement)
    return Standing(Placement.NOT_ENGAGED, f"no beta participant, and engagement {known} is not above {ENGAGED_ABOVE}")


def wider_canary_standing(tenant: TenantProfile, period: Period) -> Standing:
    """For a wider canary: everyone up to standard risk who isn't excluded."""
    excluded = _exclusion(tenant, period)
    if excluded is not None:
        return excluded
    return Standing(Placement.STANDARD_RISK, f"risk {_shown(tenant.risk_score)} is below {HIGH_RISK_FROM}", 0)


def _exclusion(tenant: TenantProfile, period: Period) -> Standing | None:
    """Why the tenant may be in no cohort."""
    if not tenant.active:
        return Standing(Placement.INACTIVE, "no longer a customer")
    if tenant.risk_score is None:
        return Standing(Placement.RISK_UNKNOWN, "its risk is unknown, and unknown is not low")
    if tenant.risk_score >= HIGH_RISK_FROM:
        return Standing(Placement.RISK, f"risk {_shown(tenant.risk_score)} is high, {HIGH_RISK_FROM} or more")
    if tenant.custom_configuration:
        more = len(tenant.custom_configuration) - 1
        text = f"custom configuration {tenant.custom_configuration[0]!r}" + (f" and {more} more" if more else "")
        return Standing(Placement.CUSTOM_CONFIGURATION, text)
    blackout = tenant.blackout_between(period.start, period.end)
    if blackout is not None:
        return Standing(Placement.BLACKOUT, f"blackout {blackout.describe()}")
    escalation = tenant.escalation_since(period.escalated_since)
    return None if escalation is None else Standing(Placement.ESCALATION, escalation)


def _shown(score: float | None) -> str:
    return "unknown" if score is None else f"{score:.4g}"
