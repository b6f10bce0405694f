"""How much does one server read out, and how long does a kill take meanwhile?

One process and one loader (wrk, one thread, 32 connections) on the same machine: what services poll, plain, compressed and unchanged; what
other protocols' clients ask; beside Unleash's server on PostgreSQL, and as the bound an application that sends the same bytes and does
nothing else. Wall time, in which the loader and the server share the cores; what a request costs the server itself is its CPU time.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from bench import unleash_server
from bench.propagation import Requester
from bench.rounds import interleaved, summary
from bench.served import FLAG, Served, serving
from bench.table import OURS, Table
from flagconsole.domain.payload import parse_snapshot
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.store import open_store

SIZES = (30, 1000)
BOUND = "bound: an application that only sends the same bytes"
UNLEASH = "Unleash's server"
TENANT = "tenant-0007"
CONNECTIONS = 32
LIMITS = ("rate=1000000", "burst=10000000", "requests=1000000")
#: wrk's own figure for answers that aren't success.
_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_COUNT = re.compile(r"(\d+) requests in")


class LoaderFailed(Exception):
    """wrk couldn't measure, or was refused; the message says why."""


@dataclass(frozen=True)
class Asked:
    """One request, as often as it goes."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    #: Who answers it, by its process.
    process: int = 0

    def answer(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask once."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("POST" if self.body else "GET", path, self.body or None, dict(self.headers))
            found = connection.getresponse()
            return found.status, found.getheaders(), found.read()
        finally:
            connection.close()

    @contextmanager
    def loading(self, seconds: float) -> Iterator[subprocess.Popen[str]]:
        """wrk at work."""
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{math.ceil(seconds)}s"]
            for name, value in self.headers.items():
                words += ["-H", f"{name}: {value}"]
            if self.body:
                script.write(f"wrk.method = 'POST'\nwrk.body = {json.dumps(self.body)}\n")
                script.flush()
                words += ["-s", script.name]
            process = subprocess.Popen([*words, self.url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                yield process
            finally:
                process.kill()
                process.wait()
                assert process.stdout is not None
                process.stdout.close()

    def rate(self, seconds: float, spent: list[float]) -> float:
        """Requests a second; to ``spent`` the microseconds of CPU time are added that each took whoever answers. Raises
        ``LoaderFailed``."""
        before = cpu_seconds(self.process)
        with self.loading(seconds) as process:
            said = process.communicate()[0]
        found, count = _RATE.search(said), _COUNT.search(said)
        if found is None or count is None or _REFUSED.search(said) is not None:
            raise LoaderFailed(f"{self.url}: {said.strip()[-300:]}")
        spent.append((cpu_seconds(self.process) - before) / max(int(count[1]), 1) * 1e6)
        return float(found[1])


def cpu_seconds(process: int) -> float:
    """CPU time of a process until now."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Work(NamedTuple):
    """Something that is read: by whom as what, and by Unleash's clients, where they have the like."""

    name: str
    ours: Asked
    theirs: Asked | None = None


class Run(NamedTuple):
    """How long and how often."""

    rounds: int
    seconds: float
    kills: int
    starts: int


WHOLE, QUICK = Run(5, 3, 100, 5), Run(2, 1, 30, 2)


def works(server: Served, theirs: unleash_server.Unleash | None) -> list[Work]:
    """All that is read."""
    mine = {"Authorization": f"Bearer {server.key}"}
    evaluation = {**mine, "Content-Type": "application/json"}
    context = json.dumps({"context": {"targetingKey": TENANT}})
    polled = frontend = None
    if theirs is not None:
        polled = Asked(
            f"{theirs.url}/api/client/features", {"Authorization": unleash_server.CLIENT}, process=theirs.process
        )
        frontend = Asked(
            f"{theirs.url}/api/frontend?properties%5BtenantId%5D={TENANT}",
            {"Authorization": unleash_server.FRONTEND},
            process=theirs.process,
        )
    snapshot = Asked(f"{server.url}/api/snapshot", mine, process=server.process)
    features = Asked(f"{server.url}/api/client/features", mine, process=server.process)
    listing = Asked(f"{server.url}/api/flags", mine, process=server.process)
    one = Asked(f"{server.url}/ofrep/v1/evaluate/flags/{FLAG}", evaluation, context, server.process)
    everything = Asked(f"{server.url}/ofrep/v1/evaluate/flags", evaluation, context, server.process)
    return [
        Work("snapshot", snapshot, polled),
        Work(
            "snapshot, gzip", *(None if a is None else _with(a, "Accept-Encoding", "gzip") for a in (snapshot, polled))
        ),  # type: ignore[arg-type]
        Work("snapshot, unchanged", *(None if a is None else _unchanged(a) for a in (snapshot, polled))),  # type: ignore[arg-type]
        Work("Unleash's features", features, polled),
        Work("flags", listing),
        Work("OFREP, one flag", one, frontend),
        Work("OFREP, all flags", everything, frontend),
    ]


