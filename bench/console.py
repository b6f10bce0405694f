"""What the console costs, in a real pseudo-terminal, beside its budgets and a hello-world Textual app of the same run.

Processor time is the console's own, read from the kernel; what a person waits for is wall time, and says more on a machine that does nothing
else. Beside its start those of other terminal programs, each until something of its own is on screen.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.console.pseudo_terminal import PseudoTerminal

from bench import console_starts
from bench.rounds import Measured
from bench.table import OURS, Table
from flagconsole.console import cache

ROOT = Path(__file__).resolve().parent.parent
SIZE = (120, 40)
WIDE = (200, 50)

#: What is measured, with its unit and its budget; None where there is none.
BUDGETS: dict[str, tuple[str, float | None]] = {
    "first paint from the cache, CPU": ("ms", 400.0),
    "hello-world Textual app, CPU": ("ms", None),
    "first paint against hello world": ("×", 1.3),
    "first paint from the cache, wall": ("ms", None),
    "arrow key to paint, p50": ("ms", None),
    "arrow key to paint, p95": ("ms", 16.0),
    "arrow key to paint, p99": ("ms", 50.0),
    "arrow key, CPU a key": ("ms", 16.0),
    "key to paint with 8 live charts, p50": ("ms", None),
    "key to paint with 8 live charts, p95": ("ms", 16.0),
    "key to paint with 8 live charts, p99": ("ms", 50.0),
    "key with 8 live charts, CPU a key": ("ms", 16.0),
    "K to sheet": ("ms", 150.0),
    "CPU at rest, fleet": ("%", None),
    "CPU with 8 live charts at 1 Hz": ("%", 5.0),
    "events a second that the server managed": ("/s", None),
    "CPU under 1,000 events/s": ("%", 20.0),
    "bytes a second at rest": ("KiB/s", None),
    "bytes a second under 1,000 events/s": ("KiB/s", None),
    "bytes a second under 1,000 events/s, slow link": ("KiB/s", 64.0),
    "page down in many flags, p95": ("ms", 25.0),
    "page down in many flags, CPU a key": ("ms", 25.0),
    "memory": ("MiB", 80.0),
    "memory of hello world": ("MiB", None),
}

HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("hello, terminal")
Hello().run()
"""

CONSOLE = """
import sys
from pathlib import Path
from flagconsole.console.entry import run_console
from flagconsole.console.manners import Manners
from flagconsole.console.place import Place
sys.exit(run_console(Place(sys.argv[1], "fc_bench", known_as="bench"), Manners(slow_link=len(sys.argv) > 3), state_folder=Path(sys.argv[2])))
"""

#: Measurements are asked for every second, five times as often as usual.
EACH_SECOND = """
from flagconsole.console import watcher
watcher.LEAST_PACE = watcher.MOST_PACE = 1.0
"""

CURSOR = "▶".encode()


@contextmanager
def serving(flags: int) -> Iterator[str]:
    """A server with so many flags; gives its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.console_server", "--flags", str(flags)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def opened(
    url: str, folder: Path, size: tuple[int, int] = SIZE, *, slow: bool = False, code: str = CONSOLE
) -> Iterator[PseudoTerminal]:
    """A console on a server."""
    command = [sys.executable, "-c", code, url, str(folder), *(["slow"] if slow else [])]
    terminal = PseudoTerminal(command, columns=size[0], rows=size[1])
    try:
        yield terminal
    finally:
        terminal.close()


def rate(url: str, events: int) -> int:
    """Let the server send so many changes a second; returns how many it has made so far."""
    with urllib.request.urlopen(f"{url}/rate?events={events}") as answer:
        return int(answer.read())


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them doesn't exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def keep(terminal: PseudoTerminal, folder: Path) -> None:
    """Wait until a console has written what it knows into its cache, which it does behind what it shows."""
    deadline = time.monotonic() + 60
    while not any(map(kept, (folder / "cache").glob("*.db"))):
        assert time.monotonic() < deadline, "nothing is kept"
        terminal.watch(0.2)
    terminal.watch(1.0)


def kept(file: Path) -> bool:
    """Whether a cache holds something."""
    try:
        return cache.read(file) is not None
    except cache.Unusable:
        return False  # not wholly made yet


def first_paints(url: str, folder: Path, rounds: int) -> dict[str, float]:
    """Starts until the fleet is on screen, from a cache, beside the hello-world app's."""
    with opened(url, folder) as terminal:
        terminal.until("● LIVE".encode())
        keep(terminal, folder)
    ours, wall, hello, hello_memory = [], [], [], []
    for _ in range(rounds):
        with opened("http://127.0.0.1:9", folder) as terminal:
            wall.append(terminal.until(b"loyalty_points") * 1000)
            ours.append(terminal.cpu() * 1000)
        simple = PseudoTerminal([sys.executable, "-c", HELLO], columns=SIZE[0], rows=SIZE[1])
        try:
            simple.until(b"hello, terminal")
            hello.append(simple.cpu() * 1000)
            simple.watch(0.3)
            hello_memory.append(simple.memory())
        finally:
            simple.close()
    cpu, of_hello = statistics.median(ours), statistics.median(hello)
    return {
        "first paint from the cache, CPU": cpu,
        "hello-world Textual app, CPU": of_hello,
        "first paint against hello world": cpu / of_hello,
        "first paint from the cache, wall": statistics.median(wall),
        "memory of hello world": statistics.median(hello_memory),
    }


