"""Who imports whom, at rest and at run time: a cold start pays only for what it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("textual", "fastapi", "starlette", "uvicorn", "sqlite_utils", "plotext", "numpy", "pydantic")


def loaded_by(code: str, home: Path) -> set[str]:
    """The top-level modules that are loaded after ``code`` has run in a fresh interpreter."""
    script = f"{code}\nimport sys\nsys.stderr.write('\\n'.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "XDG_CONFIG_HOME": str(home / "config"), "XDG_DATA_HOME": str(home / "data")},
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines())


def command(*arguments: str) -> str:
    return f"from flagconsole.cli.main import run\nassert run({list(arguments)!r}, 'flagconsole') == 0"


def test_the_probe_sees_what_is_loaded(tmp_path: Path):
    assert "pydantic" in loaded_by("import flagconsole.domain.flag", tmp_path)


def test_what_services_import_is_light(tmp_path: Path):
    found = loaded_by("import flagconsole.sdk", tmp_path) & {*HEAVY, "httpx"}
    assert found == set()


def test_help_loads_nothing_but_click(tmp_path: Path):
    found = loaded_by(command("--help"), tmp_path) & {*HEAVY, "httpx", "rich", "asyncio", "sqlite3"}
    assert found == set()


@pytest.mark.parametrize("arguments", [("list", "--json"), ("status",), ("history",)])
def test_a_command_on_the_embedded_store_loads_no_network_and_no_terminal(tmp_path: Path, arguments: tuple[str, ...]):
    loaded_by(command("create", "a.b", "for a test"), tmp_path)  # making a new store may load more
    unwanted = {*HEAVY, "httpx", "rich", "keyring", "ruamel", "tomlkit"} - {"pydantic"}
    found = loaded_by(command(*arguments), tmp_path) & unwanted
    assert found == set()


def test_configuring_loads_no_store(tmp_path: Path):
    found = loaded_by(command("config", "show"), tmp_path) & {*HEAVY, "httpx", "sqlite3", "asyncio"}
    assert found == set()


def test_folders_import_downwards_only():
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter comes with the extra dev")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-3000:]