def _with(asked: Asked, name: str, value: str) -> Asked:
    return replace(asked, headers={**asked.headers, name: value})


def _unchanged(asked: Asked) -> Asked:
    """The same by a client that has it."""
    tag = {name.lower(): value for name, value in asked.answer()[1]}.get("etag", "")
    return _with(asked, "If-None-Match", tag)


@contextmanager
def raw(asked: Mapping[str, Asked]) -> Iterator[dict[str, Asked]]:
    """The bound for each of these while the block runs: the same request, answered with the same bytes."""
    answers = {}
    for name, one in asked.items():
        status, headers, body = one.answer()
        kept = [(n.lower(), v) for n, v in headers if n.lower() != "date"]
        answers[f"/{len(answers)}"] = (status, kept, base64.b64encode(body).decode())
        assert status in {200, 304}, (name, status)
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "answers.json")
        told.write_text(json.dumps(answers))
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.raw_asgi", str(told)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            yield {
                name: replace(one, url=url + path, process=process.pid)
                for path, (name, one) in zip(answers, asked.items(), strict=True)
            }
        finally:
            process.kill()
            process.communicate()


def read_out(table: Table, flags: int, run: Run, theirs: unleash_server.Unleash | None) -> bool:
    """All reads with so many flags. Returns whether the answers were the store's."""
    with ExitStack() as stack:
        store_url = f"sqlite:{stack.enter_context(tempfile.TemporaryDirectory())}/bench.db"
        server = stack.enter_context(serving(flags, limits=LIMITS, store_url=store_url))
        listed = works(server, theirs)
        bounds = stack.enter_context(raw({work.name: work.ours for work in listed}))
        for work in listed:
            asked = {OURS: work.ours, UNLEASH: work.theirs, BOUND: bounds[work.name]}
            spent: dict[str, list[float]] = {who: [] for who, one in asked.items() if one is not None}
            contenders: dict[str, Callable[[], float]] = {
                who: partial(one.rate, run.seconds, spent[who]) for who, one in asked.items() if one is not None
            }
            for who, found in interleaved(contenders, run.rounds).items():
                table.add(f"{work.name}, {flags:,} flags", who, found, "requests/s", "high")
            for who in (OURS, BOUND):
                table.add(f"{work.name}, {flags:,} flags: CPU time", who, summary(spent[who]), "µs")
        kills_under_load(table, server, flags, run.kills)
        return asyncio.run(_agrees(store_url, server))


def kills_under_load(table: Table, server: Served, flags: int, kills: int) -> None:
    """Kill flags one after the other, while the loader reads as fast as it can; a killed one is killed for good, so each is made first."""
    asking = Requester(server.url, {"Authorization": f"Bearer {server.key}"})
    names = [f"kill.flag_{flags:05}_{number:05}" for number in range(kills)]
    for name in names:
        asking.ask("POST", "/api/flags", {"flag_name": name})
    took = []
    load = Asked(f"{server.url}/api/snapshot", {"Authorization": f"Bearer {server.key}"})
    with load.loading(600):
        time.sleep(0.5)
        for name in names:
            time.sleep(0.02)
            begun = time.perf_counter()
            asking.ask("POST", f"/api/flags/{name}/kill", {"kill_reason": "benchmark"})
            took.append((time.perf_counter() - begun) * 1000)
    asking.close()
    took.sort()
    what = f"kill while snapshots are read, {flags:,} flags"
    table.add(f"{what}: median", OURS, summary(took), "ms")
    table.add(f"{what}: 99th percentile", OURS, summary([took[math.ceil(0.99 * len(took)) - 1]]), "ms")