def at_rest(url: str, folder: Path, seconds: float) -> dict[str, float]:
    """The fleet with nothing going on, then what it costs to open the kill sheet."""
    with opened(url, folder) as terminal:
        terminal.until("● LIVE".encode())
        terminal.watch(4.0)
        cpu, written = terminal.cpu(), terminal.written
        terminal.watch(seconds)
        found = {
            "CPU at rest, fleet": (terminal.cpu() - cpu) / seconds * 100,
            "bytes a second at rest": (terminal.written - written) / seconds / 1024,
            "memory": terminal.memory(),
        }
        sheets = []
        for _ in range(8):
            sheets.append(terminal.answered(b"K", b"nothing sent yet") * 1000)
            terminal.answered(b"n", CURSOR)
            terminal.watch(0.2)
        return found | {"K to sheet": statistics.median(sheets)}


def keys(terminal: PseudoTerminal, number: int, key: Callable[[int], bytes], sign: bytes) -> tuple[list[float], float]:
    """Press so many keys as fast as a held one: the milliseconds until each is answered by ``sign``, and the processor's a key.
    Between two keys everything goes on that would anyway."""
    took, cpu = [], terminal.cpu()
    for place in range(number):
        took.append(terminal.answered(key(place), sign) * 1000)
        terminal.watch(0.06)
    return took, (terminal.cpu() - cpu) * 1000 / number


def up_and_down(place: int) -> bytes:
    """Ten rows down and ten up again."""
    return b"j" if place % 20 < 10 else b"k"


def with_charts(url: str, folder: Path, seconds: float, number: int) -> dict[str, float]:
    """The canary dashboard with eight live charts, and the key that goes to the next one; then arrow keys in the fleet, whose
    selected flag is measured in its pane."""
    with opened(url, folder, WIDE, code=EACH_SECOND + CONSOLE) as terminal:
        terminal.until("● LIVE".encode())
        terminal.watch(3.0)
        terminal.type(b"\r")
        terminal.until(b"8/9")  # the eighth of nine charts is in view
        terminal.watch(4.0)
        cpu = terminal.cpu()
        terminal.watch(seconds)
        charts = (terminal.cpu() - cpu) / seconds * 100
        chosen, chosen_cpu = keys(terminal, number, lambda _: b"\t", "◂".encode())
        terminal.type(b"-")
        terminal.watch(2.0)
        took, used = keys(terminal, number, up_and_down, CURSOR)
    return {
        "CPU with 8 live charts at 1 Hz": charts,
        "key to paint with 8 live charts, p50": percentile(chosen, 0.5),
        "key to paint with 8 live charts, p95": percentile(chosen, 0.95),
        "key to paint with 8 live charts, p99": percentile(chosen, 0.99),
        "key with 8 live charts, CPU a key": chosen_cpu,
        "arrow key to paint, p50": percentile(took, 0.5),
        "arrow key to paint, p95": percentile(took, 0.95),
        "arrow key to paint, p99": percentile(took, 0.99),
        "arrow key, CPU a key": used,
    }


