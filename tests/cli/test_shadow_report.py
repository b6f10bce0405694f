"""``shadow-report``: what an engineer reads before a canary, on a store and on a server."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from flagconsole.domain.execution_type import ExecutionType, Finding
from flagconsole.domain.role import Role
from flagconsole.domain.shadow_tally import ShadowTally
from flagconsole.store import open_store
from flagconsole.store.metric_store import MetricWrite
from flagconsole.store.shadow_store import FindingRow, ShadowRow

FLAG = "pos.lite"
HOSTILE = "total\x1b[2Jgone"


async def execute(path, start):
    store = await open_store(f"sqlite:{path}")
    tally = ShadowTally(100, 97, 3, 5, 2.0, 50, 40, 1.5, 30, 0, 12, 4)
    rows = [ShadowRow(FLAG, f"t{number:02}", ExecutionType.DRY_RUN, start, 300, tally) for number in range(12)]
    findings = [FindingRow(FLAG, Finding.MISMATCH, HOSTILE, "value", start, 300, 10, "12.50", "\x1b]0;x\x07")]
    await store.metrics.save(
        [MetricWrite(uuid.uuid4().hex, start + 10**6, shadow=rows, findings=findings, shadow_newest=[(FLAG, start)])]
    )
    await store.close()


@pytest.fixture
def executed(flags, store_path):
    asyncio.run(execute(store_path, int(time.time()) // 300 * 300 - 600))
    return flags


def test_the_report_in_a_terminal(executed):
    out = executed("shadow-report", FLAG).out
    lines = {line.partition("  ")[0]: line.partition("  ")[2].strip() for line in out.splitlines()}
    assert lines["executions"] == "1200 (1200 dry_run); 60 left out by the budget"
    assert lines["mean time"] == "20.0 ms, the old way 30.0 ms"
    assert lines["consistency"] == "80.00 % of 600 compared"
    assert lines["effects avoided"] == "192 (144 database, 48 http)"
    assert lines["readiness"].startswith("0.725 = 0.485 success + 0.240 consistency + 0.000 errors")
    assert "not ready: error rate 3.00%, wanted 2% or less" in lines["for canary"]
    assert "BLOCKING ISSUES" in out
    assert "2 more tenants" in out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "total\\u{1b}[2Jgone" in out


def test_json_is_what_the_server_answers(executed):
    found = executed("shadow-report", FLAG, "--json", "--window", "1h").json
    assert (found["executions"], found["tenant_count"]) == (1200, 12)
    assert found["fields"][0]["field"] == HOSTILE


def test_nothing_executed_is_said(executed):
    out = executed("shadow-report", "pos.inventory_tracking").out
    assert "none, ever" in out
    assert "nothing was executed in shadow in this window" in out
    assert executed("shadow-report", FLAG, "--window", "5m").code == 0


def test_mistakes(executed):
    assert executed("shadow-report", FLAG, "--window", "1m").code == 2
    missing = executed("shadow-report", "pos.lit")
    assert missing.code == 3
    assert "pos.lite" in missing.err


def test_on_a_server(fc, live_server):
    live_server.request("POST", "/api/flags", json={"flag_name": FLAG})
    bucket = {"start": int(time.time()) // 30 * 30, "flag_name": FLAG, "tenant_id": "t1", "execution_type": "validate"}
    body = {"batch_id": "b", "instance": "i", "service": "s", "buckets": [{**bucket, "executions": 7}]}
    assert live_server.request("POST", "/api/shadow-executions", json=body).json()["taken"] == 1
    result = fc("shadow-report", FLAG, "--url", live_server.url, "--api-key", live_server.keys[Role.VIEWER])
    assert result.code == 0
    assert "7 (7 validate)" in result.out
