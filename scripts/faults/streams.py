"""Thousands of streaming clients on one server."""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import resource
import time
from array import array
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

from tests.server_process import ServerProcess, eventually

from faults.findings import findings
from faults.traffic import Traffic
from faults.world import FILLER, world

CLIENTS = 2_000
#: Clients that are there before memory is measured: the first ones also pay for what all share.
_WARM = 200
_AT_ONCE = 20
_CHANGE = re.compile(rb"event: change\nid: [^:\n]+:(\d+)\n|id: [^:\n]+:(\d+)\nevent: change\n")


class _Reader(asyncio.Protocol):
    """One client, as an SDK's stream: it notes when it saw which revision."""

    def __init__(self, number: int, host: str, key: str) -> None:
        self.request = (
            f"GET /api/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n"
            f"X-Flagconsole-Instance: many-{number}\r\nX-Flagconsole-Service: many\r\nX-Flagconsole-SDK: test\r\n\r\n"
        ).encode()
        self.revisions, self.seen_at = array("q"), array("d")
        self.began = self.lost = False
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            self.began = self.began or b"event: heartbeat" in block
            found = _CHANGE.search(block + b"\n")
            if found:
                self.revisions.append(int(found[1] or found[2]))
                self.seen_at.append(now)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True


async def _read(url: str, key: str, pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    address = urlsplit(url)
    readers: list[_Reader] = []
    while True:
        while not pipe.poll():
            await asyncio.sleep(0.02)
        order, value = pipe.recv()
        if order == "open":
            async with asyncio.timeout(120):
                while len(readers) < value:
                    number = len(readers)
                    reader = _Reader(number, address.netloc, key)
                    await loop.create_connection(lambda reader=reader: reader, address.hostname, address.port)
                    readers.append(reader)
                    # Not all at one instant: what is measured is what a client costs, not what a thousand requests under way do.
                    while sum(not one.began for one in readers[-_AT_ONCE:]) >= _AT_ONCE:
                        await asyncio.sleep(0.005)
                while not all(reader.began for reader in readers):
                    await asyncio.sleep(0.02)
            pipe.send(len(readers))
        elif order == "until":
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not all(r.revisions and r.revisions[-1] >= value for r in readers):
                await asyncio.sleep(0.02)
            pipe.send([(list(r.revisions), list(r.seen_at), r.lost) for r in readers])
            return


def _reading(url: str, key: str, pipe: Connection) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CLIENTS + 200
    if soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(hard, wanted), hard)
        )
    asyncio.run(_read(url, key, pipe))


def resident_kib(server: ServerProcess) -> int:
    """The server's resident memory."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])  # type: ignore[index]


def streams(store: str, trials: int, seed: int, clients: int = CLIENTS) -> dict[str, object]:
    """``trials`` changes while so many clients stream: none missed by any of them, 99 % seen within 0.7 s of the request, under 20 KiB of
    the server's memory for each client."""
    with world(store) as here:
        server = here.start()
        pipe, theirs = multiprocessing.Pipe()
        readers = multiprocessing.get_context("spawn").Process(
            target=_reading, args=(server.url, here.key, theirs), daemon=True
        )
        readers.start()
        try:
            _open(pipe, _WARM)
            before = resident_kib(server)
            _open(pipe, clients)
            held = (resident_kib(server) - before) / (clients - _WARM)
            asked = {}
            for number in range(trials):
                began = time.monotonic()
                body = {"change_reason": f"streamed {number}", "description": f"number {number}"}
                answer = server.ask("PUT", f"/api/flags/{FILLER}", here.key, json=body)
                assert answer.status_code == 200, answer.text
                asked[answer.json()["revision"]] = began
                time.sleep(0.5)
            pipe.send(("until", max(asked)))
            eventually(lambda: pipe.poll(), 90)
            seen = pipe.recv()
            after = (resident_kib(server) - before) / (clients - _WARM)
        finally:
            readers.kill()
            readers.join()
        waits = sorted(at - asked[revision] for got, times, _ in seen for revision, at in zip(got, times, strict=True))
        missed = sum(got != sorted(asked) for got, _, _ in seen)
        p99 = waits[int(len(waits) * 0.99)] if waits else None
        return {
            **findings(here.store_url, Traffic(here.urls, here.key, seed)),
            "acknowledged": len(asked),
            "clients": len(seen),
            "missed": missed,
            "closed": sum(lost for _, _, lost in seen),
            "median_ms": round(1000 * waits[len(waits) // 2], 1) if waits else None,
            "p99_ms": None if p99 is None else round(1000 * p99, 1),
            "worst_ms": round(1000 * waits[-1], 1) if waits else None,
            "kib_a_client": round(held, 1),
            "kib_a_client_after": round(after, 1),
            "kept": missed == 0 and p99 is not None and p99 < 0.7 and after < 20,
        }


def _open(pipe: Connection, clients: int) -> None:
    pipe.send(("open", clients))
    eventually(lambda: pipe.poll(), 150)
    assert pipe.recv() == clients
    time.sleep(3)
