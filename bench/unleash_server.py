"""Unleash's own server on a real PostgreSQL, each in a process of its own: what ours is compared with."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.postgres_server import running_postgres

from bench.peer import PEERS

PEER = PEERS["unleash-server"]
PATIENCE = 60.0
#: How many make its flags at once: each is three requests, most of which wait for PostgreSQL.
_MAKERS = 8
ADMIN, CLIENT, FRONTEND = "*:*.bench-admin", "default:development.bench-client", "default:development.bench-frontend"
_FEATURES = "/api/admin/projects/default/features"


class NotThere(Exception):
    """Unleash's server can't be run here; the message says why."""


class Unleash(NamedTuple):
    """A running one: where it listens, its process, and the seconds from its start until it was healthy, without making tables."""

    url: str
    process: int
    started: float

    def ask(self, method: str, path: str, body: Any = None, *, token: str = ADMIN) -> Any:
        """One request. Raises ``NotThere`` with what it said where it refuses."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": token, "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise NotThere(f"Unleash answers {method} {path} with {error.code}: {error.read()[:300]!r}") from error
        return json.loads(text) if text else None

    def make(self, name: str, percentage: int = 100) -> None:
        """A flag that is on for so many percent of the tenants."""
        self.ask("POST", _FEATURES, {"name": name, "type": "release"})
        strategy = {
            "name": "flexibleRollout",
            "parameters": {"rollout": str(percentage), "stickiness": "tenantId", "groupId": name},
        }
        self.ask("POST", f"{_FEATURES}/{name}/environments/development/strategies", strategy)
        self.turn(name, on=True)

    def turn(self, name: str, *, on: bool) -> None:
        """Switch a flag, as its user interface does."""
        self.ask("POST", f"{_FEATURES}/{name}/environments/development/{'on' if on else 'off'}")


def version() -> str:
    """Which Unleash it is."""
    package = PEER.folder / "node_modules" / "unleash-server" / "package.json"
    return f"unleash-server {json.loads(package.read_text())['version']}"


@contextmanager
def unleash(flags: int = 0) -> Iterator[Unleash]:
    """One with so many flags, named as ours are, while the block runs. Raises ``NotThere``."""
    if not PEER.installed:
        raise NotThere(f"{PEER.name} is not installed: scripts/bench-peers {PEER.name}")
    if shutil.which("node") is None:
        raise NotThere("Unleash's server needs Node, which isn't there")
    with running_postgres() as postgres:
        if postgres is None:
            raise NotThere("Unleash's server needs PostgreSQL, of which there are no programs here")
        address = postgres.database()
        with _running(address):
            pass  # the first start makes the tables
        with _running(address) as one:
            names = (f"team.flag_{number:05}" for number in range(flags))
            with ThreadPoolExecutor(_MAKERS) as makers:
                for _ in makers.map(partial(one.make, percentage=10), names):
                    pass
            yield one


@contextmanager
def _running(database: str) -> Iterator[Unleash]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parts = urlsplit(database)
    at = {name: values[0] for name, values in parse_qs(parts.query).items()}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "NODE_ENV": "production",
        "DATABASE_HOST": at["host"],
        "DATABASE_PORT": at.get("port", "5432"),
        "DATABASE_NAME": parts.path.lstrip("/"),
        "DATABASE_USERNAME": at.get("user", ""),
        "DATABASE_PASSWORD": "",
        "DATABASE_SSL": "false",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(port),
        "LOG_LEVEL": "fatal",
        "CHECK_VERSION": "false",
        "SEND_TELEMETRY": "false",
        "INIT_ADMIN_API_TOKENS": ADMIN,
        "INIT_BACKEND_API_TOKENS": CLIENT,
        # It is loaded with more than it lets through of one client: what is measured is its work, not its refusals.
        "SDK_API_RATE_LIMIT_PER_MINUTE": "100000000",
        "TOKEN_AUTHENTICATION_RATE_LIMIT_PER_MINUTE": "100000000",
        "INIT_FRONTEND_API_TOKENS": FRONTEND,
    }
    program = PEER.folder / "node_modules" / "unleash-server" / "dist" / "server.js"
    with tempfile.TemporaryFile() as said:
        begun = time.perf_counter()
        process = subprocess.Popen(["node", str(program)], stdout=said, stderr=said, env=environment, cwd=Path("/"))
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_healthy(url, process, said)
            yield Unleash(url, process.pid, time.perf_counter() - begun)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], said: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.01)
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    raise NotThere(f"Unleash's server did not start: {lines[-1][:300] if lines else 'without a word'}")
