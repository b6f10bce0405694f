"""The example service, under uvicorn, through the life of its flag: shadow, on, killed."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from flagconsole.domain.role import Role
from flagconsole.sdk import FlagClient, FlagState
from flagconsole.sdk.shadow import Budget

from ..fake_server import until
from ..sdk.serving_app import serving_app

PATH = Path(__file__).parent.parent.parent / "docs" / "examples" / "invoices_app.py"
FLAG, TENANT = "invoices.write", "tenant-0042"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("invoices_app", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # FastAPI looks annotations up in the module by its name.
    sys.modules["invoices_app"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["invoices_app"]


def test_an_invoice_through_the_life_of_its_flag(example, live_server, tmp_path):
    charged: list[httpx.Request] = []

    def payments(request: httpx.Request) -> httpx.Response:
        charged.append(request)
        return httpx.Response(201, json={})

    live_server.request("POST", "/api/flags", json={"flag_name": FLAG, "dependencies": ["billing.calculate"]})
    database = tmp_path / "invoices.db"
    invoices = example.Invoices(str(database), httpx.MockTransport(payments))

    def rows():
        with closing(sqlite3.connect(database)) as connection:
            return connection.execute("SELECT number, total FROM invoices ORDER BY number").fetchall()

    flags = FlagClient(live_server.url, live_server.keys[Role.SDK], cache_dir=False, bucket_seconds=1)
    app = example.create_app(flags, invoices, Budget(seconds=60, seconds_per_minute=6000))
    with flags, serving_app(app) as url:
        assert flags.wait_ready(10)

        def set_to(state):
            if state == "kill":
                answer = live_server.request("POST", f"/api/flags/{FLAG}/kill", json={"kill_reason": "errors"})
            else:
                body = {"current_state": state, "change_reason": "next"}
                answer = live_server.request("PUT", f"/api/flags/{FLAG}", json=body)
            assert answer.status_code == 200
            until(lambda: flags.state(FLAG, TENANT) is FlagState(state))

        def write(number, lines, **headers):
            body = {"number": number, "lines": lines, "email": "ada@example.com"}
            return httpx.post(f"{url}/invoices", json=body, headers={"X-Tenant": TENANT, **headers}, timeout=30)

        assert write("A-0", ["1.00"]).json()["state"] == "off"
        set_to("shadow")
        assert write("A-1", ["10.25", "20.25"]).json() == {"number": "A-1", "total": "30.50"}
        assert write("A-2", ["2.675"]).json()["total"] == "2.67"
        assert write("A-1", ["1.00"]).status_code == 409
        assert write("A-3", []).status_code == 409
        assert (charged, invoices.mails) == ([], [])
        assert [number for number, _ in rows()] == ["A-1", "A-2"]
        set_to("on")
        assert write("A-4", ["0.10", "0.20"]).json() == {"number": "A-4", "total": "0.30"}
        assert (len(charged), invoices.mails) == (1, ["ada@example.com"])
        set_to("kill")
        assert write("A-5", ["1.00"]).json()["state"] == "kill"
        assert write("A-5", ["1.00"], **{"X-Tenant": ""}).status_code == 401
        assert len(rows()) == 3
    invoices.payments.close()
    report = live_server.request("GET", f"/api/flags/{FLAG}/shadow-report").json()
    assert (report["executions"], report["compared"]) == (4, 4)
    assert (report["errors"], report["effects"]["http"], report["effects"]["notification"]) == (1, 2, 2)
    assert report["failures"] == [{"error": "IntegrityError", "source": "handler", "times": 1}]
    assert report["validations"] == [{"name": "billing.calculate", "passed": 3, "failed": 1}]
    fields = {(row["field"], row["kind"], row["old_sample"], row["new_sample"]) for row in report["fields"]}
    assert fields == {("total", "value", "2.67", "2.68"), ("result", "error", "IntegrityError", "ValidationFailed")}
    totals = live_server.request("GET", f"/api/flags/{FLAG}/metrics").json()["groups"]["shadow"]["totals"]
    assert (totals["operations"], totals["error_rate"]) == (4, 0.5)


def test_ended_by_a_signal_it_says_goodbye_and_leaves_nothing_unsent(live_server, tmp_path):
    live_server.request("POST", "/api/flags", json={"flag_name": FLAG})
    body = {"current_state": "shadow", "change_reason": "try it"}
    live_server.request("PUT", f"/api/flags/{FLAG}", json=body)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    about = {"FLAGCONSOLE_URL": live_server.url, "FLAGCONSOLE_API_KEY": live_server.keys[Role.SDK], "PORT": str(port)}
    environment = {**os.environ, **about, "XDG_CACHE_HOME": str(tmp_path)}
    log = tmp_path / "log"
    with log.open("w") as errors, subprocess.Popen(
        [sys.executable, PATH], cwd=tmp_path, env=environment, stdout=errors, stderr=errors
    ) as process:  # fmt: skip
        try:
            until(lambda: f"127.0.0.1:{port}" in log.read_text(), 60)
            headers, invoice = {"X-Tenant": TENANT}, {"number": "A-1", "lines": [1.5], "email": "ada@example.com"}

            def written():
                answer = httpx.post(f"http://127.0.0.1:{port}/invoices", headers=headers, json=invoice, timeout=10)
                return answer.status_code == 201

            until(written, 30)  # until its rules have arrived the flag is off
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        finally:
            process.kill()
    (instance,) = live_server.request("GET", "/api/instances").json()["instances"]
    assert (instance["service"], instance["presence"]) == ("invoices", "left")
    report = live_server.request("GET", f"/api/flags/{FLAG}/shadow-report").json()
    assert (report["executions"], report["compared"]) == (1, 1), log.read_text()
    assert live_server.request("GET", f"/api/flags/{FLAG}/metrics").json()["operations"] == 1
