"""A TCP proxy of our own, in a thread, that does to connections what networks do."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from types import TracebackType

FAULTS = ("none", "latency", "cut", "black-hole", "half-open", "reset")


class FaultyProxy:
    """Forwards to ``target``, a port of this machine. ``fault`` is what happens to what passes:

    none; latency (each piece is late by up to 0.3 s); cut (the connection ends after a random number of bytes of the answer); black-hole
    (nothing passes in either direction); half-open (requests pass, answers don't); reset (the connection is reset in the answer).
    """

    def __init__(self, target: int, seed: int) -> None:
        self.fault = "none"
        self.met = 0
        self._target = target
        self._dice = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._tasks: set[asyncio.Task[None]] = set()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._listener)
        await self._end.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, back, answers=False))
                both.create_task(self._pass(there, writer, answers=True))
        except* (OSError, _Ended):
            pass
        finally:
            for end in (writer, back):
                end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(65536):
            fault = self.fault
            self.met += fault != "none"
            if fault == "latency":
                await asyncio.sleep(self._dice.uniform(0, 0.3))
            elif fault == "black-hole" or (fault == "half-open" and answers):
                continue
            elif fault == "cut" and answers:
                writer.write(data[: self._dice.randrange(len(data))])
                await writer.drain()
                raise _Ended
            elif fault == "reset" and answers:
                # With no time to linger, closing sends a reset.
                end = writer.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                raise _Ended
            writer.write(data)
            await writer.drain()
        raise _Ended


class _Ended(Exception):
    """One end closed, or we did."""
