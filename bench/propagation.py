"""How long does a kill take to arrive? From the request until every SDK instance evaluates the flag to killed, durably committed on the way.

1, 100 and 1,000 instances of our SDK over real sockets; other protocols' clients on the same server; Unleash's own client and server;
and the least that can be: a bare synced transaction and a fan-out without anything around it. Wall time.
"""

from __future__ import annotations

import http.client
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.interop.harness import KNOWN, driven, missing

from bench import unleash_server
from bench.peer import SCRIPTS
from bench.rounds import Measured, summary
from bench.served import flag_name, serving
from bench.table import OURS, Table
from bench.worker import Worker, WorkerFailed, environment_of, interpreter_of
from flagconsole.server.follower import HEARTBEAT_SECONDS
from flagconsole.server.hub import FEW

SIZES = (1, 100, 1000)
BOUND = "bound: raw ASGI fan-out after a bare synced commit"
BARE = "flagconsole's server, clients as the bound's"
UNLEASH = "UnleashClient polling Unleash every {} s"
#: As many processes hold the instances: more than there are cores would only wait for each other.
PROCESSES = 2
#: Seconds between two kills, for what they leave to do.
PAUSE = 0.2
TENANT = "tenant-0001"


class Run(NamedTuple):
    """How often each is killed."""

    kills: dict[int, int]
    foreign: int
    slow_polls: int
    polls: int
    clients: int


WHOLE = Run({1: 60, 100: 60, 1000: 40}, foreign=25, slow_polls=6, polls=20, clients=20)
#: Without Unleash's slow line: what it takes is its interval, and half a minute of the run.
QUICK = Run({1: 8, 100: 12, 1000: 5}, foreign=6, slow_polls=0, polls=4, clients=15)


