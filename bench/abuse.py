"""How long a kill takes while others abuse the server: headers that drip in, streams that nobody reads, bodies of 200 MiB.

It needs a server that runs, the address and an admin's key of it. The abusers are processes of their own, so that what is
measured is the server's time and not theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

DRIPS, STREAMS, BODIES = 500, 200, 8
BODY_BYTES = 200 * 1024 * 1024
_CHUNK = b"x" * 65_536


async def _drip(host: str, port: int, key: str) -> None:
    """A request whose header never ends, a line every half second; anew when the server has had enough."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"GET /api/flags HTTP/1.1\r\nHost: x\r\n")
        while not reader.at_eof():
            writer.write(b"X-Drip: 1\r\n")
            await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(100), 0.5)
    finally:
        writer.close()


async def _unread(host: str, port: int, key: str) -> None:
    """A stream that is opened and not read."""
    _, writer = await asyncio.open_connection(host, port, limit=1)
    try:
        writer.write(f"GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        await asyncio.sleep(3600)
    finally:
        writer.close()


async def _body(host: str, port: int, key: str, *, declared: bool) -> None:
    """As much of 200 MiB as the server takes, in a declared length or in chunks."""
    reader, writer = await asyncio.open_connection(host, port)
    length = f"Content-Length: {BODY_BYTES}" if declared else "Transfer-Encoding: chunked"
    head = f"PUT /api/tenants HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    try:
        writer.write(f"{head}{length}\r\n\r\n".encode())
        for _ in range(BODY_BYTES // len(_CHUNK)):
            writer.write(_CHUNK if declared else b"%x\r\n%b\r\n" % (len(_CHUNK), _CHUNK))
            await writer.drain()
            if reader.at_eof():
                return
    finally:
        writer.close()


async def _for_ever(abuse: Callable[[], Awaitable[None]]) -> None:
    while True:
        with suppress(OSError):
            await abuse()
        await asyncio.sleep(0.05)


def _abuse(url: str, key: str, *, bodies: bool) -> None:
    """One process of abusers: those that send much apart from those that send little."""
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 80

    async def work() -> None:
        if bodies:
            senders = [_for_ever(lambda n=n: _body(host, port, key, declared=n % 2 == 0)) for n in range(BODIES)]  # type: ignore[misc]
            await asyncio.gather(*senders)
        drips = [_for_ever(lambda: _drip(host, port, key)) for _ in range(DRIPS)]
        await asyncio.gather(*drips, *(_for_ever(lambda: _unread(host, port, key)) for _ in range(STREAMS)))

    asyncio.run(work())


def kills_under_abuse(url: str, key: str, trials: int, *, prefix: str = "abuse.flag") -> list[float]:
    """Make a flag and kill it over a new connection, ``trials`` times while the abuse goes on. Returns each kill's seconds."""
    start = multiprocessing.get_context("spawn")
    abusers = [start.Process(target=_abuse, args=(url, key), kwargs={"bodies": b}, daemon=True) for b in (False, True)]
    took = []
    headers = {"Authorization": f"Bearer {key}"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            for number in range(trials):
                client.post("/api/flags", json={"flag_name": f"{prefix}{number}"}).raise_for_status()
        for abuser in abusers:
            abuser.start()
        _wait_for_streams(url)
        for number in range(trials):
            with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
                begun = time.perf_counter()
                answer = client.post(f"/api/flags/{prefix}{number}/kill", json={"kill_reason": "under abuse"})
                took.append(time.perf_counter() - begun)
            answer.raise_for_status()
            time.sleep(0.2)
    finally:
        for abuser in abusers:
            if abuser.pid is not None:
                abuser.kill()
                abuser.join()
    return took


def _wait_for_streams(url: str) -> None:
    """Until the abuse is whole."""
    deadline = time.monotonic() + 60
    with httpx.Client(base_url=url, timeout=30) as client:
        while time.monotonic() < deadline:
            lines = client.get("/metrics").text.splitlines()
            if any(
                float(line.split()[1]) >= STREAMS for line in lines if line.startswith("flagconsole_stream_clients ")
            ):
                return
            time.sleep(0.1)
    raise TimeoutError("the streams were not opened")


def main(arguments: list[str]) -> int:
    """Measure on a server that runs."""
    parser = argparse.ArgumentParser(prog="python -m bench abuse", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("key", help="an admin's key")
    parser.add_argument("--trials", type=int, default=30)
    options = parser.parse_args(arguments)
    took = kills_under_abuse(options.url, options.key, options.trials)
    print(json.dumps({"kills": len(took), "median_s": statistics.median(took), "worst_s": max(took)}))
    return 0 if max(took) < 1 else 1
