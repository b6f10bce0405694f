"""Drives public clients of the protocols that the server speaks, each in a process of its own, against a real server.

The clients are installed by ``scripts/interop --install`` into a folder of their own, since some can't share an environment with
this package. Where that folder is: ``FLAGCONSOLE_INTEROP``, or ``.interop`` beside ``README.md``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

#: So long (seconds) a client may take for an answer.
PATIENCE: Final = 120.0
CLIENTS = Path(__file__).parent / "clients"


class Client(NamedTuple):
    """A public client: its package, how it is run here, and whether it is told of changes (else it asks for them)."""

    name: str
    package: str
    script: str
    mode: str
    told: bool


KNOWN = (
    Client("unleash-python-streaming", "UnleashClient", "unleash_python.py", "streaming", True),
    Client("unleash-python-polling", "UnleashClient", "unleash_python.py", "polling", False),
    Client("unleash-node-streaming", "unleash-client", "unleash_node.cjs", "streaming", True),
    Client("unleash-node-polling", "unleash-client", "unleash_node.cjs", "polling", False),
    Client("ofrep-python", "openfeature-provider-ofrep", "ofrep_python.py", "", False),
    Client("ofrep-node", "@openfeature/ofrep-provider", "ofrep_node.cjs", "", False),
    Client("ofrep-web", "@openfeature/ofrep-web-provider", "ofrep_web.cjs", "", True),
)


def folder() -> Path:
    """Where the clients are installed."""
    return Path(os.environ.get("FLAGCONSOLE_INTEROP") or Path(__file__).parents[2] / ".interop").absolute()


def install() -> None:
    """Install the pinned clients from the public package registries, by pip and npm as they are configured."""
    where = folder()
    where.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", where / "python"], check=True)
    pip = [where / "python" / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", CLIENTS / "requirements.txt"]
    subprocess.run(pip, check=True, stdout=sys.stderr)
    if shutil.which("npm") is not None:
        shutil.copy(CLIENTS / "package.json", where)
        npm = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(npm, check=True, cwd=where, stdout=sys.stderr)


def missing(client: Client) -> str | None:
    """Why the client can't be run here; None where it can."""
    if not _is_node(client):
        return None if python_of(client).exists() else _NOT_INSTALLED.format(client.package)
    if shutil.which("node") is None:
        return f"{client.package} needs Node, which is not on this machine"
    return None if (folder() / "node_modules" / client.package).exists() else _NOT_INSTALLED.format(client.package)


_NOT_INSTALLED = "{} is not installed: scripts/interop --install"


class Driven:
    """A running client."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.hear("ready")

    def answers(self, flags: Sequence[str], tenants: Sequence[str]) -> dict[str, list[bool]]:
        """What it says for each flag and tenant."""
        self.ask(do="answers", flags=flags, tenants=tenants)
        found: dict[str, list[bool]] = self.hear("answers")
        return found

    def watch(self, flag: str, tenant: str) -> None:
        """Let it look at the flag until it is off; it must be on now."""
        self.ask(do="until_off", flag=flag, tenant=tenant)
        assert self.hear("on") is True, f"{flag} was off for {tenant} before it was killed"

    def off_at(self) -> float:
        """When the watched flag was off, in seconds since the epoch by this machine's clock."""
        at: float = self.hear("off_at")
        return at

    def ask(self, **question: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()

    def hear(self, what: str) -> Any:
        assert self._process.stdout is not None
        patience = threading.Timer(PATIENCE, self._process.kill)
        patience.start()
        try:
            while line := self._process.stdout.readline():
                if line.startswith("{"):  # some clients greet on standard output
                    return json.loads(line)[what]
        finally:
            patience.cancel()
        raise AssertionError(f"the client ended, or was silent for {PATIENCE} s, without saying {what}")


@contextmanager
def driven(client: Client, url: str, key: str, *, tenant: str = "t-1", metrics_seconds: int = 60) -> Iterator[Driven]:
    """The client, following the server at ``url``, until the ``with`` ends."""
    about = {"url": url, "key": key, "mode": client.mode, "tenant": tenant, "metrics_seconds": metrics_seconds}
    program: list[str | Path] = [python_of(client)]
    if _is_node(client):
        program = ["node", "--experimental-eventsource", "--no-warnings"]
    # These clients know nothing of this package, and must not find it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [*program, CLIENTS / client.script, json.dumps(about)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder() if folder().exists() else None,
        env=environment,
    )
    try:
        yield Driven(process)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def python_of(client: Client) -> Path:
    """The interpreter that has the client: this one, as far as it comes with the extra ``test``."""
    ours = client.package == "openfeature-provider-ofrep" and find_spec("openfeature") is not None
    return Path(sys.executable) if ours else folder() / "python" / "bin" / "python"


def _is_node(client: Client) -> bool:
    return client.script.endswith(".cjs")
