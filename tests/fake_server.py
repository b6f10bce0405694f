"""A server that does exactly what a test tells it, on a real port, from a thread of its own.

It serves one flag store in memory: ``change`` commits a revision and sends it to every open stream. A test bends it by
setting ``greet`` (what a new stream gets), ``answers`` (what a path answers) or by writing to a stream's ``raw`` side.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

KEY = "fc_test"


class Asked(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Answer(NamedTuple):
    """What to answer. ``body`` may be shorter than ``declared``: then the connection is cut."""

    status: int = 200
    body: bytes | str = b""
    headers: dict[str, str] = {}  # noqa: RUF012
    declared: int | None = None
    after: Callable[[], None] | None = None


def problem(status: int, code: str, detail: str = "It is so.", **details: Any) -> Answer:
    body = {
        "type": "x",
        "title": code,
        "status": status,
        "code": code,
        "detail": detail,
        "details": details,
        "hint": "Do.",
    }
    return Answer(status, json.dumps(body), {"Content-Type": "application/problem+json"})


class StreamSide:
    """The server's end of one stream."""

    def __init__(self, asked: Asked, writer: asyncio.StreamWriter, loop: asyncio.AbstractEventLoop) -> None:
        self.asked = asked
        self.open = True
        self._writer = writer
        self._loop = loop

    def raw(self, data: bytes | str) -> None:
        content = data.encode() if isinstance(data, str) else data
        self._loop.call_soon_threadsafe(self._write, content)

    def _write(self, content: bytes) -> None:
        if self.open:
            self._writer.write(content)

    def send(self, event: str, data: Any, event_id: str | None = None) -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        self.raw(f"event: {event}\n" + (f"id: {event_id}\n" if event_id else "") + f"data: {text}\n\n")

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        self.open = False
        if self._writer.can_write_eof():
            self._writer.write_eof()
        self._writer.close()


