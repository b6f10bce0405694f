"""Shadow executions reach the store: once, bounded, and cleaned of what would cost their batch."""

from __future__ import annotations

import json

import pytest

from flagconsole.domain.execution_type import EffectKind, ExecutionType, Finding
from flagconsole.domain.role import Role
from flagconsole.domain.shadow import ShadowBatch
from flagconsole.sdk import FlagClient, batch_sender
from flagconsole.sdk.shadow import Budget, Comparison, IntentBus, Shadow
from flagconsole.sdk.shadow.guards.function import FunctionGuard
from flagconsole.sdk.shadow_log import MAX_CELLS, MAX_FINDINGS, MAX_TABLES, Executed, Found, ShadowLog
from flagconsole.sdk.shadow_sender import ShadowSender

from ..fake_server import Answer, until

NOW = 1_763_870_400.0
DRY = ExecutionType.DRY_RUN
TAKEN = Answer(200, b'{"batch_id": "b"}')


def bodies(log, **options):
    """The batches as the server understands them."""
    sender = ShadowSender(None, log, lambda: NOW, lambda _: None)
    parts = [part for table in log.take(NOW + 30, **options) for part, _ in sender.parts(table)]
    head = {"batch_id": "b", "instance": "i", "service": "s"}
    return [ShadowBatch.model_validate(json.loads(json.dumps({**head, **part}))) for part in parts]


def test_all_that_is_added_arrives():
    log = ShadowLog(30)
    found = (Found(Finding.MISMATCH, "total", "value", "1", "2"), Found(Finding.ERROR, "KeyError", "handler"))
    effects = {EffectKind.DATABASE: 3}
    log.add(Executed("a.b", "t1", DRY, 0.5, True, False, False, 0.4, True, 2, 1, effects, found[:1]), NOW)
    log.add(Executed("a.b", "t1", DRY, 0.5, False, True, False, 0.2, False, 0, 0, effects, found), NOW + 1)
    log.add(Executed("a.b", "t1", DRY, skipped=True), NOW + 2)
    [cells, findings] = bodies(log)
    [cell] = cells.buckets
    assert tuple(cell.tally) == (2, 1, 1, 1, 1.0, 2, 1, pytest.approx(0.6), 2, 1, 6, 0, 0, 0)
    assert [(item.name, item.times, item.old) for item in findings.findings] == [
        ("total", 2, "1"),
        ("KeyError", 1, None),
    ]


def test_hostile_text_costs_no_batch():
    log = ShadowLog(30)
    hostile = "\x1b[2J\x00\ud800" + "x" * 500
    log.add(Executed("a.b", "t1", DRY, found=[Found(Finding.MISMATCH, hostile, hostile, hostile, "")]), NOW)
    log.add(Executed("a.b", "t\n1", DRY), NOW)
    log.add(Executed("a.b", 5, DRY), NOW)
    cells, findings = bodies(log)
    [finding] = findings.findings
    assert (len(finding.name), len(finding.detail), len(finding.old), finding.new) == (128, 128, 200, "?")
    assert (len(cells.buckets), log.ignored) == (1, 2)


def test_memory_is_bounded_and_the_oldest_goes_first():
    log = ShadowLog(30)
    tenants = MAX_CELLS * (MAX_TABLES + 3)
    for number in range(tenants):
        log.add(Executed("a.b", f"t{number}", DRY), NOW)
    tables = log.take(NOW, everything=True)
    kept = [key[1] for table in tables for key in table.cells]
    assert (len(kept) + log.dropped, len(tables)) == (tenants, MAX_TABLES)
    assert ("t0" in kept, f"t{tenants - 1}" in kept) == (False, True)


def test_names_are_bounded_and_the_rest_is_counted_together():
    log = ShadowLog(30)
    for number in range(MAX_FINDINGS * 3):
        found = [Found(Finding.MISMATCH, f"field{number}", "value", "1", "2"), Found(Finding.PASSED, f"v{number}")]
        log.add(Executed("a.b", "t1", DRY, found=found), NOW)
    [table] = log.take(NOW, everything=True)
    others = {key: entry for key, entry in table.findings.items() if key[2] == "other"}
    assert len(table.findings) == MAX_FINDINGS + 2
    assert sum(entry[0] for entry in table.findings.values()) == MAX_FINDINGS * 6
    assert all(entry[1:] == [None, None] for entry in others.values())


def test_a_batch_that_was_not_answered_is_sent_again_as_the_same(server, make_client, monkeypatch):
    monkeypatch.setattr(batch_sender, "LOOK_SECONDS", 0.01)
    answers = {"now": Answer(503, b"{}")}
    server.answers["POST", "/api/shadow-executions"] = lambda _: answers["now"]
    server.put("a.b", "shadow")
    client = make_client(bucket_seconds=1)
    assert client.wait_ready(10)
    assert Shadow("a.b", client=client).execute("x", lambda: 1, tenant="t1").executed
    until(lambda: len(server.asked_for("/api/shadow-executions")) >= 3)
    assert "shadow executions" in client.status.problem
    answers["now"] = TAKEN
    until(lambda: client.status.counters.shadow_sent == 1)
    assert len({asked.json()["batch_id"] for asked in server.asked_for("/api/shadow-executions")}) == 1


def test_from_a_services_code_to_the_report(live_server, tmp_path, monkeypatch):
    monkeypatch.setattr(batch_sender, "LOOK_SECONDS", 0.01)
    live_server.request("POST", "/api/flags", json={"flag_name": "invoices.write"})
    live_server.request("PUT", "/api/flags/invoices.write", json={"current_state": "shadow", "change_reason": "try"})
    charge, bus = FunctionGuard()(print), IntentBus()
    with FlagClient(live_server.url, live_server.keys[Role.SDK], cache_dir=False, bucket_seconds=1) as flags:
        assert flags.wait_ready(10)
        shadow = Shadow(
            "invoices.write",
            client=flags,
            budget=Budget(seconds_per_minute=1000),
            comparison=Comparison(redact=lambda field, value: f"{value:.1f}"),
        )

        def new(number):
            charge("never")
            bus.show_toast("Saved")
            if number == 9:
                raise KeyError(number)
            return {"total": number + (number == 3)}

        for number in range(10):
            result = shadow.execute(
                "invoice",
                lambda number=number: new(number),
                validators={"billing.calculate": lambda: True},
                tenant=f"t{number % 2}",
                compare=lambda number=number: {"total": number},
            )
            assert result.live == {"total": number}
    found = live_server.request("GET", "/api/flags/invoices.write/shadow-report").json()
    assert (found["executions"], found["errors"], found["success_rate"]) == (10, 1, 0.9)
    assert (found["compared"], found["consistency"]) == (10, 0.8)
    assert found["effects"]["function"] == found["intents"] == 10
    assert found["failures"] == [{"error": "KeyError", "source": "handler", "times": 1}]
    assert found["validations"] == [{"name": "billing.calculate", "passed": 10, "failed": 0}]
    assert {(row["field"], row["kind"], row["old_sample"], row["new_sample"]) for row in found["fields"]} == {
        ("total", "value", "3.0", "4.0"),
        ("result", "error", None, "KeyError"),
    }
    assert [(row["tenant_id"], row["mismatches"]) for row in found["tenants"]] == [("t1", 2), ("t0", 0)]
    assert 0 <= found["age_seconds"] < 60
