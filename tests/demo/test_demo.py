"""The demo: a real fleet, one kill, and the proof of it; and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_other_terminals_reach_it_by_the_name_demo(tmp_path):
    process = start(tmp_path, "--headless", "--seconds", "60")
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": ""}
    try:
        while not (tmp_path / ".local/share/flagconsole/running-demo").exists():
            assert process.poll() is None
            os.sched_yield()
        command = [sys.executable, "-m", "flagconsole", "list", "--store", "demo", "--json"]
        seen = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert len(json.loads(seen.stdout)["flags"]) == 27
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    gone = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert gone.returncode == 2
    assert "no demo is running" in gone.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_cleans_up(tmp_path, sent):
    process = start(tmp_path, "--headless", "--seconds", "60")
    while not list(tmp_path.glob("flagconsole-demo-*/*/*")):
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(sent)
    process.communicate(timeout=20)
    assert process.returncode != 0
    assert left_over(tmp_path) == []


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
