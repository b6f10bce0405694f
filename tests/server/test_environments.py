"""Several environments behind one address: a key opens its own, and nothing it asks or does touches another."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from flagconsole.domain.role import Role
from flagconsole.server.route_table import ROUTES

from .environments import PRODUCTION, STAGING, EnvironmentsServer, make_environments

#: In every name, reason, tenant and service of production.
SECRET = "zebra"
STREAMS = {"/api/stream", "/api/client/streaming", "/ofrep/v1/stream"}
CALLS = [call for call in ROUTES if call.split(" ")[1] not in STREAMS]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request, tmp_path_factory):
    if request.param == "sqlite":
        url = f"sqlite:{tmp_path_factory.mktemp('environments') / 'flags.db'}"
    else:
        url = request.getfixturevalue("postgres")()
    asyncio.run(make_environments(url))
    with EnvironmentsServer(url) as running:
        well = {"users": 10, "risk_score": 0.1, "engagement_score": 0.9, "beta_participant": True}
        people = [{"tenant_id": f"{SECRET}-{number}", "name": SECRET, **well} for number in range(40)]
        done(running, "PUT", "/api/tenants", {"tenants": people})
        done(running, "POST", "/api/flags", {"flag_name": f"{SECRET}.write", "description": SECRET})
        done(running, "POST", "/api/flags", {"flag_name": "pos.lite", "description": SECRET, "owner": SECRET})
        done(running, "POST", f"/api/flags/{SECRET}.write/cohort", {"change_reason": SECRET, "percentage": 10})
        override = {"override_state": "on", "override_reason": SECRET, "tenant_id": f"{SECRET}-1"}
        done(running, "PUT", "/api/flags/pos.lite/override", override)
        done(
            running, "POST", "/api/flags/pos.lite/playbook", {"playbook_reason": SECRET, "playbook_name": "kill_switch"}
        )
        done(running, "POST", "/api/keys", {"name": SECRET, "role": "sdk"})
        receipt = {"service": SECRET, "sdk_version": "1", "epoch": "e", "receipts": []}
        done(running, "POST", f"/api/instances/{SECRET}-1/receipt", receipt)
        made = {"flag_name": "pos.lite", "description": "ours"}
        assert running.ask(STAGING, "POST", "/api/flags", json=made).status_code == 201
        # Where roles are checked is the same on both; one round of all is enough.
        running.roles = tuple(Role) if request.param == "sqlite" else (Role.ADMIN,)
        yield running


def done(server, method, path, body):
    answer = server.ask(PRODUCTION, method, path, json=body)
    assert answer.status_code < 300, answer.text


def test_a_key_of_one_environment_sees_nothing_of_another(server):
    """Every call, with each role's key of staging, for a flag that both have and for one that only production has."""
    for call in CALLS:
        method, path = call.split(" ", 1)
        for part in ("{instance_id}", "{incident_id}", "{step}", "{key_id}", "{grant_id}", "{approval_id}"):
            path = path.replace(part, "inc-1")
        body = {} if method in {"POST", "PUT", "PATCH"} else None
        for name in ("pos.lite", f"{SECRET}.write") if "{" in path else ("",):
            filled = path.replace("{name}", name).replace("{key:any_text}", name)
            for role in server.roles:
                answer = server.ask(STAGING, method, filled, role=role, json=body)
                assert "unauthenticated" not in answer.text, (role, filled)
                # What was asked for may be repeated; nothing else may be known of it.
                said = f"{answer.text}{answer.headers}".replace(f"{SECRET}.write", "")
                assert SECRET not in said, (role, filled, answer.text)
                assert PRODUCTION not in said, (role, filled, answer.text)
    for path in ("", "/history", "/rollout", "/cohort", "/metrics", "/blast-radius"):
        answer = server.ask(STAGING, "GET", f"/api/flags/{SECRET}.write{path}")
        assert answer.status_code == 404, (path, answer.text)
        assert server.ask(PRODUCTION, "GET", f"/api/flags/{SECRET}.write{path}").status_code == 200


@pytest.mark.parametrize("path", sorted(STREAMS))
def test_streams_tell_of_their_own_environment_only(server, path):
    headers = {"Authorization": f"Bearer {server.keys[STAGING][Role.VIEWER]}"}
    with httpx.stream("GET", server.url + path, headers=headers, timeout=30) as stream:
        assert stream.status_code == 200
        chunks = stream.iter_text()
        said = next(chunks)
        name = f"pos.after-{path.rsplit('/', 1)[1]}-{len(path)}"
        done(server, "POST", "/api/flags", {"flag_name": f"{SECRET}.{name.replace('.', '-')}"})
        assert server.ask(STAGING, "POST", "/api/flags", json={"flag_name": name}).status_code == 201
        # Our own change was made after the other one, and is told: the other one would have been.
        told = name if "ofrep" not in path else "refetch"
        while told not in said:
            said += next(chunks)
    assert SECRET not in said


