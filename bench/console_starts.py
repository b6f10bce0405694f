"""From the command to something on screen: the console's first flag row, beside other terminal programs, in interleaved rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.console.pseudo_terminal import PseudoTerminal

from bench.peer import PEERS
from bench.rounds import summary
from bench.table import OURS, Table

SIZE = (120, 40)
HELLO = "a hello-world Textual app"
FIRST_ROW = "to the first flag row, {:,} flags"
#: A name in the first rows of the fleet that is measured, and what the others show once they can be used.
ROW = b"loyalty_points"
SIGNS = {"toolong": b"th line", "posting": b"Collection", "harlequin": b"Data Catalog"}
_PATIENCE = 90.0


class Started:
    """How long each start took until the sign, in milliseconds of wall and of processor time."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def once(self, command: Sequence[str], sign: bytes, environment: dict[str, str]) -> None:
        """Start it once."""
        terminal = PseudoTerminal(command, columns=SIZE[0], rows=SIZE[1], environment=environment)
        try:
            self.wall.append(terminal.until(sign, _PATIENCE) * 1000)
            self.cpu.append(terminal.cpu() * 1000)
        finally:
            terminal.close()


def start(table: Table, consoles: Mapping[int, Sequence[str]], hello: Sequence[str], folder: Path, rounds: int) -> None:
    """Start each in turn; ``consoles`` by how many flags there are. A first start of each warms the disk's cache and isn't counted."""
    starts: dict[str, tuple[Started, Callable[[Started], None]]] = {
        HELLO: (Started(), partial(_run, hello, b"hello, terminal", {}))
    }
    for flags, command in consoles.items():
        starts[FIRST_ROW.format(flags)] = (Started(), partial(_run, command, ROW, {}))
    for name, command in others(folder).items():
        if not PEERS[name].installed:
            table.notes.append(f"left out: {name} is not installed: scripts/bench-peers {name}")
            continue
        home = folder / f"home-{name}"
        home.mkdir(exist_ok=True)
        # What it is started with must not be this machine's user's settings, nor this package.
        environment = {"HOME": str(home), "PYTHONPATH": "", "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home)}
        starts[PEERS[name].about] = (Started(), partial(_run, command, SIGNS[name], environment))
        table.versions[name] = PEERS[name].python[0].partition("==")[2]
    for who, (_, run) in list(starts.items()):
        try:
            run(Started())
        except AssertionError as error:
            table.notes.append(f"left out: {who}: {str(error)[:200]}")
            del starts[who]
    for number in range(rounds):
        names = list(starts)
        for who in names if number % 2 == 0 else reversed(names):
            starts[who][1](starts[who][0])
    for who, (started, _) in starts.items():
        ours = who.startswith(FIRST_ROW[:20])
        work, whom = (who, OURS) if ours else ("to something on screen", who)
        table.add(f"start {work}, CPU", whom, summary(started.cpu), "ms")
        table.add(f"start {work}, wall", whom, summary(started.wall), "ms")


def others(folder: Path) -> dict[str, list[str]]:
    """How the other programs are started, each with a little to show."""
    log = folder / "some.log"
    log.write_text("".join(f"2026-11-23 10:00:{number % 60:02} the {number}th line\n" for number in range(1000)))
    collection = folder / "collection"
    collection.mkdir(exist_ok=True)
    commands = {
        "toolong": ["tl", str(log)],
        "posting": ["posting", "--collection", str(collection)],
        "harlequin": ["harlequin", "--profile", "None", "--adapter", "sqlite", ":memory:"],
    }
    return {name: [str(PEERS[name].folder / "bin" / command[0]), *command[1:]] for name, command in commands.items()}


def judge(table: Table) -> None:
    """What must be reached, in processor time, which other programs' work isn't in."""

    def cpu(flags: int) -> float | None:
        return table.found(f"start {FIRST_ROW.format(flags)}, CPU", OURS)

    def of(who: str) -> float | None:
        return table.found("start to something on screen, CPU", who)

    for flags, who, name, share in (
        (30, HELLO, "hello world", 1.3),
        (1_000, HELLO, "hello world", 1.7),
        (30, PEERS["posting"].about, "posting", 0.4),
        (30, PEERS["harlequin"].about, "harlequin", 0.3),
    ):
        ours, theirs = cpu(flags), of(who)
        times = None if ours is None or theirs is None else ours / theirs
        table.goal(f"first flag row of {flags:,}, against {name}", times, share, "×", why=_WHY.get(name, ""))


_MODULES = (
    "of what the first row takes beyond a hello-world app 32 ms import the some eighty modules of its own that the fleet needs, 4 the libraries of "
    "theme and cache, 5 read the cache, and 8 style, lay out and draw; 9 are won back by looking for no garbage meanwhile"
)
#: What stands in the way.
_WHY = {
    "hello world": _MODULES,
    "harlequin": f"four fifths of it are Python and Textual, which a hello-world app takes too; {_MODULES}",
}


def _run(command: Sequence[str], sign: bytes, environment: dict[str, str], started: Started) -> None:
    started.once(command, sign, environment)
