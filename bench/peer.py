"""Peers: the tools that users would pick instead, each installed into an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: Where ``scripts/bench-peers`` installs.
PLACE = Path(os.environ.get("FLAGCONSOLE_BENCH_PEERS", Path(__file__).resolve().parents[1] / ".bench-peers"))
#: The scripts that are run by the peers' own interpreters.
SCRIPTS = Path(__file__).resolve().parent / "peers"


@dataclass(frozen=True, slots=True)
class Peer:
    """One tool: its name in tables, what pip or npm installs, and what it is."""

    name: str
    about: str
    python: tuple[str, ...] = ()
    node: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it is installed."""
        return PLACE / self.name

    @property
    def interpreter(self) -> Path:
        """Its Python."""
        return self.folder / "bin" / "python"

    @property
    def installed(self) -> bool:
        """Whether all of it is there, in the versions that are asked for."""
        marker = self.folder / "installed"
        return marker.is_file() and marker.read_text() == self._marker

    @property
    def _marker(self) -> str:
        return "\n".join((*self.python, *self.node, f"{sys.version_info.major}.{sys.version_info.minor}"))


PEERS = {
    peer.name: peer
    for peer in (
        Peer("unleash", "UnleashClient (Rust core)", ("UnleashClient==6.9.1",)),
        Peer("growthbook", "GrowthBook", ("growthbook==4.0.0",)),
        Peer("launchdarkly", "LaunchDarkly, offline data", ("launchdarkly-server-sdk==9.18.2",)),
        Peer("flagsmith", "Flagsmith, local evaluation", ("flagsmith==6.3.0",)),
        Peer("flagd", "flagd's core, in process", ("openfeature-flagd-core==2.0.0",)),
        Peer("flipt", "Flipt (Rust core)", ("flipt-client==1.4.5",)),
        Peer("statsig", "Statsig (Rust core)", ("statsig-python-core==0.24.2",)),
        Peer("posthog", "PostHog, local evaluation", ("posthog==7.91.1",)),
        Peer("openfeature", "OpenFeature, in memory", ("openfeature-sdk==0.10.0",)),
        Peer(
            "usual-cli",
            "typer + httpx + pydantic + rich",
            ("typer==0.29.2", "httpx==0.28.1", "pydantic==2.14.3", "rich==15.0.0"),
        ),
        Peer(
            "sse-starlette",
            "sse-starlette",
            ("sse-starlette==3.7.0", "starlette==1.10.0", "uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0"),
        ),
        Peer("posting", "posting, a terminal API client", ("posting==2.11.1", "tree-sitter==0.25.2")),
        Peer("harlequin", "harlequin, a terminal SQL client", ("harlequin==2.17.0",)),
        Peer("toolong", "toolong, a terminal log viewer", ("toolong==1.5.0",)),
        Peer("unleash-server", "Unleash, the server", node=("unleash-server@8.2.0",)),
        Peer("flagsmith-cli", "Flagsmith's command line", node=("flagsmith-cli@0.2.3",)),
    )
}


def install(peer: Peer) -> str | None:
    """Install one, unless it is there; what went wrong, if anything."""
    if peer.installed:
        return None
    peer.folder.mkdir(parents=True, exist_ok=True)
    steps = []
    if peer.python:
        steps.append([sys.executable, "-m", "venv", "--clear", str(peer.folder)])
        steps.append(
            [str(peer.interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.python]
        )
    if peer.node:
        steps.append(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(peer.folder), *peer.node]
        )
    for step in steps:
        try:
            done = subprocess.run(step, capture_output=True, text=True)
        except FileNotFoundError:
            return f"needs {step[0]}, which isn't there"
        if done.returncode:
            return (done.stderr.strip() or done.stdout.strip()).splitlines()[-1][:200]
    (peer.folder / "installed").write_text(peer._marker)
    return None
