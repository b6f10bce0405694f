"""Thousands of clients that lose their server at the same moment, and come back."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import re
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from urllib.parse import SplitResult, urlsplit

from tests.server_process import ServerProcess, eventually

from faults.findings import findings
from faults.streams import CLIENTS
from faults.traffic import Traffic
from faults.world import FILLER, World, world
from flagconsole.client.backoff import Backoff
from flagconsole.client.connection import CONNECT_SECONDS
from flagconsole.client.stream import HEALTHY_SECONDS

#: The part of them that any second may see.
MOST = 0.15
_PROCESSES = 2
#: Connections that are begun at once the first time; afterwards nobody holds them back.
_AT_ONCE = 20
_RETRY = re.compile(rb'"retry_ms": ?(\d+)')


class _Client(asyncio.Protocol):
    """One client: it waits before it comes back as an SDK's stream does, and costs less than one, since there are thousands here."""

    def __init__(self, address: SplitResult, key: str, number: int, arrived: Callable[[float, float], None]) -> None:
        self._address = address
        self._request = (
            f"GET /api/stream HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n"
            f"X-Flagconsole-Instance: many-{number}\r\nX-Flagconsole-Service: many\r\nX-Flagconsole-SDK: test\r\n\r\n"
        ).encode()
        self._arrived = arrived
        self._backoff = Backoff()
        self._connecting: asyncio.Task[None] | None = None
        self._since = self._asked_at = 0.0
        #: Over how long the server asks its clients to spread their return, as it last said.
        self.retry_ms = 0
        self.open = False

    def connect(self) -> None:
        """Try to connect, and again until it succeeds."""
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.create_connection(lambda: self, self._address.hostname, self._address.port)
        except (OSError, TimeoutError):
            loop.call_later(self._backoff.next(self.retry_ms / 1000), self.connect)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]
        self._asked_at = time.monotonic()

    def data_received(self, data: bytes) -> None:
        if not self.open:
            if not data.startswith(b"HTTP/1.1 200"):
                self._transport.close()
                return
            self.open, self._since = True, time.monotonic()
            self._arrived(self._asked_at, self._since)
        for found in _RETRY.finditer(data):
            self.retry_ms = int(found[1])

    def connection_lost(self, error: Exception | None) -> None:
        if self.open and time.monotonic() - self._since >= HEALTHY_SECONDS:
            self._backoff.reset()
        self.open = False
        asyncio.get_running_loop().call_later(self._backoff.next(self.retry_ms / 1000), self.connect)


async def _work(url: str, key: str, first: int, count: int, pipe: Connection) -> None:
    """Follow, and answer what the pipe asks: how many know how they should come back, and when who came back."""
    moments: list[tuple[float, float]] = []

    def arrived(asked_at: float, answered_at: float) -> None:
        moments.append((asked_at, answered_at))

    clients = [_Client(urlsplit(url), key, first + n, arrived) for n in range(count)]
    for index, client in enumerate(clients):
        client.connect()
        # Not all at one instant: only the return is what is measured.
        while sum(not one.open for one in clients[: index + 1]) >= _AT_ONCE:
            await asyncio.sleep(0.01)
    while True:
        while not pipe.poll():
            await asyncio.sleep(0.02)
        order, value = pipe.recv()
        if order == "told":
            pipe.send(sum(client.open and client.retry_ms >= value for client in clients))
        else:
            pipe.send([moment for moment in moments if moment[0] >= value])


def _clients(url: str, key: str, number: int, clients: int, pipe: Connection) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, CLIENTS + 200)), hard))
    asyncio.run(_work(url, key, number * clients, clients, pipe))


def reconnects(store: str, trials: int, seed: int, clients: int = CLIENTS) -> dict[str, object]:
    """Each trial ends the only server of so many clients, in turn by kill -9 and properly, and starts it again after a while. Once it is
    there again, no second may see more than 15 % of them. A machine that is busy answers them later than they come, and more at once."""
    dice = random.Random(seed)
    start = multiprocessing.get_context("spawn")
    with world(store) as here:
        server = here.start()
        port = urlsplit(server.url).port
        pipes, processes = [], []
        for number in range(_PROCESSES):
            pipe, theirs = multiprocessing.Pipe()
            share = clients // _PROCESSES
            process = start.Process(target=_clients, args=(server.url, here.key, number, share, theirs), daemon=True)
            process.start()
            pipes.append(pipe)
            processes.append(process)
        try:
            worst = at_once = last = slowest = 0.0
            for trial in range(trials):
                # All know how many they are; and a connection that lasted is begun anew with short waits.
                eventually(lambda: sum(_ask(pipes, "told", 5 * clients)) == clients, 300, every=1)
                time.sleep(11)
                here.servers.remove(server)
                began = time.monotonic()
                server.end(signal.SIGTERM if trial % 2 else signal.SIGKILL)
                time.sleep(dice.uniform(0, 6))
                server = _again(here, port)
                there = time.monotonic()
                eventually(lambda began=began: sum(map(len, _ask(pipes, "arrived", began))) >= clients, 300, every=1)
                moments = [moment for part in _ask(pipes, "arrived", began) for moment in part]
                came = Counter(int(asked - began) for asked, _ in moments)
                answered = Counter(int(at - began) for _, at in moments)
                worst = max(worst, max(came.values()) / clients)
                at_once = max(at_once, max(answered.values()) / clients)
                last = max(last, max(at for _, at in moments) - there)
                slowest = max(slowest, there - began)
            asked = server.ask(
                "PUT", f"/api/flags/{FILLER}", here.key, json={"change_reason": "after it all", "description": "x"}
            )
        finally:
            for process in processes:
                process.kill()
                process.join()
        return {
            **findings(here.store_url, Traffic(here.urls, here.key, seed)),
            "acknowledged": int(asked.is_success),
            "clients": clients,
            "most_in_a_second": round(worst, 3),
            "most_answered_in_a_second": round(at_once, 3),
            "longest_away_s": round(slowest, 2),
            "last_back_after_s": round(last, 2),
            "kept": worst <= MOST,
        }


def _ask(pipes: list[Connection], order: str, value: float) -> list:
    for pipe in pipes:
        pipe.send((order, value))
    for pipe in pipes:
        assert pipe.poll(60), "the clients don't answer"
    return [pipe.recv() for pipe in pipes]


def _again(here: World, port: int | None) -> ServerProcess:
    """The server, where it was."""
    server = here.start(port=port)
    assert urlsplit(server.url).port == port
    return server
