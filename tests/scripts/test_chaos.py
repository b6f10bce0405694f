"""The short versions of ``scripts/chaos``: what is acknowledged survives, once, and every answer can be explained."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from ..server_process import eventually

SCRIPT = Path(__file__).parents[2] / "scripts" / "chaos"


@pytest.mark.parametrize(
    ("fault", "store", "trials"),
    [
        ("kill-server", "sqlite", 2),
        ("playbook", "sqlite", 1),
        ("answers", "postgresql", 2),
        ("network", "sqlite", 2),
        ("failover", "postgresql", 1),
        ("races", "sqlite", 4),
    ],
)
def test_no_promise_breaks_under(fault: str, store: str, trials: int):
    command = [sys.executable, SCRIPT, fault, "--store", store, "--trials", str(trials)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["acknowledged"] >= trials
    assert [result[name] for name in ("lost", "duplicated", "gaps", "regressions")] == [0, 0, 0, 0]
    assert (result["chain"], result["linearisable"]) == (True, True)


def test_a_kill_gets_through_while_others_abuse_the_server():
    done = subprocess.run(
        [sys.executable, SCRIPT, "abuse", "--trials", "3"], capture_output=True, text=True, timeout=120
    )
    result = json.loads(done.stdout)
    assert (result["acknowledged"], result["chain"]) == (3, True), done.stderr
    # How quick it was is printed, and the long version asks it of the worst: here others may be using the machine.
    assert result["worst_ms"] > 0


def _children(pid: int) -> list[str]:
    """The command lines of a process's children."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):
            found.append(Path(f"/proc/{child}/cmdline").read_text().replace("\0", " "))
    return found


def test_ended_early_it_leaves_neither_servers_nor_folders(tmp_path: Path):
    command = [sys.executable, SCRIPT, "restart", "--trials", "10000"]
    chaos = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE, text=True)
    try:
        served = eventually(lambda: [found for found in _children(chaos.pid) if "--store postgresql" in found], 120)
        home = Path(re.search(r"host=([^&]+)", served[0])[1])  # type: ignore[index]
        assert home.exists()
        chaos.terminate()
        _, said = chaos.communicate(timeout=120)
    finally:
        chaos.kill()
        chaos.wait()
    assert (chaos.returncode, home.exists(), list(tmp_path.iterdir())) == (143, False, []), said
    here = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and str(home) in _command_of(entry)]
    assert here == []


def _command_of(process: Path) -> str:
    with suppress(OSError):
        return (process / "cmdline").read_text(errors="replace")
    return ""


def test_a_fault_that_cannot_happen_to_a_store_is_refused():
    command = [sys.executable, SCRIPT, "failover", "--store", "sqlite"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "failover happens on postgresql only" in done.stderr) == (2, True)