@dataclass
class FakeServer:
    """See the module. ``now`` is the server's clock, ``silent`` keeps heartbeats of changes back."""

    epoch: str = "e5"
    revision: int = 1
    flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    overrides: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    events: dict[int, str] = field(default_factory=dict)
    now: Callable[[], float] = time.time
    requests: list[Asked] = field(default_factory=list)
    streams: list[StreamSide] = field(default_factory=list)
    answers: dict[tuple[str, str], Callable[[Asked], Answer]] = field(default_factory=dict)
    greet: Callable[[StreamSide], None] | None = None
    port: int = 0

    def __post_init__(self) -> None:
        self._ready = threading.Event()
        self._stopping = asyncio.Event()
        self._accepted: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.put("a.b", "on")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, name: str, state: str, **rest: Any) -> None:
        """A flag, without an event."""
        self.flags[name] = {
            "flag_name": name,
            "flag_type": "feature",
            "current_state": state,
            "canary_percentage": 0,
            "canary_tenant_ids": [],
            "dependencies": [],
            "version": 1,
            **rest,
        }

    def change(self, name: str, state: str, *, deliver: bool = True, **rest: Any) -> str:
        """Commit one change, and send it to the open streams. Returns the event."""
        self.put(name, state, **rest)
        return self._commit({"flag_name": name, "tenant_id": None}, self.flags[name], None, deliver)

    def override(self, name: str, tenant: str, state: str, expires_at: str | None = None) -> str:
        item = {"flag_name": name, "tenant_id": tenant, "override_state": state, "expires_at": expires_at}
        self.overrides[name, tenant] = item
        return self._commit({"flag_name": name, "tenant_id": tenant}, self.flags[name], item, True)

    def _commit(self, change: Any, flag: Any, override: Any, deliver: bool) -> str:
        self.revision += 1
        text = json.dumps(
            {"epoch": self.epoch, "revision": self.revision, "change": change, "flag": flag, "override": override}
        )
        self.events[self.revision] = text
        if deliver:
            for stream in list(self.streams):
                stream.send("change", text, f"{self.epoch}:{self.revision}")
        return text

    def snapshot(self, **changes: Any) -> str:
        whole = {
            "schema": 1,
            "epoch": self.epoch,
            "revision": self.revision,
            "flags": list(self.flags.values()),
            "overrides": list(self.overrides.values()),
        }
        return json.dumps({**whole, **changes})

    def beat(self, stream: StreamSide, **changes: Any) -> None:
        stream.send("heartbeat", {"epoch": self.epoch, "revision": self.revision, "now": self.now(), **changes})

    def welcome(self, stream: StreamSide) -> None:
        """What a well-behaved server sends first: a heartbeat, then what the client lacks."""
        self.beat(stream)
        epoch, _, revision = stream.asked.headers.get("last-event-id", "").rpartition(":")
        follows = epoch == self.epoch and int(revision) <= self.revision
        if follows and all(number in self.events for number in range(int(revision) + 1, self.revision + 1)):
            for number in range(int(revision) + 1, self.revision + 1):
                stream.send("change", self.events[number], f"{self.epoch}:{number}")
        else:
            stream.send("snapshot", self.snapshot(), f"{self.epoch}:{self.revision}")

    @property
    def reports(self) -> list[dict[str, Any]]:
        """The receipts' bodies so far."""
        return [asked.json() for asked in self.requests if asked.path.endswith("/receipt")]

    def asked_for(self, path: str) -> list[Asked]:
        return [asked for asked in self.requests if asked.path.partition("?")[0] == path]

    def start(self) -> FakeServer:
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10)
            assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        # Not ``asyncio.start_server``: Python 3.11's leaves a socket behind when a client connects while it closes.
        listener = socket.create_server(("127.0.0.1", self.port))
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._loop.add_reader(listener, self._accept, listener)
        self._ready.set()
        await self._stopping.wait()
        self._loop.remove_reader(listener)
        listener.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stream in self.streams:
            stream.open = False
        self.streams.clear()
        await asyncio.sleep(0)
        for accepted in self._accepted:
            accepted.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accept(self, listener: socket.socket) -> None:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        self._accepted.append(accepted)
        self._start(self._connection(accepted))

    async def _connection(self, accepted: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=accepted)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        asked = Asked(method, path, headers, body)
        self.requests.append(asked)
        route = self.answers.get((method, path.partition("?")[0]))
        if route is None and path.startswith("/api/stream"):
            return await self._stream(asked, reader, writer)
        answer = self._default(asked) if route is None else route(asked)
        content = answer.body.encode() if isinstance(answer.body, str) else answer.body
        lines = [f"HTTP/1.1 {answer.status} X", f"Content-Length: {answer.declared or len(content)}"]
        lines += [f"{name}: {value}" for name, value in {"Content-Type": "application/json", **answer.headers}.items()]
        if answer.status == 0:
            return False
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        await writer.drain()
        if answer.after is not None:
            answer.after()
        return answer.declared is None

    def _default(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return problem(401, "unauthenticated", "A valid API key is needed.")
        if asked.path == "/api/snapshot":
            etag = f'"{self.epoch}:{self.revision}"'
            if asked.headers.get("if-none-match") == etag:
                return Answer(304, headers={"ETag": etag})
            return Answer(200, self.snapshot(), {"ETag": etag})
        if asked.path.endswith("/receipt"):
            return Answer(200, json.dumps({"epoch": self.epoch, "revision": self.revision}))
        return problem(404, "route_not_found", f"There is nothing at '{asked.path}'.")

    async def _stream(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        stream = StreamSide(asked, writer, self._loop)
        # Before the client can notice that it is connected, so that a test which saw that finds the stream.
        self.streams.append(stream)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        (self.greet or self.welcome)(stream)
        await reader.read()
        stream.open = False
        if stream in self.streams:
            self.streams.remove(stream)
        return False


def until(condition: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
    """Wait for a condition; fail with its text after the deadline."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what or condition}")
        time.sleep(0.002)
    return value


def serving(**settings: Any) -> Iterator[FakeServer]:
    """A started server for the length of a fixture."""
    server = FakeServer(**settings).start()
    try:
        yield server
    finally:
        server.stop()
