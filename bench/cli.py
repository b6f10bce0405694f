"""What does a command cost? ``python -m bench cli [--quick] [--json]``: CPU time of whole processes, beside bare Python, the least that
click does, the usual stack, and another tool's command line; the server has 30 flags."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.peer import PEERS, SCRIPTS
from bench.rounds import interleaved
from bench.served import FLAG, serving
from bench.table import OURS, Table

EMBEDDED = "list, embedded store"
BARE, HELLO = "bound: bare Python", "click, saying hello"
HTTPX = "python importing httpx"
USUAL, OTHER = PEERS["usual-cli"].about, PEERS["flagsmith-cli"].about
_HELLO = "import click\n@click.command()\ndef hello():\n    click.echo('hello')\nhello()"
#: What is run of ours: the work's name and its arguments.
WORKS: dict[str, tuple[str, ...]] = {
    "list": ("list",),
    "get": ("get", FLAG),
    "--help": ("--help",),
    "kill --help": ("kill", "--help"),
    "completion": ("completion", "bash"),
    "completing a command": (),
}


class CommandFailed(Exception):
    """A command that should have worked didn't; the message says which and why."""


def cpu(command: Sequence[str], environment: Mapping[str, str], *, containing: str = "") -> float:
    """CPU milliseconds of one run. Raises ``CommandFailed`` where it fails or what it says lacks ``containing``."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=dict(environment)
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    if process.returncode or containing not in said:
        raise CommandFailed(f"{' '.join(command)} ended with {process.returncode}: {said.strip()[-300:]}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def contenders(environment: dict[str, str], table: Table) -> dict[str, dict[str, Callable[[], float]]]:
    """For each work who does it, and how that is measured."""
    ours = [sys.executable, "-m", "flagconsole"]
    completing = {
        **environment,
        "_FLAGCONSOLE_COMPLETE": "bash_complete",
        "COMP_WORDS": "flagconsole k",
        "COMP_CWORD": "1",
    }
    script = [
        sys.executable,
        "-c",
        "import sys; sys.argv[0] = 'flagconsole'; from flagconsole.cli.main import main; main()",
    ]
    works: dict[str, dict[str, Callable[[], float]]] = {
        work: {OURS: partial(cpu, [*ours, *arguments], environment, containing=FLAG if work in ("list", "get") else "")}
        for work, arguments in WORKS.items()
    }
    works["completing a command"] = {OURS: partial(cpu, script, completing, containing="kill")}
    # The catalogue that ships, in a file of one's own: what a newcomer lists first.
    embedded = {name: value for name, value in environment.items() if not name.startswith("FLAGCONSOLE_")}
    embedded["FLAGCONSOLE_CONFIG"] = environment["FLAGCONSOLE_CONFIG"]
    embedded["FLAGCONSOLE_STORE"] = f"sqlite:{Path(environment['FLAGCONSOLE_CONFIG']).with_name('flags.db')}"
    cpu([*ours, "init"], embedded)
    works[EMBEDDED] = {OURS: partial(cpu, [*ours, "list"], embedded, containing="pos.lite")}
    works["list"][HTTPX] = partial(cpu, [sys.executable, "-c", "import httpx"], environment)
    works["list"][BARE] = partial(cpu, [sys.executable, "-c", "pass"], environment)
    works["list"][HELLO] = partial(cpu, [sys.executable, "-c", _HELLO], environment, containing="hello")
    usual, other = PEERS["usual-cli"], PEERS["flagsmith-cli"]
    if usual.installed:
        theirs = [str(usual.interpreter), str(Path(SCRIPTS) / "usual_cli.py")]
        apart = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
        works["list"][USUAL] = partial(cpu, [*theirs, "list"], apart, containing="team.flag")
        works["--help"][USUAL] = partial(cpu, [*theirs, "--help"], apart)
        table.versions[USUAL] = ", ".join(usual.python)
    else:
        table.notes.append("left out: usual-cli is not installed: scripts/bench-peers usual-cli")
    if other.installed:
        works["--help"][OTHER] = partial(
            cpu, [str(other.folder / "node_modules/.bin/flagsmith"), "--help"], environment
        )
        table.versions[OTHER] = ", ".join(other.node)
    else:
        table.notes.append("left out: flagsmith-cli is not installed: scripts/bench-peers flagsmith-cli")
    return works


def measured(*, rounds: int) -> Table:
    """The table. A first run of each warms the disk's cache and isn't counted."""
    table = Table("cli", "One command as a whole process, warm. CPU time.")
    with serving(30) as server, tempfile.TemporaryDirectory() as folder:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FLAGCONSOLE_")},
            "FLAGCONSOLE_URL": server.url,
            "FLAGCONSOLE_API_KEY": server.key,
            "FLAGCONSOLE_CONFIG": str(Path(folder) / "config.toml"),
        }
        works = contenders(environment, table)
        for work, who in works.items():
            for once in who.values():
                once()
            for name, found in interleaved(who, rounds).items():
                table.add(work, name, found, "ms")
    listing, usual = table.found("list", OURS), table.found("list", USUAL)
    share = None if listing is None or usual is None else listing / usual
    why = "importing is most of it: click, JSON, http.client; see `python -X importtime -m flagconsole list`"
    httpx, stored = table.found("list", HTTPX), table.found(EMBEDDED, OURS)
    for name, one in (("list", listing), (EMBEDDED, stored)):
        share_of_httpx = None if one is None or httpx is None else one / httpx
        table.goal(f"{name}, against importing httpx", share_of_httpx, 2.0, "×", why=why)
    table.goal("list against the usual stack", share, 0.5, "×", why=why)
    table.goal("list (stretch)", listing, 120, "ms", why=why)
    table.goal("--help", table.found("--help", OURS), 100, "ms")
    table.goal("kill --help", table.found("kill --help", OURS), 100, "ms")
    return table


def table(*, quick: bool) -> Table:
    """The table of a quick or a whole run."""
    return measured(rounds=5 if quick else 21)
