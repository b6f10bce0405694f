"""Tenants: the customer businesses that flags are switched for, with what a cohort's selection asks about them.

What isn't known is null, and never counts in a tenant's favour: an unknown risk is not low, an unknown engagement not high.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from flagconsole.domain.flag import Frozen
from flagconsole.domain.names import Label, TenantId, single_line
from flagconsole.domain.written_time import WrittenDay


class Size(StrEnum):
    """How large a tenant is: ``small`` has 1 to 5 users, ``medium`` 6 to 25, ``large`` 26 and more."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


SMALL_UP_TO: Final = 5
MEDIUM_UP_TO: Final = 25


def size_of(users: int) -> Size:
    """The size of a tenant with so many users."""
    return Size.SMALL if users <= SMALL_UP_TO else Size.MEDIUM if users <= MEDIUM_UP_TO else Size.LARGE


def _name(value: str) -> str:
    return single_line(value) if value.strip() else ""


@lru_cache(maxsize=1024)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError):  # a missing zone is a KeyError, and what isn't a file name one of these
        return False
    except KeyError:
        return False
    return True


def _zone(value: str) -> str:
    if not _is_zone(value):
        raise ValueError("must be an IANA time zone such as America/Los_Angeles")
    return value


def _whole(value: date, name: str) -> date:
    if not 1970 <= value.year <= 2200:
        raise ValueError(f"{name} must lie between 1970 and 2200")
    return value


Category = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["us_west"])]
Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Day = Annotated[WrittenDay, AfterValidator(lambda value: _whole(value, "the day"))]


class Blackout(Frozen):
    """Days on which a tenant wants nothing new: tax season, holidays. Both days belong to it, by the tenant's clock."""

    starts_on: Day
    ends_on: Day
    why: Annotated[str, Field(max_length=200), AfterValidator(_name)] = ""

    @model_validator(mode="after")
    def _in_order(self) -> Blackout:
        if self.ends_on < self.starts_on:
            raise ValueError("ends_on must not be before starts_on")
        return self

    def describe(self) -> str:
        """``2026-12-20 to 2027-01-05 (holidays)``."""
        return f"{self.starts_on} to {self.ends_on}" + (f" ({self.why})" if self.why else "")


class TenantProfile(Frozen):
    """One customer business. Everything but its id may be unknown.

    ``users`` decides the size where it is known. ``transaction_volume`` is transactions a month, ``tickets_90d`` support
    tickets of the last 90 days. ``custom_configuration`` names the integrations and settings that only this tenant has.
    A tenant that is not ``active`` no longer exists as far as rollouts are concerned.
    """

    tenant_id: TenantId
    name: Annotated[str, Field(max_length=200), AfterValidator(_name)] = ""
    active: bool = True
    users: Annotated[int, Field(ge=1, le=2**53)] | None = None
    size: Size | None = None
    industry: Category | None = None
    region: Category | None = None
    risk_score: Score | None = None
    engagement_score: Score | None = None
    beta_participant: bool | None = None
    timezone: Annotated[str, Field(max_length=64), AfterValidator(_zone)] | None = None
    transaction_volume: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)] | None = None
    tickets_90d: Count | None = None
    last_escalation_on: Day | None = None
    open_escalation: bool | None = None
    custom_configuration: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    blackouts: Annotated[tuple[Blackout, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _size_goes_with_users(self) -> TenantProfile:
        """Users and size are set together, so that an update of one never leaves the other behind."""
        if self.users is not None and self.size is None:
            object.__setattr__(self, "size", size_of(self.users))
        if self.users is not None and self.size is not size_of(self.users):
            raise ValueError(f"size must be {size_of(self.users).value} for {self.users} users, or be left out")
        if {"users", "size"} & self.model_fields_set:
            self.model_fields_set.update({"users", "size"})
        return self

    @property
    def has_profile(self) -> bool:
        """Whether anything is known that a selection could go by. Tenants without a profile are bucketed by hash."""
        return (
            self.risk_score is not None
            or self.size is not None
            or self.industry is not None
            or self.region is not None
            or self.engagement_score is not None
            or self.beta_participant is not None
            or self.timezone is not None
            or self.transaction_volume is not None
            or self.tickets_90d is not None
            or self.last_escalation_on is not None
            or self.open_escalation is not None
            or bool(self.custom_configuration)
            or bool(self.blackouts)
        )

    def blackout_between(self, start: datetime, end: datetime) -> Blackout | None:
        """The first blackout that touches the time from ``start`` to ``end`` by the tenant's clock (UTC if unknown)."""
        if not self.blackouts:
            return None
        zone = start.tzinfo if self.timezone is None else ZoneInfo(self.timezone)
        first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        touching = [item for item in self.blackouts if item.starts_on <= last and item.ends_on >= first]
        return min(touching, key=lambda item: item.starts_on, default=None)

    def escalation_since(self, day: date) -> str | None:
        """What kind of escalation there is, open or on or after ``day``, in a few words."""
        if self.open_escalation:
            return "an escalation is open"
        if self.last_escalation_on is not None and self.last_escalation_on >= day:
            return f"escalated on {self.last_escalation_on}"
        return None


@lru_cache(maxsize=1024)
def utc_offset(zone: str, at: datetime) -> timedelta:
    """How far the clocks of ``zone`` are ahead of UTC at that time."""
    offset = at.astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None, "a ZoneInfo always knows its offset"
    return offset


def population_digest(tenants: Iterable[TenantProfile]) -> str:
    """The SHA-256 of all that is known about these tenants, in the order given, in hex."""
    digest = hashlib.sha256()
    for tenant in tenants:
        digest.update(tenant.model_dump_json().encode("utf-8", "replace") + b"\n")
    return digest.hexdigest()
