"""A TCP proxy in a thread of its own that cuts connections after a random number of bytes from the server."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from types import TracebackType


class CuttingProxy:
    """Forwards to ``target`` (a port of this machine). While ``cutting``, each connection gets only so many bytes.

    ``cuts`` counts how many connections ended that way.
    """

    def __init__(self, target: int, seed: int, most: int = 4000) -> None:
        self.cutting = True
        self.cuts = 0
        self._target = target
        self._most = most
        self._dice = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> CuttingProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._loop.add_reader(self._listener, self._accept)
        await self._stopping.wait()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for kept in self._sockets:
            kept.close()

    def _accept(self) -> None:
        try:
            near, _ = self._listener.accept()
        except OSError:
            return
        near.setblocking(False)
        self._sockets.append(near)
        task = self._loop.create_task(self._forward(near))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, near: socket.socket) -> None:
        far = socket.socket()
        far.setblocking(False)
        self._sockets.append(far)
        upwards: asyncio.Task[None] | None = None
        try:
            await self._loop.sock_connect(far, ("127.0.0.1", self._target))
            upwards = self._loop.create_task(self._pump(near, far))
            await self._downwards(far, near)
        except OSError:
            pass
        finally:
            if upwards is not None:
                upwards.cancel()
                await asyncio.gather(upwards, return_exceptions=True)
            near.close()
            far.close()

    async def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        while data := await self._loop.sock_recv(source, 65536):
            await self._loop.sock_sendall(sink, data)

    async def _downwards(self, source: socket.socket, sink: socket.socket) -> None:
        left = self._dice.randint(0, self._most)
        while data := await self._loop.sock_recv(source, 65536):
            if self.cutting and len(data) > left:
                await self._loop.sock_sendall(sink, data[:left])
                self.cuts += 1
                return
            left -= len(data)
            await self._loop.sock_sendall(sink, data)
