"""Clients of a stream that do nothing but note when they saw which event, thousands of them in this process.

Asked by lines of JSON on standard input (``bench.worker``): ``open`` so many, and when each of them had seen so many events (``seen``).
Times are this machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from array import array
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

#: Not all at one instant: what is measured is what a client costs, not what a thousand requests under way do.
AT_ONCE = 20
_PATIENCE = 240.0


#: What all of them read into, one after the other. Without it each read maps and unmaps a quarter of a megabyte.
_PLACE = memoryview(bytearray(64 * 1024))


class Reader(asyncio.BufferedProtocol):
    """One client."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._rest = b""
        self.began = self.lost = False
        self.at = array("d")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self.transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return _PLACE

    def buffer_updated(self, nbytes: int) -> None:
        """Note the changes in them."""
        now, data = time.monotonic(), bytes(_PLACE[:nbytes])
        *blocks, self._rest = (self._rest + data.replace(b"\r\n", b"\n")).split(b"\n\n")
        for block in blocks:
            if b"event: change" in block:
                self.at.append(now)
            elif b"event: " in block:
                self.began = True

    def connection_lost(self, error: Exception | None) -> None:
        """The server has ended it."""
        self.lost = True


class Readers:
    """All of them, on one path of one server."""

    def __init__(self, url: str, path: str, headers: str) -> None:
        self._address = urlsplit(url)
        head = f"GET {path} HTTP/1.1\r\nHost: {self._address.netloc}\r\nAccept: text/event-stream\r\n{headers}"
        self._head = head.encode()
        self.readers: list[Reader] = []

    async def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """What was asked."""
        if question["do"] == "open":
            await self._open(question["count"])
            return {"open": len(self.readers), "lost": sum(reader.lost for reader in self.readers)}
        await self._until(lambda: all(len(reader.at) >= question["events"] for reader in self.readers))
        return {
            "at": [list(reader.at) for reader in self.readers],
            "lost": sum(reader.lost for reader in self.readers),
        }

    async def _open(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        while len(self.readers) < count:
            number = len(self.readers)
            who = f"X-Flagconsole-Instance: many-{number}\r\nX-Flagconsole-Service: many\r\nX-Flagconsole-SDK: bench\r\n\r\n"
            reader = Reader(self._head + who.encode())
            await loop.create_connection(lambda reader=reader: reader, self._address.hostname, self._address.port)
            self.readers.append(reader)
            while sum(not one.began and not one.lost for one in self.readers[-AT_ONCE:]) >= AT_ONCE:
                await asyncio.sleep(0.005)
        await self._until(lambda: all(reader.began or reader.lost for reader in self.readers))

    async def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and not condition():
            await asyncio.sleep(0.01)


async def answering(answer: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """Answer each line of JSON on standard input with one, until it ends; what goes wrong is the answer ``problem``."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()
    while line := await lines.get():
        try:
            said = await answer(json.loads(line))
        except Exception as error:
            said = {"problem": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


def main() -> None:
    """``python -m bench.stream_readers URL PATH [HEADERS]``."""
    asyncio.run(answering(Readers(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "").answer))


if __name__ == "__main__":
    main()
