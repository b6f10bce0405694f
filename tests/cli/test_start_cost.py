"""What a command over a server loads, and what not: starting is most of what it costs."""

from __future__ import annotations

import os
import subprocess
import sys

from ..live_server import LiveServer

UNWANTED = {"rich", "pygments", "textual", "fastapi", "sqlite_utils", "numpy", "flagconsole.domain.incident_views"}


def test_a_command_over_a_server_loads_what_its_call_needs_and_listing_needs_hardly_anything(tmp_path):
    code = (
        "import sys\nfrom flagconsole.cli import quick_listing\nfrom flagconsole.cli.main import run\n"
        # However busy the machine is: after a while the listing would be asked for with all that the others load.
        "quick_listing.SECONDS = 60\nassert run(sys.argv[1:], 'flagconsole') == 0\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    loaded = {}
    with LiveServer(f"sqlite:{tmp_path}/flags.db") as server:
        environment = {
            **os.environ,
            "FLAGCONSOLE_URL": server.url,
            "FLAGCONSOLE_API_KEY": next(iter(server.keys.values())),
            "FLAGCONSOLE_CONFIG": str(tmp_path / "config.toml"),
        }
        for command in (("list",), ("list", "--json")):
            done = subprocess.run(
                [sys.executable, "-c", code, *command], capture_output=True, text=True, timeout=60, env=environment
            )
            assert done.returncode == 0, done.stderr
            loaded[command] = set(done.stderr.split())
    assert UNWANTED & loaded["list", "--json"] == set()
    assert "flagconsole.client.http" in loaded["list", "--json"]
    assert loaded[("list",)] & {*UNWANTED, "pydantic", "httpx", "asyncio"} == set()


def test_help_loads_nothing_that_only_the_work_needs():
    code = (
        "import sys\nfrom flagconsole.cli.main import run\nassert run(['kill', '--help'], 'flagconsole') == 0\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert set(done.stderr.split()) & {*UNWANTED, "pydantic", "httpx", "asyncio"} == set()
