"""Completion in a real shell: commands, states, and the flags of the store or the server that the line names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import time
from pathlib import Path
from typing import Any

import pytest

from flagconsole.domain.role import Role

from ..live_server import LiveServer

PROGRAMS = Path(sysconfig.get_path("scripts"))


def completed(*words: str, program: str = "flagconsole") -> list[str]:
    """What bash offers for the last word of the line."""
    function = f"_{program.replace('-', '_')}_completion"
    line = " ".join(f"'{word}'" for word in (program, *words))
    script = f"""eval "$(flagconsole completion bash)"
COMP_WORDS=({line}); COMP_CWORD={len(words)}; {function} {program}; printf '%s\\n' "${{COMPREPLY[@]}}" """
    environment = {**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


def offered(*words: str, program: str = "flagconsole") -> list[str]:
    """What bash offers in the end: on a busy machine the names may come later than a line may wait for them."""
    deadline = time.monotonic() + 30
    while not (found := completed(*words, program=program)):
        assert time.monotonic() < deadline, words
    return found


def test_commands_states_flags_and_domains_are_offered(flags: Any):
    assert offered("roll") == ["rollback"]
    assert offered("kill", "invoices.w") == ["invoices.write"]
    assert offered("kill", "loyalty") == ["pos.loyalty_points"]
    assert offered("set", "pos.lite", "c", program="thorbis-flags") == ["canary"]
    assert offered("list", "--domain", "inv") == ["invoices"]


def test_flags_are_those_of_the_server_that_the_line_names(home: Path, loaded_store: Path, monkeypatch: Any):
    shutil.copy(loaded_store, home / "served.db")
    with LiveServer(f"sqlite:{home / 'served.db'}") as server:
        monkeypatch.setenv("FLAGCONSOLE_API_KEY", server.keys[Role.VIEWER])
        assert offered("--url", server.url, "get", "pos.li") == ["pos.lite"]
        server.stop()
        assert completed("--url", server.url, "get", "pos.li") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_for_both_programs(fc: Any, shell: str):
    shown = fc("completion", shell)
    assert shown.code == 0
    for program in ("_FLAGCONSOLE_COMPLETE", "_THORBIS_FLAGS_COMPLETE"):
        assert f"{program}={shell}_complete" in shown.out


def test_an_unknown_shell_is_refused(fc: Any):
    shown = fc("completion", "tcsh")
    assert (shown.code, "fish" in shown.err) == (2, True)
