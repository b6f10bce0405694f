"""Thousands of clients that lose their server at the same moment, and come back."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import resource
import signal
import time
from collections import Counter
from contextlib import aclosing
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from tests.server_process import ServerProcess, eventually

from faults.findings import findings
from faults.streams import CLIENTS
from faults.traffic import Traffic
from faults.world import FILLER, World, world
from flagconsole.client.connection import open_connection
from flagconsole.client.stream import Connected, Heartbeat, Stream

#: The part of them that any second may see.
MOST = 0.15
_PROCESSES = 2
#: Connections that are begun at once the first time; afterwards nobody holds them back.
_AT_ONCE = 20


class _Clients:
    """Some of the clients, each with the SDK's own stream. ``arrived`` are the moments at which they were connected."""

    def __init__(self, url: str, key: str, number: int, clients: int) -> None:
        self._url, self._key = url, key
        self._number, self._clients = number, clients
        self.arrived: list[float] = []
        self.heard: dict[int, int] = {}

    async def work(self, pipe: Connection) -> None:
        """Follow, and answer what the pipe asks: how many have heard how they should come back, and since when who came back."""
        self._turns = asyncio.Semaphore(_AT_ONCE)
        tasks = [asyncio.create_task(self._follow(index)) for index in range(self._clients)]
        while True:
            while not pipe.poll():
                await asyncio.sleep(0.02)
            order, value = pipe.recv()
            if order == "told":
                pipe.send(sum(retry_ms >= value for retry_ms in self.heard.values()))
            elif order == "arrived":
                pipe.send([moment for moment in self.arrived if moment >= value])
            else:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                return

    async def _follow(self, index: int) -> None:
        first = True
        async with open_connection(self._url, self._key) as connection:
            await self._turns.acquire()
            name = f"many-{self._number}-{index}"
            stream = Stream(self._url, self._key, instance=name, service="many", connection=connection)
            async with aclosing(stream.events()) as events:
                async for event in events:
                    if isinstance(event, Connected):
                        self.arrived.append(time.monotonic())
                    elif isinstance(event, Heartbeat):
                        self.heard[index] = event.retry_ms
                    if first and isinstance(event, Heartbeat):
                        first = False
                        self._turns.release()


def _clients(url: str, key: str, number: int, clients: int, pipe: Connection) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, CLIENTS + 200)), hard))
    asyncio.run(_Clients(url, key, number, clients).work(pipe))


def reconnects(store: str, trials: int, seed: int, clients: int = CLIENTS) -> dict[str, object]:
    """Each trial ends the only server of so many clients, in turn by kill -9 and properly, and starts it again after a while. Once it is
    there again, no second may see more than 15 % of them."""
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
            worst, last, slowest = 0.0, 0.0, 0.0
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
                seconds = Counter(int(moment - began) for moment in moments)
                worst = max(worst, max(seconds.values()) / clients)
                last, slowest = max(last, max(moments) - there), max(slowest, there - began)
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
