"""Rollouts from the command line, on the embedded store."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest

PLAN = """\
name: quick
phases:
  - {name: shadow, kind: shadow, success: [error_rate <= 1 %]}
  - {name: canary 10, kind: canary, percentage: 10, rollback: [error_rate > 2 %]}
  - {name: full, kind: full, percentage: 100}
"""


@pytest.fixture
def run(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "FLAGCONSOLE_STORE": f"sqlite:{tmp_path / 'f.db'}"}

    def call(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "flagconsole", *arguments], env=environment, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    call("create", "pos.lite", "--reason", "for a test")
    return call


def test_a_rollout_is_started_held_resumed_and_aborted(run, tmp_path):
    (tmp_path / "quick.yaml").write_text(PLAN)
    said = run("start", "pos.lite", "first try", "--plan", str(tmp_path / "quick.yaml"))
    assert "running in shadow of quick" in said
    assert "not judged yet" in run("canary-status")
    assert "held: wait for data" in run("hold", "pos.lite", "wait for data")
    assert "wait for data" in run("canary-status")
    run("resume", "pos.lite", "go on")
    refused = run("promote", "pos.lite", "now", code=4)
    assert "no verdict yet" in refused
    refused = run("promote", "pos.lite", "now", "--past-verdict", code=4)
    assert "shadow mode ready" in refused
    refused = run("promote", "pos.lite", "it's time", "--past-verdict", code=4)
    command = """flagconsole promote pos.lite 'it'"'"'s time' --past-verdict --checked"""
    assert command in refused, "the command that helps is whole, and works"
    assert "canary 10" in run(*shlex.split(command)[1:])
    found = json.loads(run("get", "pos.lite", "--json"))
    assert found["flag"]["current_state"] == "canary"
    assert "past the verdict" in run("history", "pos.lite")
    run("abort", "pos.lite", "enough")
    assert "no rollout is under way" in run("canary-status")


def test_a_kill_ends_it(run):
    run("start", "pos.lite", "go", "--plan", "demo")
    run("kill", "pos.lite", "bad")
    assert json.loads(run("canary-status", "--json")) == {"rollouts": []}
    run("promote", "pos.lite", "again", code=3)


def test_a_wrong_plan_is_named_by_line(run, tmp_path):
    (tmp_path / "bad.yaml").write_text(PLAN.replace("percentage: 10", "percentage: 110"))
    said = run("start", "pos.lite", "go", "--plan", str(tmp_path / "bad.yaml"), code=2)
    assert "bad.yaml line 4" in said
    assert "percentage" in said
    assert "there is no such file" in run("start", "pos.lite", "go", "--plan", "nowhere.yaml", code=2)


def test_a_dry_run_starts_nothing(run):
    assert "would be running" in run("start", "pos.lite", "go", "--plan", "demo", "--dry-run")
    assert "no rollout is under way" in run("canary-status")


def test_a_flag_is_rolled_back_by_a_playbook(run):
    run("set", "pos.lite", "canary", "go", "--percentage", "10")
    assert "would begin" in run("rollback", "pos.lite", "slow", "--playbook", "gradual", "--dry-run")
    said = run("rollback", "pos.lite", "slow", "--playbook", "gradual")
    assert "playbook gradual begun, 20 min by estimate" in said
    assert "flagconsole incidents show inc-1" in said
    assert json.loads(run("get", "pos.lite", "--json"))["flag"]["canary_percentage"] == 5
    run("rollback", "pos.lite", "slow", "--playbook", "gradual", "--allow-raise", code=2)
