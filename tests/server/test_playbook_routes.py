"""Rolling back by a playbook over HTTP: the first steps at once, the rollout with it, once however often it is asked for."""

from __future__ import annotations

import asyncio

import pytest

from flagconsole.client import Client
from flagconsole.domain.errors import FlagKilled, NothingToRollBack
from flagconsole.domain.role import Role
from flagconsole.domain.rollout_requests import PlaybookBegin


@pytest.fixture
def api(live_server):
    live_server.request("POST", "/api/flags", json={"flag_name": "a.b"})
    return live_server


def canary(api):
    body = {"change_reason": "x", "current_state": "canary", "canary_percentage": 10}
    assert api.request("PUT", "/api/flags/a.b", json=body).status_code == 200


def begin(api, name=None, role=Role.OPERATOR, key="k", **query):
    body = {"playbook_reason": "errors", "playbook_name": name}
    headers = {"Idempotency-Key": key}
    return api.request("POST", "/api/flags/a.b/playbook", json=body, role=role, headers=headers, params=query)


def flag(api):
    return api.request("GET", "/api/flags/a.b").json()["flag"]


def test_the_playbooks_are_shown_with_their_steps_and_estimates(api):
    found = api.request("GET", "/api/playbooks", role=Role.VIEWER).json()["playbooks"]
    assert [(one["name"], one["total_minutes"]) for one in found] == [
        ("gradual", 35),
        ("immediate", 9),
        ("kill_switch", 4.5),
    ]
    assert found[0]["totals"]["estimates.write"] == 25
    assert sum(step["estimate_minutes"] for step in found[1]["steps"]) == 9
    assert found[0]["steps"][-1]["when"] == "not_improved"


def test_halving_happens_once_however_often_the_answer_is_lost(api):
    canary(api)
    assert begin(api, "gradual", dry_run=True).json()["incident"]["playbook"] == "gradual"
    assert flag(api)["canary_percentage"] == 10
    first = begin(api, "gradual").json()["incident"]
    assert (first["playbook"], first["estimate_minutes"], flag(api)["canary_percentage"]) == ("gradual", 35, 5)
    again = begin(api, "gradual").json()["incident"]
    assert (again["incident_id"], flag(api)["canary_percentage"]) == (first["incident_id"], 5)
    other = begin(api, "immediate")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_a_rollout_under_way_is_rolled_back_with_it_and_a_stricter_playbook_may_take_over(api):
    start = {"start_reason": "go", "plan_name": "demo"}
    assert api.request("POST", "/api/flags/a.b/rollout", json=start).status_code == 201
    items = [item["item"] for item in api.request("GET", "/api/flags/a.b/checklist").json()["items"]]
    api.request("PUT", "/api/flags/a.b/checklist", json={"items": items})
    promote = {"promote_reason": "go", "past_verdict": True}
    assert api.request("POST", "/api/flags/a.b/rollout/promote", json=promote).status_code == 200
    assert begin(api, "gradual", key="one").status_code == 200
    rollout = api.request("GET", "/api/flags/a.b/rollout").json()["rollout"]
    assert (rollout["status"], rollout["exposure_frozen"]) == ("rolling_back", True)
    taken_over = begin(api, "immediate", key="two").json()["incident"]
    assert (taken_over["playbook"], flag(api)["current_state"]) == ("immediate", "off")
    assert len(api.request("GET", "/api/incidents").json()["incidents"]) == 1


def test_a_rollback_of_one_rollout_is_begun_once_whoever_asks(api):
    start = {"start_reason": "go", "plan_name": "demo"}
    rollout = api.request("POST", "/api/flags/a.b/rollout", json=start).json()["rollout"]

    def ask(rollout_id):
        body = {"playbook_reason": "errors", "playbook_name": "gradual", "rollout_id": rollout_id}
        return api.request("POST", "/api/flags/a.b/playbook", json=body)

    assert (ask("another").status_code, ask("another").json()["code"]) == (404, "rollout_not_found")
    assert ask(rollout["rollout_id"]).status_code == 200
    assert (ask(rollout["rollout_id"]).status_code, ask(rollout["rollout_id"]).json()["code"]) == (
        409,
        "playbook_under_way",
    )


def test_without_a_name_it_is_immediate(api):
    canary(api)
    assert begin(api).json()["incident"]["playbook"] == "immediate"
    assert flag(api)["current_state"] == "off"


def test_what_is_off_or_killed_is_left_alone(api):
    async def ask(name):
        async with Client(api.url, api.keys[Role.OPERATOR]) as client:
            return await client.begin_playbook("a.b", PlaybookBegin(playbook_reason="x", playbook_name=name))

    with pytest.raises(NothingToRollBack):
        asyncio.run(ask("gradual"))
    api.request("POST", "/api/flags/a.b/kill", json={"kill_reason": "errors"})
    with pytest.raises(FlagKilled):
        asyncio.run(ask("immediate"))
    assert asyncio.run(ask("kill_switch")).incident.incident_id == "inc-1"


def test_who_may_begin_one(api):
    canary(api)
    assert begin(api, "gradual", role=Role.VIEWER).status_code == 403
    assert begin(api, "soft").status_code == 422
    assert api.request("GET", "/api/playbooks", role=Role.SDK).status_code == 403
