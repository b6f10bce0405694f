"""Scheduled changes and messages over HTTP, carried out and sent by the server that leads."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flagconsole.domain.role import Role
from flagconsole.rollout.response import Destination, Response, Subscription

from ..live_server import LiveServer


class Hook(ThreadingHTTPServer):
    """A receiver in one's own network. ``arrived`` is set with every message."""

    def __init__(self) -> None:
        told: list[dict[str, object]] = []
        arrived = threading.Semaphore(0)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"thanks")
                arrived.release()

            def log_message(self, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.told, self.arrived = told, arrived


@pytest.fixture
def hook():
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join(20)


@pytest.fixture
def server(store_url, hook):
    reached = Response(
        environment="staging",
        destinations={"own": Destination(url=f"http://127.0.0.1:{hook.server_port}/T0KEN")},
        subscriptions={"team": Subscription(destination="own")},
        private_hosts=("127.0.0.1",),
    )
    with LiveServer(store_url, response=reached) as running:
        for name in ("pos.lite", "pos.receipts"):
            assert running.request("POST", "/api/flags", json={"flag_name": name}).status_code == 201
        yield running


def test_a_change_is_scheduled_carried_out_and_told(server, hook):
    tried = server.request("POST", "/api/subscriptions/team/test").json()
    assert (tried["delivered"], tried["status"], tried["answer"]) == (True, 200, "thanks")
    assert hook.arrived.acquire(timeout=60)
    assert server.request("POST", "/api/subscriptions/nobody/test").json()["code"] == "subscription_not_found"
    assert server.request("POST", "/api/subscriptions/team/test", role=Role.OPERATOR).status_code == 403

    body = {"current_state": "on", "change_reason": "opening", "after_phase": "shadow", "after_flag": "pos.lite"}
    path = "/api/flags/pos.receipts/schedules"
    assert server.request("POST", path, json=body, role=Role.OPERATOR).status_code == 403
    assert server.request("POST", path, json=body).json()["code"] == "rollout_not_found"
    phases = [{"name": "shadow", "kind": "shadow"}, {"name": "full", "kind": "full", "percentage": 100}]
    plan = {"name": "short", "phases": phases}
    started = server.request("POST", "/api/flags/pos.lite/rollout", json={"start_reason": "go", "plan": plan})
    assert started.status_code == 201, started.text
    made = server.request("POST", path, json=body, headers={"If-Match": '"1"'})
    assert made.status_code == 201, made.text
    at = {"current_state": "on", "change_reason": "opening"}
    for wrong in ("2020-01-01T00:00:00Z", "2027-01-01T00:00:00", "9999-12-31T23:59:59-23:00", None):
        assert server.request("POST", path, json=at | {"at": wrong}).status_code == 422
    past = {"promote_reason": "enough", "past_verdict": True}
    assert server.request("POST", "/api/flags/pos.lite/rollout/promote", json=past).is_success
    while not any((told.get("flag"), told.get("after")) == ("pos.receipts", "on") for told in list(hook.told)):
        assert hook.arrived.acquire(timeout=120), "the change was not told"
    assert "T0KEN" not in server.request("GET", "/api/notifications", role=Role.VIEWER).text
    found = server.request("GET", "/api/schedules?flag_name=pos.receipts", role=Role.VIEWER).json()
    [view] = found["schedules"]
    assert (view["schedule"]["status"], [step["step"] for step in view["steps"]]) == (
        "done",
        ["scheduled", "carried out"],
    )
    assert server.request("GET", "/api/schedules?flag_name=no.flag").json()["code"] == "flag_not_found"
    over = server.request("POST", f"/api/schedules/{view['schedule']['schedule_id']}/cancel", json={})
    assert (over.status_code, over.json()["code"]) == (409, "schedule_over")
    assert server.request("POST", "/api/schedules/no/cancel", json={}).json()["code"] == "schedule_not_found"
    assert server.request("POST", "/api/notifications/no/retry").json()["code"] == "notification_not_found"