def under_load(url: str, folder: Path, seconds: float) -> dict[str, float]:
    """A thousand changes a second, on a usual link and on a slow one."""
    found = {}
    for slow in (False, True):
        with opened(url, folder, slow=slow) as terminal:
            terminal.until("● LIVE".encode())
            terminal.watch(3.0)
            rate(url, 1000)
            terminal.watch(1.0)
            begun, cpu, written = rate(url, 1000), terminal.cpu(), terminal.written
            terminal.watch(seconds)
            used = (terminal.cpu() - cpu) / seconds * 100
            sent = (terminal.written - written) / seconds / 1024
            told = (rate(url, 0) - begun) / seconds
        found |= {"bytes a second under 1,000 events/s, slow link": sent} if slow else {
            "events a second that the server managed": told,
            "CPU under 1,000 events/s": used,
            "bytes a second under 1,000 events/s": sent,
        }  # fmt: skip
    return found


def many_flags(folder: Path, flags: int) -> dict[str, float]:
    """Page down in a very large fleet."""
    with serving(flags) as url, opened(url, folder) as terminal:
        terminal.until("● LIVE".encode(), 180)
        terminal.watch(10.0)  # counting and caching so many go on for a while
        # The cursor stays in the last row, so the sign is a name that wasn't in view before.
        took, used = keys(terminal, 40, lambda _: b"\x1b[6~", b".flag_")
    return {"page down in many flags, p95": percentile(took, 0.95), "page down in many flags, CPU a key": used}


def measure(quick: bool, table: Table) -> dict[str, float]:
    """Everything, in one run; the starts go into ``table``. Like an installed console it is compiled once, not at every start, whatever the shell says."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="flagconsole-bench-") as name, serving(30) as url:
        folder = Path(name)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        seconds = 4.0 if quick else 12.0
        rounds = 3 if quick else 9
        with serving(1_000) as many:
            consoles = {}
            for flags, address in ((30, url), (1_000, many)):
                place = folder / f"start-{flags}"
                with opened(address, place) as terminal:
                    terminal.until("● LIVE".encode())
                    keep(terminal, place)
                consoles[flags] = [sys.executable, "-c", CONSOLE, address, str(place)]
            console_starts.start(table, consoles, [sys.executable, "-c", HELLO], folder, rounds)
        found = first_paints(url, folder, rounds)
        found |= at_rest(url, folder, seconds)
        found |= with_charts(url, folder, seconds, 60 if quick else 300)
        found |= under_load(url, folder, seconds)
        found |= many_flags(folder / "many", 10_000 if quick else 100_000)
    return found


def measured(*, quick: bool) -> Table:
    """The table: how it starts, beside others, then what it costs, with the budgets."""
    table = Table("console", (__doc__ or "").partition("\n\n")[2].strip())
    found = measure(quick, table)
    for name, (unit, budget) in BUDGETS.items():
        table.add(name, OURS, Measured(found[name], 0.0, 1), unit, "high" if unit == "/s" else "low")
        if budget is not None:
            table.goal(name, found[name], budget, unit, why=_WHY.get(name, ""))
    console_starts.judge(table)
    return table


_WAITS = (
    "the processor works for less than half of what is asked for (the line CPU a key); the rest is waiting for a core: the arrow key's 95th "
    "percentile was 14 ms at a load of 5 and 27 ms at a load of 16"
)
#: Measured with the process's clock inside it, phase by phase, against the same of the hello-world app.
_IMPORTS = (
    "of what is above hello world 32 ms import the some eighty modules of its own that the fleet needs, 4 the libraries of theme and cache, 5 "
    "read the cache, and 8 style, lay out and draw; 9 are won back by looking for no garbage meanwhile"
)
#: One commit, measured three hours apart on the machine that the results are of.
_HOURS = (
    "the same code took 3.8 % and 5.3 % with charts, 17.8 % and 30.1 % under events, within three hours: the processor is a share of one, and in its slower hours "
    "everything takes half as much again"
)
#: What stands in the way of a budget.
_WHY = {
    "first paint against hello world": _IMPORTS,
    "arrow key to paint, p95": _WAITS,
    "arrow key to paint, p99": _WAITS,
    "key to paint with 8 live charts, p95": _WAITS,
    "key to paint with 8 live charts, p99": _WAITS,
    "page down in many flags, p95": _WAITS,
    "CPU with 8 live charts at 1 Hz": _HOURS,
    "CPU under 1,000 events/s": _HOURS,
}


def table(*, quick: bool) -> Table:
    """The table of a quick or a whole run; a quick one is shorter and has 10,000 flags instead of 100,000."""
    return measured(quick=quick)
