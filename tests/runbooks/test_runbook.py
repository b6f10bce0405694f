"""The runbooks' commands as they are written there, in a shell, against a real server."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from flagconsole.domain.role import Role

from ..live_server import LiveServer

SCRIPT = Path(__file__).with_name("runbook.sh")
NAMES = ("thorbis-flags", "flagconsole")


@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_the_runbooks_works_as_written(name: str, tmp_path: Path) -> None:
    script = tmp_path / SCRIPT.name
    script.write_text(SCRIPT.read_text(encoding="utf-8").replace(NAMES[0], name), encoding="utf-8")
    home, programs = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    programs.mkdir()
    for either in NAMES:
        (programs / either).symlink_to(Path(sysconfig.get_path("scripts")) / either)
    store = f"sqlite:{tmp_path / 'served.db'}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLAGCONSOLE_", "XDG_"))}
    environment |= {"HOME": str(home), "PATH": f"{programs}{os.pathsep}{environment['PATH']}"}
    subprocess.run(["thorbis-flags", "init", "--store", store], env=environment, check=True, capture_output=True)
    with LiveServer(store) as server:
        environment |= {"FLAGCONSOLE_URL": server.url, "RUNBOOK_KEY": server.keys[Role.ADMIN]}
        done = subprocess.run(
            ["bash", str(script)], cwd=home, env=environment, capture_output=True, text=True, timeout=1200
        )
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    assert "internal error" not in said
    assert "did you mean" in said.casefold()
    for seen in (
        "invoices.write: canary 10 % → canary 50 %",
        "invoices.write killed (was on)",
        "override off → override shadow",
        "kill → off",
        '"change_reason": "Killed by the other name; Twice is fine"',
        "2 changed as one set",
        "verified ",
    ):
        assert seen in said, said
