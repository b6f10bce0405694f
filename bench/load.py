"""What does it cost to start with a thousand flags? ``python -m bench load [--quick] [--json]``: 1,000 and 10,000 flags as the
server sends them, into the SDK; its memory; and importing it, each in a new process. CPU time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from bench.correct import wrong_answers
from bench.evaluate import BOUND, PROVIDER, SCRIPTS, opened, unusable
from bench.peer import PEERS
from bench.rounds import interleaved
from bench.table import OURS, Table
from bench.worker import Contender, WorkerFailed

SIZES = (1000, 10_000)
BARE = "bare Python"
MIB = 1 << 20
#: What a service writes first, for each contender.
IMPORTS = {
    OURS: "import flagconsole.sdk",
    "unleash": "from UnleashClient import UnleashClient",
    "growthbook": "import growthbook",
    "launchdarkly": "import ldclient",
    "flagsmith": "import flagsmith",
    "flagd": "import openfeature.contrib.tools.flagd.core",
    "flipt": "import flipt_client",
    "statsig": "import statsig_python_core",
    "posthog": "import posthog",
    "openfeature": "import openfeature.api",
}
#: Says at its end how much memory it holds, in bytes.
_MEMORY = "\nimport os,resource\nprint(int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize())"


def imported(interpreter: str, statement: str) -> tuple[float, float]:
    """CPU milliseconds of a process that does only this, and the MiB that it holds at its end."""
    with subprocess.Popen([interpreter, "-c", statement + _MEMORY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise WorkerFailed(f"{statement} failed")
    return (usage.ru_utime + usage.ru_stime) * 1000, int(said) / MIB


def _loading(worker: Contender, flags: int, memory: dict[str, list[float]], who: str) -> float:
    found = worker.ask("load", flags=flags)
    memory.setdefault(who, []).append(found["memory"] / MIB)
    return float(found["cpu"]) * 1000


def measured(*, rounds: int, sizes: tuple[int, ...] = SIZES, names: tuple[str, ...] = tuple(IMPORTS)) -> Table:
    """The table, over so many rounds of the contenders in ``names``."""
    table = Table("load", "Flags as the server sends them, loaded into the SDK; and importing it in a new process.")
    scripts = {who: script for who, script in SCRIPTS.items() if script in names or who == OURS}
    scripts = {who: script for who, script in scripts.items() if who not in (BOUND, PROVIDER)}
    with ExitStack() as stack:
        workers = opened(stack, table, scripts)
        for who, worker in list(workers.items()):
            if problem := unusable(worker, 30):
                table.notes.append(f"left out: {problem}")
                del workers[who]
        for flags in sizes:
            memory: dict[str, list[float]] = {}
            contenders: dict[str, Callable[[], float]] = {
                who: partial(_loading, worker, flags, memory, who) for who, worker in workers.items()
            }
            for who, found in interleaved(contenders, rounds).items():
                table.add(f"load {flags:,} flags", who, found, "ms")
            # Of the first round: later ones use again what the first one left.
            for who, grown in memory.items():
                table.add(
                    f"memory of {flags:,} flags", who, interleaved({who: partial(float, grown[0])}, 1)[who], "MiB"
                )
        known = {who: worker.name for who, worker in workers.items()}
    _imports(table, known, rounds)
    wrong = wrong_answers()
    table.correct = not wrong
    table.notes += [f"wrong: {line}" for line in wrong[:5]]
    most = table.found("memory of 1,000 flags", OURS)
    table.goal("load 1,000 flags", table.found("load 1,000 flags", OURS), 15, "ms")
    table.goal("importing the SDK", table.found("import", OURS), 120, "ms")
    bare, ours = table.found("memory after importing", BARE), table.found("memory after importing", OURS)
    over = None if most is None or bare is None or ours is None else most + ours - bare
    table.goal("memory over bare Python, with 1,000 flags", over, 25, "MiB")
    return table


def _imports(table: Table, known: dict[str, str], rounds: int) -> None:
    memory: dict[str, float] = {}

    def once(who: str, interpreter: str, statement: str) -> float:
        cpu, memory[who] = imported(interpreter, statement)
        return cpu

    contenders: dict[str, Callable[[], float]] = {BARE: partial(once, BARE, sys.executable, "pass")}
    for who, script in known.items():
        peer = PEERS.get(script)
        interpreter = sys.executable if peer is None else str(peer.interpreter)
        contenders[who] = partial(once, who, interpreter, IMPORTS[OURS if peer is None else script])
    for who, found in interleaved(contenders, rounds).items():
        table.add("import", who, found, "ms")
    for who, held in memory.items():
        table.add("memory after importing", who, interleaved({who: partial(float, held)}, 1)[who], "MiB")


def table(*, quick: bool) -> Table:
    """The table of a quick or a whole run."""
    return measured(rounds=3) if quick else measured(rounds=9)
