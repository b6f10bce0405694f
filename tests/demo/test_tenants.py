"""The demo's tenants: the same for a seed, and such that both canaries of a plan can be drawn from them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from flagconsole.demo.tenants import TENANTS, tenant_records
from flagconsole.domain.cohort_draw import select_cohort

TODAY = date(2026, 11, 23)


def test_the_same_seed_and_day_give_the_same_tenants():
    assert tenant_records(3, TODAY) == tenant_records(3, TODAY)
    assert tenant_records(3, TODAY) != tenant_records(4, TODAY)
    assert [tenant.name for tenant in tenant_records(3)] == [tenant.name for tenant in tenant_records(3, TODAY)]


@pytest.mark.parametrize("seed", range(5))
def test_both_canaries_can_be_drawn_around_the_clock(seed):
    tenants = tenant_records(seed, TODAY)
    assert len(tenants) == TENANTS
    for percentage, members in ((10, 50), (50, 250)):
        at = datetime(2026, 11, 23, 9, tzinfo=UTC)
        drawn = select_cohort("pos.lite", tenants, percentage=percentage, seed=seed, at=at, lasts=timedelta(hours=48))
        assert len(drawn.member_ids) == members
        assert not drawn.timezones.missing
        assert {"blackout", "escalation", "custom_configuration", "risk"} <= {item.value for item in drawn.placements}
