"""Incidents over HTTP: opened by kills, tended by the server, told to the streams that ask, and closed by people."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from flagconsole.client import Client
from flagconsole.domain.errors import IncidentNotFound, NotAllowed
from flagconsole.domain.incident_views import IncidentClose, IncidentUpdate
from flagconsole.domain.role import Role

from ..live_server import LiveServer

ROUTES = [
    (Role.VIEWER, "GET", "/api/incidents", None),
    (Role.VIEWER, "GET", "/api/incidents/inc-1", None),
    (Role.VIEWER, "GET", "/api/incidents/inc-1/export", None),
    (Role.OPERATOR, "PATCH", "/api/incidents/inc-1", {"root_cause": "x"}),
    (Role.OPERATOR, "POST", "/api/incidents/inc-1/close", {}),
    (Role.OPERATOR, "POST", "/api/incidents/inc-1/steps/kill/confirm", {"note": "x"}),
]
LADDER = [Role.VIEWER, Role.OPERATOR, Role.ADMIN]


@pytest.fixture
def api(live_server):
    live_server.request("POST", "/api/flags", json={"flag_name": "a.b", "default_state": "on"})
    live_server.request("PUT", "/api/tenants", json={"tenants": [{"tenant_id": "t1", "name": "Joe's"}]})
    return live_server


def kill(api):
    answer = api.request("POST", "/api/flags/a.b/kill", json={"kill_reason": "errors"}, role=Role.OPERATOR)
    assert answer.status_code == 200
    return answer.json()


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


@pytest.mark.parametrize(("least", "method", "path", "body"), ROUTES)
def test_each_role_may_do_what_the_table_says(shared, least, method, path, body):
    assert shared.request(method, path, role=None, json=body).status_code == 401
    for role in Role:
        dry = f"{path}?dry_run=true" if body is not None else path
        answer = shared.request(method, dry, role=role, json=body)
        allowed = role in LADDER and LADDER.index(role) >= LADDER.index(least)
        assert (answer.status_code != 403) == allowed, (role, answer.text)
        assert answer.status_code < 500


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with LiveServer(f"sqlite:{tmp_path_factory.mktemp('incidents') / 'flags.db'}") as server:
        server.request("POST", "/api/flags", json={"flag_name": "a.b"})
        kill(server)
        yield server


def test_the_server_tends_the_playbook_of_a_kill(api):
    body = {"service": "billing", "sdk_version": "1", "receipts": []}
    revision = kill(api)["revision"]
    epoch = api.request("GET", "/api/status").json()["epoch"]
    receipts = [{"revision": revision, "applied_at": datetime.now(UTC).isoformat()}]
    body |= {"epoch": epoch, "receipts": receipts}
    assert api.request("POST", "/api/instances/i1/receipt", json=body, role=Role.SDK).status_code == 200

    # Who runs is written down a moment after it was told, and the report is of what is written down.
    confirmed = f"1 instance confirmed revision {revision}"

    def begun():
        found = api.request("GET", "/api/incidents/inc-1", role=Role.VIEWER).json()
        known = any(entry["text"] == confirmed for entry in found["timeline"])
        return found if found["incident"]["run"]["status"] == "running" and found["notices"] and known else None

    detail = wait_for(begun)
    statuses = {step["step"]: step["status"] for step in detail["incident"]["run"]["steps"]}
    assert statuses["kill"] == "done"
    assert statuses["isolate_services"] in {"pending", "skipped"}
    assert {notice["status"] for notice in detail["notices"]} == {"unrouted"}
    assert detail["incident"]["estimate_minutes"] == 4.5
    assert detail["affected_tenants"] == [{"tenant_id": "t1", "name": "Joe's"}]
    texts = [entry["text"] for entry in detail["timeline"]]
    [untold] = [text for text in texts if text.startswith("nobody told for ")]
    assert untold.endswith("(opened): no destination is configured"), "one entry for all whom nobody could be told of"
    assert "on_call" in untold


@contextmanager
def frames(api, include, role=Role.VIEWER):
    headers = {"Authorization": f"Bearer {api.keys[role]}"}
    with httpx.stream("GET", f"{api.url}/api/stream?include={include}", headers=headers, timeout=10) as response:
        assert response.status_code == 200

        def read():
            fields = {}
            for line in response.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields.get("event") in {"heartbeat", "snapshot"}:
                    fields = {}
                elif fields:
                    yield fields
                    fields = {}

        yield read()


def test_streams_that_ask_are_told_and_others_are_not(api):
    with frames(api, "receipts,incidents") as asked, frames(api, "receipts") as did_not:
        kill(api)
        first = next(asked)
        assert first["event"] == "change"
        told = next(asked)
        assert (told["event"], "id" in told) == ("incident", False)
        incident = json.loads(told["data"])
        assert (incident["incident_id"], incident["affected"], incident["impact"]) == ("inc-1", 1, "severe")
        api.request("POST", "/api/incidents/inc-1/close", json={})
        while not incident["closed_at"]:
            incident = json.loads(next(asked)["data"])
        assert next(did_not)["event"] == "change"
        api.request("PUT", "/api/flags/a.b", json={"change_reason": "x", "owner": "me"})
        assert next(did_not)["event"] == "change"


@pytest.mark.parametrize("include", ["incidents", "receipts,rollouts"])
def test_services_are_not_told_of_incidents(api, include):
    headers = {"Authorization": f"Bearer {api.keys[Role.SDK]}"}
    assert httpx.get(f"{api.url}/api/stream?include={include}", headers=headers).status_code == 403


@pytest.mark.parametrize("include", ["incident", "receipts,", "receipts;incidents", ""])
def test_only_known_kinds_can_be_asked_for(api, include):
    headers = {"Authorization": f"Bearer {api.keys[Role.VIEWER]}"}
    assert httpx.get(f"{api.url}/api/stream?include={include}", headers=headers).status_code == 422


def test_the_client_speaks_to_it(api):
    kill(api)

    async def talk():
        async with Client(api.url, api.keys[Role.OPERATOR]) as client:
            [listed] = (await client.incidents(open_only=True)).incidents
            written = await client.update_incident("inc-1", IncidentUpdate(root_cause="a | slow query"))
            dry = await client.close_incident("inc-1", IncidentClose(), dry_run=True)
            assert (await client.incident("inc-1")).incident.closed_at is None
            closed = await client.close_incident("inc-1", IncidentClose(impact="minimal"))
            report = await client.export_incident("inc-1")
            for name in ("inc-9", "..", "", "inc 1/close"):
                with pytest.raises(IncidentNotFound):
                    await client.incident(name)
        async with Client(api.url, api.keys[Role.VIEWER]) as client:
            with pytest.raises(NotAllowed):
                await client.close_incident("inc-1", IncidentClose())
        return listed, written, dry, closed, report

    listed, written, dry, closed, report = asyncio.run(talk())
    assert listed.flag_name == "a.b"
    assert written.incident.root_cause == "a | slow query"
    assert dry.incident.closed_at is not None
    assert (closed.incident.impact, closed.incident.impact_overridden) == ("minimal", True)
    assert "a \\| slow query" in report.splitlines()
    exported = api.request("GET", "/api/incidents/inc-1/export")
    assert exported.headers["Content-Type"] == "text/markdown; charset=utf-8"
