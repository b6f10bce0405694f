"""Profiles and drawn cohorts in every store."""

from __future__ import annotations

from datetime import date, timedelta

from flagconsole.domain.cohort_draw import select_cohort
from flagconsole.domain.tenant import Blackout, Size, TenantProfile
from flagconsole.store.cohort_protocol import DrawnCohort

from ..population import population

FULL = TenantProfile(
    tenant_id="t1",
    name="Harbor Grill · 日本",
    users=7,
    industry="restaurants",
    region="us_west",
    risk_score=0.125,
    engagement_score=1.0,
    beta_participant=False,
    timezone="America/Los_Angeles",
    transaction_volume=1234.5,
    tickets_90d=0,
    last_escalation_on=date(2026, 1, 31),
    open_escalation=True,
    custom_configuration=("sap", "own; prices"),
    blackouts=(Blackout(starts_on=date(2027, 4, 1), ends_on=date(2027, 4, 16), why="tax season"),),
)


async def put(store, *tenants):
    async with store.write() as tx:
        await tx.put_tenants(tenants)


async def tenants(store):
    async with store.read() as reader:
        return {tenant.tenant_id: tenant for tenant in await reader.tenants()}


async def test_every_field_of_a_profile_comes_back(store):
    await put(store, FULL, TenantProfile(tenant_id="t0"))
    found = await tenants(store)
    assert found == {"t0": TenantProfile(tenant_id="t0"), "t1": FULL}
    assert found["t1"].model_dump_json() == FULL.model_dump_json()
    assert TenantProfile.model_validate(found["t1"].model_dump()) == FULL, "what is stored is valid"


async def test_fields_that_are_left_out_keep_their_value_and_null_makes_them_unknown(store):
    await put(store, FULL)
    await put(store, TenantProfile(tenant_id="t1", active=False), TenantProfile(tenant_id="t1", risk_score=None))
    assert (await tenants(store))["t1"] == FULL.model_copy(update={"active": False, "risk_score": None})
    await put(store, TenantProfile(tenant_id="t1"))
    assert not (await tenants(store))["t1"].active
    await put(store, TenantProfile(tenant_id="t1", size="large"))
    found = (await tenants(store))["t1"]
    assert (found.size, found.users) == (Size.LARGE, None), "7 users are no large tenant"


async def test_active_tenants_are_told_from_those_that_left(store):
    await put(store, FULL, TenantProfile(tenant_id="t2", active=False), TenantProfile(tenant_id="t0"))
    async with store.read() as reader:
        assert await reader.active_tenant_ids() == ("t0", "t1")
        assert await reader.tenant_count() == 3


async def test_the_newest_draw_comes_back_whole(store, clock):
    def drawn(seed):
        selection = select_cohort(
            "pos.lite", population(60), percentage=10, seed=seed, at=clock(), lasts=timedelta(hours=48)
        )
        return DrawnCohort(selection=selection, drawn_at=clock(), drawn_by="ada", change_id=None)

    async with store.read() as reader:
        assert await reader.newest_cohort("pos.lite") is None
    async with store.write() as tx:
        await tx.save_cohort(drawn(2**53 - 1))
        await tx.save_cohort(drawn(2))
        tx.discard()
    async with store.write() as tx:
        await tx.save_cohort(drawn(1))
        await tx.save_cohort(drawn(3))
    async with store.read() as reader:
        assert await reader.newest_cohort("pos.lite") == drawn(3)
        assert await reader.newest_cohort("a.b") is None
