"""Profiles: what is known of a tenant, and what is not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from flagconsole.domain.tenant import Blackout, Size, TenantProfile, population_digest, size_of


@pytest.mark.parametrize(
    ("users", "size"), [(1, "small"), (5, "small"), (6, "medium"), (25, "medium"), (26, "large"), (9000, "large")]
)
def test_users_decide_the_size(users, size):
    assert size_of(users).value == size
    assert TenantProfile(tenant_id="t", users=users).size is Size(size)


def test_size_and_users_must_agree():
    with pytest.raises(ValidationError, match="size must be small for 3 users"):
        TenantProfile(tenant_id="t", users=3, size="large")


def test_an_update_of_the_size_never_leaves_old_users_behind():
    assert {"users", "size"} <= TenantProfile(tenant_id="t", size="large").model_fields_set
    assert {"users", "size"} <= TenantProfile(tenant_id="t", users=3).model_fields_set
    assert TenantProfile(tenant_id="t").model_fields_set == {"tenant_id"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("risk_score", 1.1),
        ("risk_score", float("nan")),
        ("engagement_score", -0.1),
        ("users", 0),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("timezone", ""),
        ("region", "US West"),
        ("industry", "x\x1b[2J"),
        ("name", "a\x1b[2J"),
        ("tickets_90d", -1),
        ("transaction_volume", float("inf")),
        ("blackouts", [{"starts_on": "2027-01-02", "ends_on": "2027-01-01"}]),
    ],
)
def test_nonsense_is_refused_and_named(field, value):
    with pytest.raises(ValidationError) as error:
        TenantProfile.model_validate({"tenant_id": "t", field: value})
    assert error.value.errors()[0]["loc"][0] == field


def test_a_bare_tenant_has_no_profile():
    assert not TenantProfile(tenant_id="t", name="Harbor Grill", active=True).has_profile
    assert TenantProfile(tenant_id="t", beta_participant=False).has_profile
    assert TenantProfile(tenant_id="t", users=3).has_profile


def test_a_blackout_is_by_the_tenants_own_clock():
    day = Blackout(starts_on=date(2027, 4, 1), ends_on=date(2027, 4, 2), why="tax season")
    auckland = TenantProfile(tenant_id="t", timezone="Pacific/Auckland", blackouts=(day,))
    utc = TenantProfile(tenant_id="t", blackouts=(day,))
    evening_before = datetime(2027, 3, 31, 12, tzinfo=UTC)  # already 1 April in Auckland
    assert auckland.blackout_between(evening_before, evening_before) == day
    assert utc.blackout_between(evening_before, evening_before) is None
    assert utc.blackout_between(evening_before, evening_before + timedelta(hours=13)) == day
    late = datetime(2027, 4, 2, 23, 59, tzinfo=UTC)
    assert utc.blackout_between(late, late) == day
    assert utc.blackout_between(late + timedelta(minutes=1), late + timedelta(days=9)) is None


def test_the_digest_sees_every_difference():
    one, other = TenantProfile(tenant_id="t", risk_score=0.1), TenantProfile(tenant_id="t", risk_score=0.2)
    assert population_digest([one]) == population_digest([one.model_copy()])
    assert len({population_digest(p) for p in ([one], [other], [one, other], [])}) == 4
