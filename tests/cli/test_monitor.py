"""``monitor``: what is said of a rollout while it runs, what it ends with, and who rolls back."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys

import pytest

from flagconsole.cli.commands import monitor as command
from flagconsole.cli.monitor_report import Report
from flagconsole.domain.metric import MetricKind
from flagconsole.domain.plan import Comparison, Evidence
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.rollout import StoredVerdict
from flagconsole.domain.rollout_views import NumberedVerdict
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import CriterionResult, Purpose, VerdictKind
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.store import open_store

PLAN = """\
name: quick
auto_rollback: false
phases:
  - {name: shadow, kind: shadow, look_seconds: 5, success: [error_rate <= 1 %]}
  - {name: canary 10, kind: canary, percentage: 10, look_seconds: 5, rollback: [error_rate > 2 %]}
  - {name: full, kind: full, percentage: 100}
"""


@pytest.fixture
def started(flags, home, store_path):
    (home / "quick.yaml").write_text(PLAN)
    assert flags("start", "pos.lite", "go", "--plan", str(home / "quick.yaml")).code == 0
    return flags


def judged(store_path, kind, *, urgency=None, because="", **fields):
    """A look of the judge, stored as a controller elsewhere would store it."""
    criterion = CriterionResult(
        purpose=Purpose.ROLLBACK,
        metric="error_rate",
        kind=MetricKind.RATIO,
        comparison=Comparison.ABOVE,
        limit=0.02,
        evidence=Evidence.STATISTICAL,
        urgency=Urgency.HIGH,
        outcome=VerdictKind.INCONCLUSIVE,
        value=0.0042,
    )

    async def write():
        store = await open_store(f"sqlite:{store_path}")
        async with store.write() as tx:
            rollout = await tx.active_rollout("pos.lite")
            look = StoredVerdict(
                rollout_id=rollout.rollout_id,
                flag_name="pos.lite",
                phase=rollout.phase,
                at=await tx.now(),
                kind=kind,
                urgency=urgency,
                because=because,
                findings=(criterion.model_dump(mode="json"),),
                **fields,
            )
            await tx.add_verdict(look)
            await tx.save_rollout(rollout.looked(look))
        await store.close()

    asyncio.run(write())


def detail_of(store_path):
    """The rollout of pos.lite as the store has it."""

    async def read():
        store = await open_store(f"sqlite:{store_path}")
        detail = await RolloutOperations(store).detail(Actor(name="ops", role=Role.VIEWER), "pos.lite")
        await store.close()
        return detail

    return asyncio.run(read())


def test_without_a_rollout_there_is_nothing_to_monitor(flags):
    missing = flags("monitor", "pos.lite")
    assert (missing.code, "no rollout under way" in missing.err) == (3, True)
    assert flags("monitor", "pos.light").code == 3
    assert flags("monitor", "pos.lite", "--duration", "soon").code == 2
    assert flags("monitor", "pos.lite", "--playbook", "gradual").code == 2


def test_nothing_measured_spends_no_budget(started, store_path):
    judged(store_path, VerdictKind.NO_DATA, because="no operations", operations=0, tenants=0, budget_spent=0.16)
    said = started("monitor", "pos.lite", "--duration", "1s")
    assert "0 operations of 0 tenants" in said.out
    assert "false alarm" not in said.out


@pytest.mark.parametrize(
    ("kind", "code"),
    [(VerdictKind.PASS, 0), (VerdictKind.FAIL, 9), (VerdictKind.INCONCLUSIVE, 10), (VerdictKind.NO_DATA, 11)],
)
def test_it_ends_with_the_verdict(started, store_path, kind, code):
    judged(
        store_path,
        kind,
        because="bad \x1b[31mtext",
        operations=1234,
        tenants=1,
        budget=0.01,
        budget_spent=0.12,
        data_age_seconds=3,
    )
    said = started("monitor", "pos.lite", "--duration", "1s")
    assert said.code == code
    assert "shadow of quick, running" in said.out
    assert "error_rate 0.42 % (limit > 2.00 %)" in said.out
    assert "data 3 s old  1234 operations of 1 tenant  chance of a false alarm so far 0.12 of at most 1 %" in said.out
    assert "\x1b" not in said.out
    assert "end: " in said.out.splitlines()[-1]
    assert "rolled back" not in said.out


def test_a_rollout_that_nobody_has_judged_is_no_data(started):
    said = started("monitor", "pos.lite", "--duration", "1s")
    assert (said.code, "it was not judged yet" in said.out) == (11, True)


def test_a_pass_of_long_ago_is_none(started, store_path, monkeypatch):
    monkeypatch.setattr(command, "_LATE_SECONDS", -10.0)
    judged(store_path, VerdictKind.PASS)
    said = started("monitor", "pos.lite", "--duration", "1s")
    assert (said.code, said.out.count("is a server running on this store?")) == (11, 1)


@pytest.mark.parametrize(("urgency", "playbook"), [(Urgency.HIGH, "immediate"), (Urgency.MEDIUM, "gradual")])
def test_it_rolls_back_by_what_the_failing_metric_asks_for(started, store_path, urgency, playbook):
    judged(store_path, VerdictKind.FAIL, urgency=urgency, because="error_rate: 4 %")
    would = started("monitor", "pos.lite", "--duration", "1s", "--auto-rollback-on-failure", "--dry-run")
    assert (would.code, f"playbook {playbook} would begin" in would.out) == (9, True)
    assert started("get", "pos.lite", "--json").json["flag"]["current_state"] == "shadow"
    did = started("monitor", "pos.lite", "--duration", "1s", "--auto-rollback-on-failure", "--json")
    events = [json.loads(line) for line in did.out.splitlines()]
    assert did.code == 9
    [begun] = [event for event in events if event["event"] == "rollback"]
    assert (begun["incident_id"], begun["by"]) == ("inc-1", "flagconsole monitor")
    [moved] = [event for event in events[1:] if event["event"] == "rollout"]
    assert moved["rollout"]["status"] == "rolling_back"
    assert all(event["printed_at"].endswith("Z") for event in events)
    assert events[-1] | {"printed_at": 0, "because": 0} == {
        "event": "end",
        "printed_at": 0,
        "because": 0,
        "outcome": "fail",
        "exit_code": 9,
    }
    incident = started("incidents", "show", "inc-1", "--json").json["incident"]
    assert (incident["playbook"], incident["trigger"]) == (playbook, "monitored: error_rate: 4 %")


def test_a_playbook_may_be_chosen_and_a_failure_alone_rolls_nothing_back(started, store_path):
    judged(store_path, VerdictKind.FAIL, urgency=Urgency.MEDIUM)
    assert started("monitor", "pos.lite", "--duration", "1s").code == 9
    assert started("get", "pos.lite", "--json").json["flag"]["current_state"] == "shadow"
    arguments = ("--auto-rollback-on-failure", "--playbook", "kill_switch")
    assert started("monitor", "pos.lite", "--duration", "1s", *arguments).code == 9
    assert started("get", "pos.lite", "--json").json["flag"]["current_state"] == "kill"


def test_it_follows_a_server_as_things_happen(live_server, home, monkeypatch):
    monkeypatch.setattr("flagconsole.rollout.controller.WAKE_SECONDS", 0.2)
    live_server.request("POST", "/api/flags", json={"flag_name": "a.b"})
    start = {"start_reason": "go", "plan_name": "demo"}
    assert live_server.request("POST", "/api/flags/a.b/rollout", json=start).status_code == 201
    environment = {
        **os.environ,
        "FLAGCONSOLE_URL": live_server.url,
        "FLAGCONSOLE_API_KEY": live_server.keys[Role.VIEWER],
        "PYTHONUNBUFFERED": "1",
    }
    arguments = [sys.executable, "-m", "flagconsole", "monitor", "a.b", "--duration", "60s", "--json"]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as running:
        events = (json.loads(line) for line in running.stdout)
        assert next(events)["rollout"]["status"] == "running"
        look = next(event for event in events if event["event"] == "verdict")
        assert (look["verdict"]["kind"], look["nearest"]) == ("no_data", None)
        live_server.request("POST", "/api/flags/a.b/rollout/hold", json={"hold_reason": "lunch"})
        held = next(event for event in events if event["event"] == "rollout")
        assert (held["rollout"]["pause_reason"], held["step"]["note"]) == ("lunch", "lunch")
        live_server.request("POST", "/api/flags/a.b/kill", json={"kill_reason": "errors"})
        *_, last = events
        assert (last["event"], last["because"], last["exit_code"]) == ("end", "errors", 9)
        assert running.wait(20) == 9


def test_what_cannot_be_read_at_the_end_is_no_verdict(live_server, fc, home, monkeypatch):
    live_server.request("POST", "/api/flags", json={"flag_name": "a.b"})
    start = {"start_reason": "go", "plan_name": "demo"}
    live_server.request("POST", "/api/flags/a.b/rollout", json=start)
    key = live_server.keys[Role.VIEWER]
    reads = 0
    from flagconsole.client import Client
    from flagconsole.domain.errors import Unreachable

    read = Client.rollout

    async def failing(self, name):
        nonlocal reads
        reads += 1
        if reads > 1:
            raise Unreachable(url=self.url, problem="gone")
        return await read(self, name)

    monkeypatch.setattr(Client, "rollout", failing)
    said = fc("monitor", "a.b", "--duration", "1s", "--url", live_server.url, "--api-key", key)
    assert said.code == 6
    assert "nothing can be read" in said.out.splitlines()[-1]


def test_the_status_names_the_criterion_nearest_to_failing_and_when_it_was_looked_at(started, store_path, monkeypatch):
    judged(store_path, VerdictKind.INCONCLUSIVE, because="too few")
    said = started("canary-status").out
    assert "error_rate 0.42 % (limit > 2.00 %)" in said
    assert "s ago" in said
    assert "too few" in said
    monkeypatch.setattr("flagconsole.cli.commands.rollout._WATCH_SECONDS", 0.01)
    printed = []

    def twice(line):
        printed.append(line)
        if len(printed) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("flagconsole.cli.commands.rollout.say", twice)
    assert started("canary-status", "--watch").code == 130


def test_while_it_is_rolled_back_it_is_still_judged_or_said_not_to_be(started, store_path, monkeypatch):
    judged(store_path, VerdictKind.FAIL, urgency=Urgency.MEDIUM, because="p95_regression: slow", budget_spent=None)
    assert started("rollback", "pos.lite", "slow", "--playbook", "gradual").code == 0
    [row] = [line for line in started("canary-status").out.splitlines() if "pos.lite" in line]
    assert "✗ fail, rolling back" in row
    assert "rolling back (gradual): slow" in row
    followed = started("monitor", "pos.lite", "--duration", "1s")
    assert "false alarm" not in followed.out
    assert "is a server running on this store?" not in followed.out
    monkeypatch.setattr(command, "_LATE_SECONDS", -200.0)
    assert "is a server running on this store?" in started("monitor", "pos.lite", "--duration", "1s").out


def test_on_a_terminal_a_look_is_one_line_and_why_it_is_rolled_back_is_said_once(
    started, store_path, capsys, monkeypatch
):
    monkeypatch.setattr("flagconsole.cli.monitor_report.terminal_width", lambda: 80)
    judged(store_path, VerdictKind.PASS, operations=924, tenants=200, budget_spent=0.12, data_age_seconds=3)
    before = detail_of(store_path).rollout
    report = Report(as_json=False)
    report.looked(NumberedVerdict(verdict_id=1, verdict=before.verdict))
    [look] = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\dZ  shadow  ✓ pass  error_rate 0.42 % \(limit > 2.00 %\)  data 3 s old", look)
    failing = before.verdict.model_copy(update={"kind": VerdictKind.FAIL, "because": "errors: too many"})
    watched = failing.model_copy(update={"watched_since": failing.at})
    for verdict in (failing, watched, failing, watched):
        report.looked(NumberedVerdict(verdict_id=2, verdict=verdict))
    looks = capsys.readouterr().out
    assert looks.count("✗ fail") == 4
    assert (looks.count("too many"), looks.count("Z  who kept it  ✗ fail")) == (2, 2), "each says why once"
    assert started("rollback", "pos.lite", "errors above 2 %", "--playbook", "gradual").code == 0
    report.moved(before, detail_of(store_path))
    said = capsys.readouterr().out
    assert said.count("errors above 2 %") == 1
    assert "shadow of quick, rolling back (gradual): errors above 2 %" in said


def test_why_a_rollout_ended_is_said_once(started, store_path, capsys):
    before = detail_of(store_path).rollout
    assert started("kill", "pos.lite", "errors above 2 %", "--wait", "0").code == 0
    after = detail_of(store_path)
    report = Report(as_json=False)
    report.moved(before, after)
    report.ended(after.rollout.end_reason, VerdictKind.FAIL, 9)
    said = capsys.readouterr().out
    assert said.count("errors above 2 %") == 1
    assert said.splitlines()[-1].endswith("end: ✗ fail; errors above 2 %")
