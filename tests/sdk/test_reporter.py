"""Receipts: at once, in batches, one request at a time, until they arrive."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from flagconsole.sdk import reporter

from ..fake_server import Answer, problem, until

PATH = "/api/instances/i-1/receipt"


def revisions(server):
    return [[receipt["revision"] for receipt in report["receipts"]] for report in server.reports]


def test_a_receipt_says_who_what_and_when(server, make_client):
    before = datetime.now(UTC)
    client = make_client()
    assert client.wait_ready(10)
    until(lambda: server.reports)
    asked = next(asked for asked in server.requests if asked.method == "POST")
    assert asked.path == PATH
    report = asked.json()
    receipt = report["receipts"][0]
    assert {**report, "receipts": None} == {
        "service": "billing",
        "sdk_version": "python-0.1.0",
        "epoch": "e5",
        "status": "ready",
        "transport": "stream",
        "receipts": None,
        "leaving": False,
    }
    assert receipt["revision"] == 1
    at = datetime.fromisoformat(receipt["applied_at"])
    assert before - timedelta(seconds=1) < at <= datetime.now(UTC)


def test_what_gathers_while_one_is_under_way_goes_together(server, make_client):
    under_way, most, gate = 0, 0, threading.Event()

    def slow(asked):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if asked.json()["receipts"][0]["revision"] == 2:
            # The server stands still until all changes are applied by the client; its stream was written before.
            for _ in range(8):
                server.change("a.b", "off")
        under_way -= 1
        return Answer(200, "{}")

    client = make_client()
    assert client.wait_ready(10)
    until(lambda: server.reports)
    until(lambda: server.streams)
    server.answers["POST", PATH] = slow
    server.change("a.b", "on")
    until(lambda: sum(map(len, revisions(server))) >= 10)
    gate.set()
    assert sorted(number for batch in revisions(server) for number in batch) == list(range(1, 11))
    assert len(server.reports) < 10
    assert most == 1


def test_receipts_are_sent_again_until_they_arrive(server, make_client):
    answers = [
        Answer(0),
        Answer(0),
        problem(503, "store_unavailable"),
        Answer(500, "oops"),
        problem(401, "unauthenticated"),
    ]
    server.answers["POST", PATH] = lambda asked: answers.pop(0) if answers else Answer(200, "{}")
    client = make_client()
    assert client.wait_ready(10)
    until(lambda: client.status.counters.receipts_sent == 1)
    assert revisions(server) == [[1]] * 6
    assert client.status.counters.receipt_failures >= 4
    until(lambda: client.status.problem is None)


def test_a_kill_does_not_wait_for_the_end_of_a_pause_between_tries(server, make_client, monkeypatch):
    monkeypatch.setattr("flagconsole.client.backoff.Backoff.next", lambda self, least=0.0: 60.0)
    answers = [Answer(500, "oops")]
    server.answers["POST", PATH] = lambda asked: answers.pop(0) if answers else Answer(200, "{}")
    client = make_client()
    assert client.wait_ready(10)
    until(lambda: client.status.counters.receipt_failures == 1)
    until(lambda: server.streams)
    server.change("a.b", "kill")
    until(lambda: client.status.counters.receipts_sent == 2)
    assert revisions(server) == [[1], [1, 2]]


def test_a_receipt_that_is_never_taken_is_given_up(server, make_client):
    server.answers["POST", PATH] = lambda asked: problem(422, "invalid_input", "receipts: no.")
    client = make_client()
    assert client.wait_ready(10)
    until(lambda: client.status.counters.receipt_failures == 1)
    until(lambda: "receipts: no." in (client.status.problem or ""))
    assert client.is_enabled("a.b", "t")


def test_a_sign_of_life_repeats_the_newest_receipt(server, make_client, monkeypatch):
    monkeypatch.setattr(reporter, "LIFE_SECONDS", 0.05)
    client = make_client()
    assert client.wait_ready(10)
    until(lambda: len(server.reports) >= 4)
    assert revisions(server)[:4] == [[1]] * 4
    assert client.status.counters.receipts_sent == 1


def test_the_last_report_says_that_it_leaves(server, make_client):
    client = make_client()
    assert client.wait_ready(10)
    until(lambda: server.streams)
    server.change("a.b", "kill")
    until(lambda: client.status.revision == 2)
    client.close()
    assert server.reports[-1]["leaving"] is True
    assert server.reports[-1]["receipts"][-1]["revision"] == 2
    assert [report["leaving"] for report in server.reports[:-1]] == [False] * (len(server.reports) - 1)


def test_an_instance_without_data_reports_nothing(server, make_client):
    server.answers["GET", "/api/stream"] = server.answers["GET", "/api/snapshot"] = lambda asked: Answer(500)
    client = make_client()
    until(lambda: server.asked_for("/api/snapshot"))
    client.close()
    assert server.reports == []


def test_receipts_are_spread_over_the_time_that_the_server_asks_for_and_leave_its_beginning_to_the_change(
    server, make_client, monkeypatch
):
    drawn: list[tuple[float, float]] = []

    def uniform(least: float, most: float) -> float:
        drawn.append((least, most))
        return 0.01

    monkeypatch.setattr(reporter, "random", SimpleNamespace(uniform=uniform))

    def greet(stream):
        server.welcome(stream)
        server.beat(stream, receipt_ms=300)

    server.greet = greet
    client = make_client()
    until(lambda: client.status.counters.receipts_sent == 1)
    assert drawn == []  # nobody has asked for it yet
    until(lambda: client._engine.core._reporter.spread == 0.3)
    server.change("a.b", "kill")
    until(lambda: revisions(server)[-1:] == [[server.revision]])
    assert drawn == [(0.3 * reporter.QUIET, 0.3)]