def test_a_browsers_stream_finds_its_environment_by_its_ticket(server):
    answer = server.ask(STAGING, "POST", "/ofrep/v1/evaluate/flags", json={"context": {"targetingKey": "t1"}})
    endpoint = answer.json()["eventStreams"][0]["endpoint"]
    address = server.url + endpoint["requestUri"]
    with httpx.stream("GET", address, timeout=30) as stream:
        assert stream.status_code == 200


def test_each_has_its_own_revision_epoch_and_chain(server):
    heads = {name: server.ask(name, "GET", "/api/status").json() for name in (PRODUCTION, STAGING)}
    assert heads[PRODUCTION]["environment"] == PRODUCTION
    assert heads[STAGING]["environment"] == STAGING
    assert heads[PRODUCTION]["epoch"] != heads[STAGING]["epoch"]
    assert heads[PRODUCTION]["revision"] > heads[STAGING]["revision"] > 0
    for name, head in heads.items():
        report = server.ask(name, "GET", "/api/audit/verify").json()
        assert (report["verified"], report["entries"]) == (True, head["revision"])
        listed = server.ask(name, "GET", "/api/environments").json()["environments"]
        assert [(one["name"], one["revision"]) for one in listed] == [(name, head["revision"])]


def test_a_kill_in_one_leaves_the_bytes_of_the_other(server):
    before = server.ask(STAGING, "GET", "/api/snapshot")
    done(server, "POST", "/api/flags", {"flag_name": f"{SECRET}.killed"})
    done(server, "POST", f"/api/flags/{SECRET}.killed/kill", {"kill_reason": SECRET})
    after = server.ask(STAGING, "GET", "/api/snapshot")
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
    unchanged = server.ask(STAGING, "GET", "/api/snapshot", headers={"If-None-Match": before.headers["etag"]})
    assert unchanged.status_code == 304


def test_a_key_that_nobody_knows_is_answered_as_ever_and_a_revoked_one_too(server):
    made = server.ask(STAGING, "POST", "/api/keys", json={"name": "leaver", "role": "viewer"}).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert server.ask(None, "GET", "/api/status", headers=headers).json()["environment"] == STAGING
    assert server.ask(STAGING, "DELETE", f"/api/keys/{made['api_key']['key_id']}").status_code == 200
    answers = [
        server.ask(None, "GET", "/api/status", headers={"Authorization": f"Bearer {secret}"} if secret else {})
        for secret in (made["secret"], "fc_admin_made-up", "")
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert len({answer.json()["code"] for answer in answers}) == 1


def test_health_and_metrics_tell_of_each_without_a_key_and_of_its_own_with_one(server):
    health = server.ask(None, "GET", "/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert {name: part["ready"] for name, part in health.json()["environments"].items()} == {
        PRODUCTION: True,
        STAGING: True,
    }
    assert "pos.lite" in health.json()["feature_flags"]
    assert "environments" not in server.ask(STAGING, "GET", "/health").json()
    text = server.ask(None, "GET", "/metrics").text
    assert text.count("# TYPE flagconsole_revision gauge") == 1
    for name in (PRODUCTION, STAGING):
        assert f'flagconsole_environment_ready{{environment="{name}"}} 1.0' in text
        assert f'flagconsole_revision{{environment="{name}"}}' in text


def test_one_that_cannot_be_opened_leaves_the_others_alone_and_comes_back(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("flagconsole.server.served_environment.RETRY_SECONDS", 0.05)
    url = f"sqlite:{tmp_path / 'flags.db'}"
    asyncio.run(make_environments(url))
    part, away = tmp_path / "flags.staging.db", tmp_path / "away.db"
    part.rename(away)
    with EnvironmentsServer(url, keys_of=(PRODUCTION,)) as server:
        assert server.ask(PRODUCTION, "POST", "/api/flags", json={"flag_name": "pos.lite"}).status_code == 201
        health = server.ask(None, "GET", "/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert health.json()["environments"][STAGING]["ready"] is False
        # Whether that key is staging's can't be told now; that it isn't valid would be a guess.
        unknown = {"Authorization": "Bearer fc_sdk_perhaps"}
        answer = server.ask(None, "GET", "/api/snapshot", headers=unknown)
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
        assert STAGING not in answer.text
        away.rename(part)

        async def back() -> None:
            async with asyncio.timeout(60):
                while not server.ask(None, "GET", "/health").json()["environments"][STAGING]["ready"]:
                    await asyncio.sleep(0.02)

        asyncio.run(back())
        assert server.ask(None, "GET", "/api/snapshot", headers=unknown).status_code == 401
        assert json.loads(server.ask(None, "GET", "/health").text)["status"] == "ok"
