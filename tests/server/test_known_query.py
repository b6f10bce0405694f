"""What a route doesn't know in a query is refused by name, and changes nothing."""

from __future__ import annotations

import pytest

from flagconsole.domain.role import Role


@pytest.fixture
def api(live_server):
    live_server.request("POST", "/api/flags", json={"flag_name": "a.b"})
    return live_server


def test_a_parameter_that_is_not_there_is_named_with_what_is(api):
    refused = api.request("GET", "/api/flags/a.b/history?limitt=1").json()
    assert (refused["code"], refused["detail"]) == (
        "invalid_input",
        "limitt: is not a query parameter here (got '1').",
    )
    assert refused["hint"] == "Did you mean limit?"
    none = api.request("GET", "/api/playbooks?x=%1b%5b31m")
    assert (none.status_code, none.json()["hint"]) == (422, "There are none.")
    assert "\x1b" not in none.json()["detail"]


def test_a_dry_run_that_a_route_does_not_have_changes_nothing(api):
    body = {"items": ["defined in the store"]}
    refused = api.request("PUT", "/api/flags/a.b/checklist?dry_run=true", json=body)
    assert (refused.status_code, "dry_run" in refused.json()["detail"]) == (422, True)
    ticked = api.request("GET", "/api/flags/a.b/checklist").json()["items"]
    assert [item["ticked_by"] for item in ticked] == [None] * len(ticked)
    kill = api.request("POST", "/api/flags/a.b/kill?dryrun=true", json={"kill_reason": "x"})
    assert (kill.status_code, kill.json()["hint"]) == (422, "Did you mean dry_run?")
    assert api.request("GET", "/api/flags/a.b").json()["flag"]["current_state"] == "off"


def test_who_asks_comes_first(api):
    assert api.request("GET", "/api/flags?x=1", role=None).status_code == 401
    assert api.request("GET", "/api/stream?y=1", role=Role.SDK).status_code == 422
    assert api.request("GET", "/health?verbose=1", role=None).status_code == 200
