"""The demo: a real fleet, one kill, and the proof of it; and nothing left behind."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from flagconsole.demo.folder import remove_stale
from flagconsole.demo.run import exit_code_of

KEYS = {
    "flags",
    "tenants",
    "instances",
    "operations",
    "killed_flag",
    "kill_revision",
    "receipts_ms",
    "operations_after_last_receipt",
    "audit_verified",
}
OF_SCENARIOS = {
    "scenario",
    "fault_at_s",
    "verdict",
    "verdict_failed_at_s",
    "rolled_back",
    "playbook",
    "restoration_s",
    "operations_affected",
    "incident_id",
    "phase",
    "rollout",
    "because",
}


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    environment = {**os.environ, "TMPDIR": str(folder), "HOME": str(folder), "XDG_DATA_HOME": ""}
    return subprocess.Popen(
        [sys.executable, "-m", "flagconsole", "demo", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left_over(folder: Path) -> list[str]:
    """Demo folders, and processes that work in them."""
    folders = [path.name for path in folder.glob("flagconsole-demo-*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            works_in = os.readlink(process / "cwd")
        except OSError:
            continue
        if works_in.startswith(str(folder)) and b"flagconsole" in command:
            folders.append(command.decode(errors="replace"))
    return folders


def test_a_kill_reaches_all_twelve_and_nothing_runs_after(tmp_path):
    process = start(tmp_path, "--headless", "--seconds", "3", "--seed", "7", "--json")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    summary = json.loads(out)
    assert set(summary) == KEYS | OF_SCENARIOS
    assert all(summary[name] is None for name in OF_SCENARIOS)
    assert (summary["flags"], summary["tenants"], summary["instances"]) == (27, 500, 12)
    assert len(summary["receipts_ms"]) == 12
    assert all(0 < milliseconds < 5000 for milliseconds in summary["receipts_ms"].values())
    assert summary["operations"] > 100
    assert summary["operations_after_last_receipt"] == 0
    assert summary["audit_verified"] is True
    assert left_over(tmp_path) == []


def test_a_canary_with_critical_errors_is_judged_killed_and_seen_to_be_off(tmp_path):
    """The whole chain: services that fail, their SDKs' reports, the controller's judge, the playbook, the receipts."""
    process = start(tmp_path, "--headless", "--scenario", "criticals", "--seed", "5", "--json")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    summary = json.loads(out)
    assert set(summary) == KEYS | OF_SCENARIOS
    assert (summary["verdict"], summary["playbook"], summary["rollout"]) == ("fail", "kill_switch", "killed")
    assert 0 < summary["fault_at_s"] < summary["verdict_failed_at_s"]
    assert "critical_errors" in summary["because"]
    assert summary["restoration_s"] > 0
    assert summary["operations_affected"] > 0
    assert summary["operations_after_last_receipt"] == 0
    assert len(summary["receipts_ms"]) == 12
    assert summary["incident_id"]
    assert left_over(tmp_path) == []


def test_other_terminals_reach_it_and_what_it_leaves_when_killed_goes_with_the_next_one(tmp_path):
    killed = start(tmp_path, "--headless", "--seconds", "60")
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": ""}
    command = [sys.executable, "-m", "flagconsole", "list", "--store", "demo", "--json"]
    try:
        while not (tmp_path / ".local/share/flagconsole/running-demo").exists():
            assert killed.poll() is None
            os.sched_yield()
        seen = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert len(json.loads(seen.stdout)["flags"]) == 27
    finally:
        killed.kill()
        killed.communicate(timeout=20)
    (folder,) = tmp_path.glob("flagconsole-demo-*")
    with (folder / "alive").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # waits for its server and services, which end with it
    remove_stale(tmp_path)
    assert left_over(tmp_path) == []
    gone = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert gone.returncode == 2
    assert "no demo is running" in gone.stderr


def test_an_interrupted_demo_cleans_up(tmp_path):
    interrupted = {}
    for sent in (signal.SIGINT, signal.SIGTERM):
        folder = tmp_path / sent.name
        folder.mkdir()
        interrupted[sent] = folder, start(folder, "--headless", "--seconds", "60")
    for sent, (folder, process) in interrupted.items():
        while not list(folder.glob("flagconsole-demo-*/*/*")):
            assert process.poll() is None
            os.sched_yield()
        process.send_signal(sent)
    for folder, process in interrupted.values():
        process.communicate(timeout=30)
        assert process.returncode != 0
        assert left_over(folder) == []


def test_what_is_not_proven_is_not_a_success():
    proven = {
        "scenario": None,
        "instances": 12,
        "receipts_ms": {str(n): 1.0 for n in range(12)},
        "operations_after_last_receipt": 0,
        "audit_verified": True,
    }
    assert exit_code_of(proven) == 0
    assert exit_code_of({**proven, "receipts_ms": {"only": 1.0}}) == 8
    assert exit_code_of({**proven, "operations_after_last_receipt": 1}) == 8
    assert exit_code_of({**proven, "audit_verified": False}) == 8
