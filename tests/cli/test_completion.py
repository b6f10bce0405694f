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


#: What each shell does when Tab is pressed behind ``line``, without a terminal.
PRESSED = {
    "bash": """eval "$(flagconsole completion bash)"
COMP_WORDS=({words}); COMP_CWORD={last}; {function} {program}; printf '%s\\n' "${{COMPREPLY[@]}}" """,
    "zsh": """compdef() {{ }}; compadd() {{ print -l -- $completions }}; _describe() {{ print -l -- $completions_with_descriptions }}
eval "$(flagconsole completion zsh)"
words=({words}); CURRENT=$(({last} + 1)); {function}""",
    "fish": """flagconsole completion fish | source; complete --do-complete={line}""",
}
ARGUMENTS = {"bash": ["-c"], "zsh": ["-f", "-c"], "fish": ["--no-config", "-c"]}


def completed(*words: str, program: str = "flagconsole", shell: str = "bash") -> list[str]:
    """What a shell offers for the last word of the line."""
    line = (program, *words)
    script = PRESSED[shell].format(
        function=f"_{program.replace('-', '_')}_completion",
        words=" ".join(f"'{word}'" for word in line),
        last=len(words),
        program=program,
        line=f"'{' '.join(line)}'",
    )
    environment = {**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [shell, *ARGUMENTS[shell], script], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.stderr == ""
    # zsh writes name:what it is, fish the name, a tab, and what it is.
    return [found.partition("\t")[0].partition(":")[0] for found in done.stdout.splitlines()]


def offered(*words: str, program: str = "flagconsole", shell: str = "bash") -> list[str]:
    """What is offered in the end: on a busy machine the names may come later than a line may wait for them."""
    deadline = time.monotonic() + 120
    while not (found := [name for name in completed(*words, program=program, shell=shell) if name]):
        assert time.monotonic() < deadline, words
    return found


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_offer_the_same(flags: Any, shell: str):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")
    assert offered("kill", "invoices.w", shell=shell) == ["invoices.write"]
    assert offered("set", "pos.lite", "c", program="thorbis-flags", shell=shell) == ["canary"]


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
        assert completed("--url", server.url, "get", "pos.li") in ([], [""])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_for_both_programs(fc: Any, shell: str):
    shown = fc("completion", shell)
    assert shown.code == 0
    for program in ("_FLAGCONSOLE_COMPLETE", "_THORBIS_FLAGS_COMPLETE"):
        assert f"{program}={shell}_complete" in shown.out


def test_an_unknown_shell_is_refused(fc: Any):
    shown = fc("completion", "tcsh")
    assert (shown.code, "fish" in shown.err) == (2, True)