async def _agrees(store_url: str, server: Served) -> bool:
    """Whether what the server says is what the store says."""
    mine = {"Authorization": f"Bearer {server.key}"}
    rules = parse_snapshot(Asked(f"{server.url}/api/snapshot", mine).answer()[2])
    listed = json.loads(Asked(f"{server.url}/api/flags?tenant_id={TENANT}", mine).answer()[2])
    context = json.dumps({"context": {"targetingKey": TENANT}})
    evaluate = Asked(f"{server.url}/ofrep/v1/evaluate/flags", {**mine, "Content-Type": "application/json"}, context)
    evaluated = {one["key"]: one["value"] for one in json.loads(evaluate.answer()[2])["flags"]}
    features = json.loads(Asked(f"{server.url}/api/client/features", mine).answer()[2])["features"]
    store = await open_store(store_url)
    try:
        truth = await Operations(store).flags(SYSTEM, TENANT)
    finally:
        await store.close()
    states = {name: state.value for name, state in truth.effective_states.items()}
    return (
        rules.revision == truth.revision == listed["revision"]
        and {name: rules.evaluate(name, TENANT, time.time()).state.value for name in rules.rules} == states
        and listed["effective_states"] == states
        and evaluated == {name: one.enabled for name, one in truth.evaluations.items()}
        and states.keys() <= {feature["name"] for feature in features}
    )


def started(table: Table, run: Run, theirs: unleash_server.Unleash | None) -> None:
    """How long a server takes until it is healthy, and what it takes of the memory when it has nothing to do."""
    seconds, held = [], []
    for _ in range(run.starts):
        with serving(SIZES[0]) as server:
            time.sleep(1)
            seconds.append(server.started)
            held.append(resident(server.process))
    table.add("start until healthy", OURS, summary(seconds), "s")
    table.add("memory when idle", OURS, summary(held), "MiB")
    if theirs is not None:
        table.add("start until healthy", UNLEASH, summary([theirs.started]), "s")
        table.add("memory when idle", UNLEASH, summary([resident(theirs.process)]), "MiB")


def resident(process: int) -> float:
    """MiB of a process."""
    with open(f"/proc/{process}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:")) / 1024


def measured(run: Run) -> Table:
    """Measure it all."""
    table = Table("server", __doc__.split("\n\n", 1)[1].strip() if __doc__ else "")
    table.correct = True
    if shutil.which("wrk") is None:
        table.notes.append("reads were not measured: wrk isn't there (Debian: apt-get install wrk)")
        started(table, run, None)
    for flags in SIZES if shutil.which("wrk") else ():
        with ExitStack() as stack:
            theirs = None
            try:
                theirs = stack.enter_context(unleash_server.unleash(flags))
                table.versions[UNLEASH] = unleash_server.version()
            except unleash_server.NotThere as problem:
                table.notes.append(f"left out: {problem}")
            if flags == SIZES[0]:
                started(table, run, theirs)
            table.correct &= read_out(table, flags, run, theirs)
    _judge(table)
    return table


def _judge(table: Table) -> None:
    for flags in SIZES:
        for what in ("snapshot", "snapshot, gzip", "snapshot, unchanged", "Unleash's features", "flags"):
            work = f"{what}, {flags:,} flags"
            ours, least = table.found(f"{work}: CPU time", OURS), table.found(f"{work}: CPU time", BOUND)
            share = None if ours is None or least is None else least / ours
            table.goal(f"{work}: share of the bound, by CPU time", share, 0.7, "", "high", why=_WHY)
        table.goal(
            f"snapshot, {flags:,} flags: against Unleash's",
            table.times(f"snapshot, {flags:,} flags", UNLEASH),
            7 if flags == SIZES[0] else 10,
            "×",
            "high",
        )
        one = f"OFREP, one flag, {flags:,} flags"
        table.goal(f"{one}: against Unleash's frontend", table.times(one, UNLEASH), 5, "×", "high")
        kill = f"kill while snapshots are read, {flags:,} flags: 99th percentile"
        table.goal(kill, table.found(kill, OURS), 20, "ms", why=_WHY_KILL)
    work = f"snapshot, gzip, {SIZES[-1]:,} flags"
    table.goal(f"{work}: against Unleash's", table.times(work, UNLEASH), 40, "×", "high")
    table.goal("start until healthy", table.found("start until healthy", OURS), 1.2, "s")
    table.goal("memory when idle", table.found("memory when idle", OURS), 100, "MiB")


_WHY = (
    "every request looks at the key, its quota and the store's version, and counts itself; a listing of flags has the time in it; what is larger than "
    "the megabyte that the kernel keeps for one client is sent in parts"
)
_WHY_KILL = (
    "readers wait while a kill is answered, but it begins after those that came before it, and its commit waits for the disk and for a core that "
    "the loader has"
)


def table(*, quick: bool) -> Table:
    """The table of a quick or a whole run."""
    return measured(QUICK if quick else WHOLE)