class Requester:
    """One open connection to a server."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._headers = {"Content-Type": "application/json", **headers}

    def ready(self) -> None:
        """Connect anew, so that what is timed isn't a connection that the server has given up meanwhile."""
        self._connection.close()
        self._connection.connect()

    def ask(self, method: str, path: str, body: object) -> None:
        """One request. Raises ``WorkerFailed`` where it isn't answered with success."""
        self._connection.request(method, path, "" if body is None else json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise WorkerFailed(f"{method} {path} was answered with {answer.status}: {said[:200]!r}")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def told(instances: Sequence[Worker], ask: str, **arguments: object) -> list[float]:
    """What all say, each asked before any is waited for where that matters."""
    return [at for one in instances for at in one.ask(ask, **arguments)["at"]]


def killed(instances: Sequence[Worker], flag: str, kill: Callable[[], None]) -> list[float]:
    """Kill a flag that all find on; the seconds until each found it killed. Raises ``WorkerFailed`` where one never did."""
    for one in instances:
        one.ask("watch", flag=flag)
    begun = time.monotonic()
    kill()
    found = told(instances, "killed")
    if any(at is None for at in found):
        raise WorkerFailed(f"{sum(at is None for at in found)} of {len(found)} instances never found the flag killed")
    for one in instances:
        one.ask("settled")
    time.sleep(PAUSE)
    return [at - begun for at in found]


def _kill(asking: Requester, flag: str) -> None:
    asking.ask("POST", f"/api/flags/{flag}/kill", {"kill_reason": "benchmark"})


@contextmanager
def instances_of(url: str, key: str, count: int) -> Iterator[list[Worker]]:
    """So many instances of our SDK, connected, in a few processes."""
    processes = min(PROCESSES, count)
    with ExitStack() as stack:
        workers = []
        for number in range(processes):
            share = count // processes + (number < count % processes)
            command = [sys.executable, "-m", "bench.sdk_instances", url, key, str(number * 10_000)]
            worker = stack.enter_context(Worker("sdk_instances", command))
            if worker.ask("open", count=share)["open"] != share:
                raise WorkerFailed(f"not all of {count} instances could connect")
            workers.append(worker)
        if count > FEW:
            # Over how long they spread their receipts each was told when it connected, among fewer. A fleet has run for longer.
            time.sleep(1.1 * HEARTBEAT_SECONDS)
        yield workers


def ours(table: Table, sizes: Sequence[int], run: Run) -> bool:
    """Our server and SDK, and other protocols' clients on the same server. Returns whether every kill arrived everywhere."""
    flags = max((*run.kills.values(), run.foreign))
    whole = True
    for size in sizes:
        kills = run.kills[size]
        # Each instance reports what it has applied; all of them share one key.
        limits = ("rate=100000", "burst=100000", "streams=20000")
        with (
            serving(flags + 30, on=flags, limits=limits) as server,
            instances_of(server.url, server.key, size) as all_of,
        ):
            asking = Requester(server.url, {"Authorization": f"Bearer {server.key}"})
            rounds = []
            for number in range(kills):
                flag = flag_name(number)
                asking.ready()
                rounds.append(killed(all_of, flag, partial(_kill, asking, flag)))
            whole &= all(len(one) == size for one in rounds)
            _add(table, size, OURS, rounds)
            asking.close()
    return whole


def foreign(table: Table, run: Run) -> None:
    """Clients of other protocols that our server tells of changes."""
    for client in KNOWN:
        if client.name not in ("unleash-python-streaming", "ofrep-web"):
            continue
        if (problem := missing(client)) is not None:
            table.notes.append(f"left out: {problem}")
            continue
        with (
            serving(run.foreign + 10, on=run.foreign) as server,
            driven(client, server.url, server.key, tenant=TENANT) as one,
        ):
            asking = Requester(server.url, {"Authorization": f"Bearer {server.key}"})
            rounds = []
            for number in range(run.foreign):
                one.watch(flag_name(number), TENANT)
                begun = time.time()
                _kill(asking, flag_name(number))
                rounds.append([one.off_at() - begun])
                time.sleep(PAUSE)
            asking.close()
        _add(table, 1, f"{client.package}, told by ours", rounds)


def told_readers(table: Table, sizes: Sequence[int], run: Run) -> None:
    """Our server's part alone: its clients are the bound's, which only note that bytes came."""
    for size in sizes:
        limits = ("rate=100000", "burst=100000", "streams=20000")
        kills = run.kills[size]
        with serving(kills + 30, on=kills, limits=limits) as server:
            headers = f"Authorization: Bearer {server.key}\r\n"
            with readers_of(server.url, "/api/stream", headers) as readers:
                readers.ask("open", count=size)
                asking, begun = Requester(server.url, {"Authorization": f"Bearer {server.key}"}), []
                for number in range(kills):
                    asking.ready()
                    begun.append(time.monotonic())
                    _kill(asking, flag_name(number))
                    time.sleep(PAUSE)
                seen = readers.ask("seen", events=kills)["at"]
                asking.close()
        _add(table, size, BARE, [[at[number] - start for at in seen] for number, start in enumerate(begun)])


def bound(table: Table, sizes: Sequence[int], run: Run) -> None:
    """The least that can be."""
    for size in sizes:
        with fanout("raw") as (url, _), readers_of(url, "/stream") as readers:
            readers.ask("open", count=size)
            asking, begun = Requester(url, {}), []
            for _ in range(run.kills[size]):
                begun.append(time.monotonic())
                asking.ask("POST", "/change", {})
                time.sleep(PAUSE)
            seen = readers.ask("seen", events=len(begun))["at"]
            asking.close()
        rounds = [[at[number] - start for at in seen] for number, start in enumerate(begun)]
        _add(table, size, BOUND, rounds)


def readers_of(url: str, path: str, headers: str = "") -> Worker:
    """A process for clients that only note when they saw what."""
    return Worker("stream_readers", [sys.executable, "-m", "bench.stream_readers", url, path, headers])


@contextmanager
def fanout(kind: str) -> Iterator[tuple[str, int]]:
    """A server that does only that, ``raw`` or by ``sse-starlette``; its address and process. Raises ``WorkerFailed``."""
    script = "sse_starlette" if kind == "sse-starlette" else "fanout"
    command = [*interpreter_of(script), str(SCRIPTS / "fanout.py"), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment_of(script)) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise WorkerFailed(f"{kind} did not start")
            yield url, process.pid
        finally:
            process.kill()


def unleash(table: Table, run: Run) -> None:
    """Unleash's client, as it is set by default and as often as it can ask, against its own server."""
    flag = flag_name(0)
    try:
        interpreter = interpreter_of("unleash")
        with unleash_server.unleash() as server:
            server.make(flag)
            for seconds, kills in ((15, run.slow_polls), (1, run.polls)):
                if not kills:
                    table.notes.append(f"left out of a quick run: {UNLEASH.format(seconds)}")
                    continue
                command = [*interpreter, str(SCRIPTS / "unleash_polling.py"), server.url, unleash_server.CLIENT]
                command += [str(seconds), str(run.clients)]
                with Worker("unleash_polling", command, environment_of("unleash")) as clients:
                    rounds = []
                    for _ in range(kills):
                        server.turn(flag, on=True)
                        rounds.append(killed([clients], flag, lambda: server.turn(flag, on=False)))
                _add(table, run.clients, UNLEASH.format(seconds), rounds, name=100)
            table.versions["Unleash"] = unleash_server.version()
    except (unleash_server.NotThere, WorkerFailed) as error:
        table.notes.append(f"left out: {error}")


def _add(table: Table, size: int, who: str, rounds: list[list[float]], name: int | None = None) -> None:
    """Of all instances and kills the median and the 99th percentile, and how long the last of all instances took."""
    waits = sorted(1000 * wait for one in rounds for wait in one)
    many = size if name is None else name
    what = f"{many:,} instances" if many > 1 else "1 instance"
    spread = summary([sorted(one)[len(one) // 2] for one in rounds]).spread
    table.add(f"{what}: median", who, Measured(waits[len(waits) // 2], spread, len(rounds)), "ms")
    table.add(f"{what}: 99th percentile", who, Measured(waits[math.ceil(len(waits) * 0.99) - 1], 0.0, 1), "ms")
    if size > 1:
        table.add(f"{what}: until the last has it", who, summary([1000 * max(one) for one in rounds]), "ms")


def measured(run: Run, *, sizes: Sequence[int] = SIZES, peers: bool = True) -> Table:
    """The table."""
    table = Table("propagation", (__doc__ or "").partition("\n\n")[2].strip())
    table.notes.append(
        "Instances of our SDK are whole clients (stream, rules, receipts) in two processes, on the same two cores as the server, whose "
        "garbage is collected between the kills: amid one it would be that of five hundred instances, and a service has one. The bound's "
        "clients are in one process and only note that bytes came. Unleash's line for 100 instances is of "
        f"{run.clients} clients: what it takes is its interval."
    )
    table.correct = ours(table, sizes, run)
    told_readers(table, sizes, run)
    bound(table, sizes, run)
    if peers:
        foreign(table, run)
        unleash(table, run)
    for size, median, worst in ((100, 6, 25), (1000, 25, 50)):
        if size in sizes:
            table.goal(
                f"{size:,} instances, median", table.found(f"{size:,} instances: median", OURS), median, "ms", why=_WHY
            )
            found = table.found(f"{size:,} instances: 99th percentile", OURS)
            table.goal(f"{size:,} instances, 99th percentile", found, worst, "ms", why=_WHY)
    times = table.times("100 instances: median", UNLEASH.format(1))
    table.goal("faster than Unleash polled every second", times, 180, "×", "high", why=_WHY)
    return table


_WHY = (
    "the first instance has a kill after 3.5 ms, which are the kill's own: its synced commit, and key, quota, rules, log with its hash and "
    "event; then the server writes 13 µs of CPU long to each stream, and each instance takes 50 to 70 µs to read, check, swap and "
    "evaluate: of a thousand that is three quarters of the time, on the same two cores as the server"
)


def table(*, quick: bool) -> Table:
    """The table of a quick or a whole run."""
    return measured(QUICK if quick else WHOLE)
