"""What a command over a server loads, and what not: starting is most of what it costs."""

from __future__ import annotations

import os
import subprocess
import sys

from ..live_server import LiveServer

UNWANTED = {"rich", "pygments", "textual", "fastapi", "sqlite_utils", "numpy", "flagconsole.domain.incident_views"}


def test_listing_over_a_server_loads_neither_httpx_own_command_nor_the_models_of_other_calls(tmp_path):
    code = "import sys\nfrom flagconsole.cli.main import run\nassert run(['list'], 'flagconsole') == 0\nsys.stderr.write(' '.join(sys.modules))"
    with LiveServer(f"sqlite:{tmp_path}/flags.db") as server:
        environment = {
            **os.environ,
            "FLAGCONSOLE_URL": server.url,
            "FLAGCONSOLE_API_KEY": next(iter(server.keys.values())),
            "FLAGCONSOLE_CONFIG": str(tmp_path / "config.toml"),
        }
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert UNWANTED & set(done.stderr.split()) == set()
    assert "flagconsole.client.http" in done.stderr
