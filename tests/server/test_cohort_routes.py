"""Tenants and cohorts over HTTP."""

from __future__ import annotations

import pytest

from flagconsole.client.http import Client
from flagconsole.domain.errors import CohortNotFound
from flagconsole.domain.requests import CohortDraw, TenantsPut
from flagconsole.domain.role import Role

from ..population import population

NEW = {"flag_name": "invoices.write"}
DRAW = {"change_reason": "first canary", "percentage": 10, "seed": 7}
PATH = "/api/flags/invoices.write/cohort"


@pytest.fixture
def api(live_server):
    assert live_server.request("POST", "/api/flags", json=NEW).status_code == 201
    body = TenantsPut(tenants=tuple(population(120))).model_dump_json(exclude_unset=True)
    headers = {"Content-Type": "application/json"}
    assert live_server.request("PUT", "/api/tenants", content=body, headers=headers).status_code == 200
    return live_server


def test_a_cohort_is_drawn_applied_told_and_streamed(api):
    assert api.request("GET", PATH).json()["code"] == "cohort_not_found"
    answer = api.request("POST", PATH, json=DRAW | {"start": True})
    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"2"'
    drawn = answer.json()
    assert drawn["cohort"]["members"] == drawn["cohort"]["target"] == 12
    flag = api.request("GET", "/api/flags/invoices.write").json()["flag"]
    assert len(flag["canary_tenant_ids"]) == 12
    (rule,) = api.request("GET", "/api/snapshot").json()["flags"]
    assert rule["canary_holdout_ids"] == flag["canary_holdout_ids"]
    page = api.request("GET", PATH, params={"inside": "true", "limit": 5}, role=Role.VIEWER).json()
    assert [tenant["inside"] for tenant in page["tenants"]] == [True] * 5
    assert page["next_after"] == page["tenants"][-1]["tenant_id"]
    explained = api.request("GET", PATH, params={"tenant_id": "t00001"}).json()["tenants"]
    assert explained[0]["text"]


def test_a_dry_run_and_a_repeated_request(api):
    assert api.request("POST", PATH, json=DRAW, params={"dry_run": "true"}).json()["result"]["dry_run"]
    assert api.request("GET", PATH).status_code == 404
    headers = {"Idempotency-Key": "k"}
    first = api.request("POST", PATH, json=DRAW, headers=headers)
    again = api.request("POST", PATH, json=DRAW, headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["cohort"] == first.json()["cohort"]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"percentage": 0}, "percentage"), ({"percentage": 100}, "percentage"), ({"seed": -1}, "seed"), ({"x": 1}, "x")],
)
def test_bad_requests_name_the_field(api, change, field):
    answer = api.request("POST", PATH, json=DRAW | change)
    assert answer.status_code == 422
    assert field in answer.json()["detail"]


def test_roles(api):
    for role in (Role.SDK, Role.VIEWER, Role.OPERATOR):
        assert api.request("POST", PATH, json=DRAW, role=role).status_code == 403
    assert api.request("POST", PATH, json=DRAW, role=Role.ADMIN).status_code == 200
    assert api.request("GET", PATH, role=Role.SDK).status_code == 403
    assert api.request("GET", PATH, role=None).status_code == 401


def test_tenants_keep_the_wire_form_of_old_and_what_is_left_out(api):
    body = {"tenants": [{"tenant_id": "t00000", "name": "New name"}, {"tenant_id": "plain", "active": False}]}
    before = {tenant["tenant_id"]: tenant for tenant in api.request("GET", "/api/tenants").json()["tenants"]}
    dry = api.request("PUT", "/api/tenants", json=body, params={"dry_run": "true"}).json()["tenants"]
    assert len(dry) == 121
    assert len(api.request("GET", "/api/tenants").json()["tenants"]) == 120
    after = {tenant["tenant_id"]: tenant for tenant in api.request("PUT", "/api/tenants", json=body).json()["tenants"]}
    assert after["t00000"] == before["t00000"] | {"name": "New name"}
    assert {"tenant_id": "plain", "name": "", "active": False}.items() <= after["plain"].items()
    assert "risk_score" not in after["plain"], "what is unknown is left out"


def test_no_tenant_is_imported_where_one_is_wrong(api):
    tenants = [{"tenant_id": "fine"}, {"tenant_id": "odd", "risk_score": 7}]
    answer = api.request("PUT", "/api/tenants", json={"tenants": tenants})
    assert answer.status_code == 422
    assert answer.json()["details"]["field"] == "tenants.1.risk_score"
    assert len(api.request("GET", "/api/tenants").json()["tenants"]) == 120


async def test_a_canary_that_nothing_drew_answers_too(api):
    body = {"change_reason": "a plan began it", "current_state": "canary", "canary_percentage": 10}
    assert api.request("PUT", "/api/flags/invoices.write", json=body).status_code == 200
    told = api.request("GET", PATH, params={"limit": 1000}, role=Role.VIEWER).json()
    assert (told["drawn"], told["population"], told["current_state"]) == (False, 120, "canary")
    assert told["actual"] == sum(tenant["inside"] for tenant in told["tenants"]) > 0
    async with Client(api.url, api.keys[Role.VIEWER]) as client:
        view = await client.cohort("invoices.write", limit=1000)
        assert view.model_dump(mode="json") == told
        assert client.position == (told["epoch"], told["revision"])


async def test_the_client_speaks_it(api):
    async with Client(api.url, api.keys[Role.ADMIN]) as client:
        with pytest.raises(CohortNotFound):
            await client.cohort("invoices.write")
        drawn = await client.draw_cohort("invoices.write", CohortDraw(**DRAW), version=1)
        view = await client.cohort("invoices.write", limit=1000)
        assert view.tenants == drawn.cohort.tenants
        assert [tenant.tenant_id for tenant in (await client.tenants()).tenants] == [
            tenant.tenant_id for tenant in population(120)
        ]
