"""What do thousands of streams cost? 2,000 and 10,000 clients on one server process, 20 changes: when each saw each, and memory a client.

The clients are in another process and only note what comes. Beside our server the least that one can do over ASGI, and sse-starlette, which
keep no order, no rules and no keys. Wall time, from the request that changes something.
"""

from __future__ import annotations

import math
import re
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.propagation import Requester, fanout, readers_of
from bench.rounds import Measured, summary
from bench.served import FLAG, serving
from bench.table import OURS, Table
from bench.worker import WorkerFailed

SIZES = (2_000, 10_000)
CHANGES = 20
#: Clients that are there before memory is measured: the first ones also pay for what all share.
WARM = 200
#: Seconds between two changes, and before memory is read: what a change leaves to do is done by then.
PAUSE = 0.5
BOUND, OTHER = "bound: raw ASGI fan-out", "sse-starlette"


class Place(NamedTuple):
    """A server of streams: where they are had, as whom, its process, and how something is changed."""

    url: str
    path: str
    headers: str
    process: int
    change: Callable[[int], None]


def resident_kib(process: int) -> int:
    """A process's resident memory."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    if found is None:
        raise WorkerFailed("the server has ended")
    return int(found[1])


@contextmanager
def ours() -> Iterator[Place]:
    """Our server with 30 flags."""
    limits = ("rate=100000", "burst=100000", "streams=20000", "requests=20000", "connections=12000")
    with serving(30, limits=limits) as server, ExitStack() as stack:
        asking = Requester(server.url, {"Authorization": f"Bearer {server.key}"})
        stack.callback(asking.close)

        def change(number: int) -> None:
            asking.ask(
                "PUT", f"/api/flags/{FLAG}", {"description": f"number {number}", "change_reason": f"change {number}"}
            )

        headers = f"Authorization: Bearer {server.key}\r\n"
        yield Place(server.url, "/api/stream", headers, server.process, change)


@contextmanager
def theirs(kind: str) -> Iterator[Place]:
    """One of the others. Raises ``WorkerFailed`` where it isn't there."""
    with fanout(kind) as (url, process), ExitStack() as stack:
        asking = Requester(url, {})
        stack.callback(asking.close)
        yield Place(url, "/stream", "", process, lambda number: asking.ask("POST", "/change", {}))


class Found(NamedTuple):
    """Seconds that each client waited for each change, KiB of the server for each client, and clients that missed something."""

    waits: list[list[float]]
    kib: float
    missed: int


def streamed(place: Place, clients: int, changes: int) -> Found:
    """Open so many streams, make the changes, and ask who saw what."""
    warm = min(WARM, clients // 2)
    with readers_of(place.url, place.path, place.headers) as readers:
        _opened(readers.ask("open", count=warm), warm)
        time.sleep(PAUSE)
        before = resident_kib(place.process)
        _opened(readers.ask("open", count=clients), clients)
        begun = []
        for number in range(changes):
            time.sleep(PAUSE)
            begun.append(time.monotonic())
            place.change(number)
        seen = readers.ask("seen", events=changes)["at"]
        time.sleep(PAUSE)
        kib = (resident_kib(place.process) - before) / (clients - warm)
    missed = sum(len(at) != changes for at in seen)
    return Found([[at[n] - start for at in seen if len(at) > n] for n, start in enumerate(begun)], kib, missed)


def _opened(answer: dict[str, int], clients: int) -> None:
    if answer["open"] != clients or answer["lost"]:
        raise WorkerFailed(f"of {clients:,} streams {answer['lost']} were closed")


def descriptors() -> int:
    """How many files a process may have open here."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def measured(*, sizes: Sequence[int] = SIZES, changes: int = CHANGES, peers: bool = True) -> Table:
    """The table."""
    table = Table("streams", (__doc__ or "").partition("\n\n")[2].strip(), correct=True)
    for size in sizes:
        if size + 500 > descriptors() > 0:
            table.notes.append(
                f"left out: {size:,} streams, since a process may open {descriptors():,} files here (ulimit -Hn)"
            )
            continue
        places = {OURS: ours, BOUND: lambda: theirs("raw"), OTHER: lambda: theirs("sse-starlette")}
        for who, place in places.items() if peers else [(OURS, ours)]:
            try:
                with place() as here:
                    found = streamed(here, size, changes)
            except WorkerFailed as error:
                if who == OURS:
                    raise
                table.notes.append(f"left out: {who} with {size:,} streams: {error}")
                continue
            if found.missed and who == OURS:
                table.correct = False
                table.notes.append(f"wrong: {found.missed} of {size:,} clients missed a change")
            _add(table, size, who, found)
    for size, seconds in ((2_000, 0.7), (10_000, 2.0)):
        if size in sizes:
            p99 = table.found(f"{size:,} streams: 99th percentile", OURS)
            table.goal(f"{size:,} streams, 99th percentile", p99, seconds * 1000, "ms", why=_WHY)
            table.goal(
                f"{size:,} streams, memory a client", table.found(f"{size:,} streams: memory a client", OURS), 20, "KiB"
            )
    return table


def _add(table: Table, size: int, who: str, found: Found) -> None:
    waits = sorted(1000 * wait for one in found.waits for wait in one)
    middles = [1000 * sorted(one)[len(one) // 2] for one in found.waits if one]
    spread = summary(middles).spread
    table.add(f"{size:,} streams: median", who, Measured(waits[len(waits) // 2], spread, len(middles)), "ms")
    table.add(
        f"{size:,} streams: 99th percentile", who, Measured(waits[math.ceil(len(waits) * 0.99) - 1], 0.0, 1), "ms"
    )
    table.add(f"{size:,} streams: memory a client", who, Measured(found.kib, 0.0, 1), "KiB")


_WHY = "the clients share the machine's two cores with the server; see the bound"


def table(*, quick: bool) -> Table:
    """The table of a quick or a whole run."""
    return measured(sizes=SIZES[:1], changes=8) if quick else measured()
