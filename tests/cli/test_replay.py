"""``replay`` on a store and through a server."""

from __future__ import annotations

import time

from flagconsole.domain.role import Role

PLAN = """\
name: patient
phases:
  - {name: dark, kind: shadow, success: [error_rate <= 1 %]}
"""


def test_without_a_rollout_there_is_nothing_to_replay(flags):
    missing = flags("replay", "pos.lite")
    assert (missing.code, "never had the rollout 'newest'" in missing.err) == (3, True)
    assert flags("replay", "pos.light").code == 3
    assert flags("start", "pos.lite", "go", "--plan", "demo").code == 0
    assert flags("replay", "pos.lite", "--rollout", "nope").code == 3
    assert flags("replay", "pos.lite", "--plan", "nowhere.yaml").code == 2


def test_a_store_tells_what_it_can(flags, home):
    flags("start", "pos.lite", "go", "--plan", "demo")
    (home / "patient.yaml").write_text(PLAN)
    said = flags("replay", "pos.lite", "--plan", str(home / "patient.yaml")).out
    assert "judged again by patient" in said
    assert "would   not judged: the judge never looked at it" in said
    assert flags("replay", "pos.lite", "--json").json["replayed_with"] == "demo"


def test_a_server_judges_by_its_plans_and_by_ours(live_server, fc, home, monkeypatch):
    monkeypatch.setattr("flagconsole.rollout.controller.WAKE_SECONDS", 0.1)
    live_server.request("POST", "/api/flags", json={"flag_name": "a.b"})
    live_server.request("PUT", "/api/tenants", json={"tenants": [{"tenant_id": "t1"}]})
    live_server.request("POST", "/api/flags/a.b/rollout", json={"start_reason": "go", "plan_name": "demo"})
    deadline = time.monotonic() + 20
    while not live_server.request("GET", "/api/flags/a.b/verdicts").json()["verdicts"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (home / "patient.yaml").write_text(PLAN)
    where = ("--url", live_server.url, "--api-key", live_server.keys[Role.VIEWER])
    for plan in ("default", str(home / "patient.yaml")):
        found = fc("replay", "a.b", "--plan", plan, "--json", *where).json
        [phase] = found["phases"]
        assert (phase["really"]["counts"], phase["unjudged"]) == ({"no_data": 1}, "nothing was measured in it")
    assert fc("replay", "a.b", *where, "--rollout", found["rollout_id"]).code == 0
    assert fc("replay", "a.b", "--url", live_server.url, "--api-key", live_server.keys[Role.SDK]).code == 7
    both = {"plan_name": "default", "plan": {"name": "x", "phases": []}}
    assert live_server.request("POST", "/api/flags/a.b/replay", json=both).status_code == 422
    other = live_server.request("POST", "/api/flags/a.b/replay", json={"plan_name": "nope"})
    assert (other.status_code, "plan_name" in other.json()["detail"]) == (422, True)
