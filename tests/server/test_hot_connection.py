"""What a connection answers itself, what it leaves to the application, and who goes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from flagconsole.operations.permissions import URGENT
from flagconsole.server import right_of_way
from flagconsole.server.hot_connection import HotConnection
from flagconsole.server.hot_request import HotRequest
from flagconsole.server.right_of_way import RightOfWay, begins_urgent, is_urgent
from flagconsole.server.route_table import ROUTES

READ = b"GET /api/snapshot HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n\r\n"
OTHER = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
KILL = b"POST /api/flags/a.b/kill HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
ASK = (
    b"POST /ofrep/v1/evaluate/flags/a.b HTTP/1.1\r\nHost: x\r\nAuthorization: k\r\n"
    b"Content-Type: application/json\r\nContent-Length: 4\r\n\r\n"
)


class Hot:
    """Hot reads of which all are known, as long as ``ready``."""

    ready = True

    def knows(self, asked: HotRequest) -> bool:
        return True

    def at_once(self, asked: HotRequest, body: bytes, first: Any) -> tuple[bytes, ...] | None:
        said = b"at once" + body
        return (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(said), said) if self.ready else None


class Application:
    """Answers in its own words, without reading a body; ``gate`` is what it waits for."""

    def __init__(self) -> None:
        self.hot = Hot()
        self.gate = asyncio.Event()
        self.gate.set()

    def hot_reads_of(self, hashed: str) -> Any:
        return self.hot

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith(("/kill", "/a.b")):
            while (await receive()).get("more_body"):
                pass
        await self.gate.wait()
        await PlainTextResponse(f"slow {scope['path']}")(scope, receive, send)


class Wire(asyncio.Transport):
    """The other end."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self.closed = False
        self.reading = True

    def write(self, data: Any) -> None:
        self.said += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0

    def taken(self) -> list[str]:
        """The bodies of what was answered, from now on anew."""
        said, self.said = self.said, b""
        return [part.rpartition(b"\r\n\r\n")[2].decode() for part in said.split(b"HTTP/1.1 ")[1:]]


class Connections:
    """Connections to one server."""

    def __init__(self) -> None:
        self.application = Application()
        self.kind = HotConnection.to(self.application)
        self._config = uvicorn.Config(self.application, log_config=None, ws="none")
        self._config.load()
        self._state = ServerState()
        self.open: list[HotConnection] = []

    def make(self) -> tuple[HotConnection, Wire]:
        made, wire = self.kind(config=self._config, server_state=self._state, app_state={}), Wire()
        made.connection_made(wire)
        self.open.append(made)
        return made, wire


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    made = Connections()
    yield made
    for connection in made.open:
        connection.connection_lost(None)
    await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


async def answers(connection: HotConnection, wire: Wire, data: bytes, count: int = 1) -> list[str]:
    """What so many requests are answered."""
    connection.data_received(data)
    await until(lambda: wire.said.count(b"HTTP/1.1 ") >= count and connection._is_between_requests())
    return wire.taken()


async def warmed(connections: Connections, data: bytes = READ) -> tuple[HotConnection, Wire]:
    """A connection that knows these bytes."""
    connection, wire = connections.make()
    assert await answers(connection, wire, data) == ["slow /api/snapshot"]
    assert await answers(connection, wire, data) == ["at once"]
    return connection, wire


async def test_the_same_bytes_are_answered_at_once_also_on_another_connection(connections):
    await warmed(connections)
    connection, wire = connections.make()
    connection.data_received(READ)
    assert wire.taken() == ["at once"]  # before anything else has run
    assert await answers(connection, wire, OTHER) == ["slow /health"]
    assert await answers(connection, wire, READ) == ["at once"]
    connections.application.hot.ready = False
    assert await answers(connection, wire, READ) == ["slow /api/snapshot"]


async def test_requests_in_pieces_or_several_at_once_are_the_parsers(connections):
    connection, wire = await warmed(connections)
    for size in (30, len(READ) - 4, len(READ) - 2, len(READ) - 1):
        connection.data_received(READ[:size])
        assert wire.said == b""
        assert await answers(connection, wire, READ[size:]) == ["slow /api/snapshot"]
    assert await answers(connection, wire, READ + READ, 2) == ["slow /api/snapshot"] * 2
    assert await answers(connection, wire, READ) == ["at once"]
    # What comes while another is answered comes after it.
    connections.application.gate.clear()
    connection.data_received(OTHER)
    connection.data_received(READ)
    await asyncio.sleep(0)
    assert wire.said == b""
    connections.application.gate.set()
    await until(lambda: wire.said.count(b"HTTP/1.1 ") == 2)
    assert wire.taken() == ["slow /health", "slow /api/snapshot"]


@pytest.mark.parametrize(
    "data",
    [
        READ.replace(b"HTTP/1.1", b"HTTP/1.0"),
        READ.replace(b"Host", b"Connection: close\r\nHost"),
        READ.replace(b"Host", b"Connection: Upgrade\r\nUpgrade: h2c\r\nHost"),
        READ.replace(b"Host", b"Expect: 100-continue\r\nHost"),
        READ.replace(b"Host", b"Content-Length: 0\r\nHost"),
        READ.replace(b"Host", b"X-Long: " + b"x" * 3000 + b"\r\nHost"),
        READ.replace(b"GET", b"HEAD"),
        READ.replace(b"Authorization", b"Authorisation"),
        READ.replace(b"snapshot", b"status"),
        ASK.replace(b"Content-Type", b"X-Type") + b"null",
        ASK.replace(b"/json", b"/merge-patch+json") + b"null",
        ASK.replace(b"Host", b"Content-Type: application/json\r\nHost") + b"null",
        ASK.replace(b": 4", b": 04") + b"null",
        ASK.replace(b": 4", b": 0"),
        ASK.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked") + b"4\r\nnull\r\n0\r\n\r\n",
        ASK.replace(b"Host", b"Expect: 100-continue\r\nHost") + b"null",
        ASK.replace(b"Host", b"Connection: close\r\nHost") + b"null",
        ASK.replace(b"Content-Length: 4", b"Content-Length: 3000") + b" " * 3000,
        ASK.replace(b"a.b", b"a.b?flagConfigEtag=e:1") + b"null",
        ASK.replace(b"flags/", b"flagsx/") + b"null",
        ASK.replace(b"flags/a.b", b"flags/") + b"null",
        ASK.replace(b"POST", b"PUT") + b"null",
    ],
)
async def test_what_isnt_the_plain_case_is_never_remembered(connections, data):
    for _ in range(3):
        connection, wire = connections.make()
        connection.data_received(data)
        await until(lambda: b"HTTP/1.1 200" in wire.said)  # noqa: B023
        assert not wire.said.endswith(b"at once")
    assert not connections.kind.remembered


async def test_a_header_that_was_remembered_goes_with_any_body_of_its_length(connections):
    connection, wire = connections.make()
    slow = ["slow /ofrep/v1/evaluate/flags/a.b"]
    assert await answers(connection, wire, ASK + b"null") == slow
    for body in (b"null", b"1234", b" \r\n "):
        assert await answers(connection, wire, ASK + body) == ["at once" + body.decode()]
    # Whatever else comes is the parser's: less than the body, and what goes on with another request.
    for size in (0, 3):
        connection.data_received(ASK + b"null"[:size])
        assert wire.said == b""
        assert await answers(connection, wire, b"null"[size:]) == slow
    assert await answers(connection, wire, ASK + b"null" + ASK + b"null", 2) == slow * 2
    assert await answers(connection, wire, ASK + b"null" + READ, 2) == [*slow, "slow /api/snapshot"]
    assert await answers(connection, wire, ASK + b"true") == ["at oncetrue"]


async def test_a_header_whose_end_could_be_seen_elsewhere_is_never_remembered(connections):
    """Where a bare line feed ends a line, the header ends before the first four bytes that end one of ours."""
    for data in (
        READ.replace(b"Host: x\r\n", b"Host: x\n"),
        ASK.replace(b"Host: x\r\n", b"Host: x\n") + b"null",
        ASK.replace(b"4\r\n\r\n", b"4\n\n") + b"\r\n\r\n\r\n\r\n",
        b"\r\n" + ASK + b"null\r\n",
    ):
        for _ in range(3):
            connection, wire = connections.make()
            connection.data_received(data)
            await until(lambda: b"HTTP/1.1 " in wire.said)  # noqa: B023
            assert b"at once" not in wire.said
    assert not connections.kind.remembered


async def test_a_body_that_reads_like_a_request_is_none(connections):
    """The application answered before the body was there; what follows is still the body."""
    connection, wire = await warmed(connections)
    head = b"POST /api/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(READ)
    assert await answers(connection, wire, head) == ["slow /api/events"]
    connection.data_received(READ)
    for _ in range(10):
        await asyncio.sleep(0)
    assert wire.said == b""


async def test_a_client_that_doesnt_read_and_one_that_is_going_get_nothing_at_once(connections):
    connection, wire = await warmed(connections)
    connection.pause_writing()
    connection.data_received(READ)
    for _ in range(10):
        await asyncio.sleep(0)
    assert wire.said == b""
    connection.resume_writing()
    await until(lambda: wire.said)
    connection, wire = await warmed(connections, READ.replace(b"Bearer k", b"Bearer l"))
    wire.close()
    connection.data_received(READ)
    assert wire.said == b""


async def test_an_idle_connection_is_closed_after_its_time_from_the_last_answer(connections, monkeypatch):
    connection, wire = await warmed(connections)
    now = connection.loop.time()
    monkeypatch.setattr(connection.loop, "time", lambda: now + 60)
    assert await answers(connection, wire, READ) == ["at once"]
    monkeypatch.setattr(connection.loop, "time", lambda: now + 60 + connection.timeout_keep_alive - 0.1)
    connection.timeout_keep_alive_handler()
    assert not wire.closed
    monkeypatch.setattr(connection.loop, "time", lambda: now + 60 + connection.timeout_keep_alive + 0.1)
    connection.timeout_keep_alive_handler()
    assert wire.closed


async def test_many_kinds_of_requests_take_bounded_memory(connections, monkeypatch):
    monkeypatch.setattr("flagconsole.server.hot_connection._MOST_REMEMBERED", 3)
    connection, wire = connections.make()
    for number in range(10):
        await answers(connection, wire, READ.replace(b"Host", b"X-A: %d\r\nHost" % number))
        assert len(connections.kind.remembered) <= 3


async def test_while_a_kill_is_answered_what_comes_after_it_waits(connections, monkeypatch):
    monkeypatch.setattr(right_of_way, "MOST_SECONDS", 600.0)
    first, others = await warmed(connections), [connections.make() for _ in range(3)]
    killing, said = connections.make()
    connections.application.gate.clear()
    killing.data_received(KILL)
    for _ in range(5):
        await asyncio.sleep(0)
    assert (await answers(*first, READ)) == ["at once"], "its body isn't there: nobody waits for what drips in"
    killing.data_received(b"{}")
    await until(lambda: connections.kind.right_of_way.taken)
    for connection, wire in (first, *others):
        connection.data_received(READ)
        connection.data_received(READ)
        assert (wire.said, wire.reading) == (b"", False)
    gone, silent = others.pop()
    gone.connection_lost(None)
    second, also_said = connections.make()
    second.data_received(KILL + b"{}")  # another one does not wait
    connections.application.gate.set()
    await until(lambda: said.said and also_said.said)
    for _, wire in (first, *others):
        await until(lambda: wire.said.count(b"HTTP/1.1 ") == 2)  # noqa: B023
        assert wire.reading
    assert silent.said == b""
    assert not connections.kind.right_of_way.taken
    assert await answers(*first, READ) == ["slow /api/snapshot", "slow /api/snapshot", "at once"]


async def test_nobody_waits_long_for_a_kill_that_takes_long(connections, monkeypatch):
    monkeypatch.setattr(right_of_way, "MOST_SECONDS", 600.0)
    loop, over = asyncio.get_running_loop(), list[Callable[[], object]]()
    call_later = loop.call_later

    def noted(delay: float, callback: Any, *arguments: Any) -> asyncio.TimerHandle:
        if delay == right_of_way.MOST_SECONDS:
            over.append(callback)
        return call_later(delay, callback, *arguments)

    monkeypatch.setattr(loop, "call_later", noted)
    connection, wire = await warmed(connections)
    killing, said = connections.make()
    connections.application.gate.clear()
    killing.data_received(KILL + b"{}")
    await until(lambda: connections.kind.right_of_way.taken)
    connection.data_received(READ)
    assert wire.said == b""
    over.pop()()
    await until(lambda: wire.said)
    assert (wire.taken(), said.said) == (["at once"], b"")
    connections.application.gate.set()
    await until(lambda: said.said)
    # The next one has the right of way again.
    with connections.kind.right_of_way.holding() as begin:
        begin()
        assert connections.kind.right_of_way.taken


async def test_several_urgent_ones_hold_it_until_the_last_is_answered(monkeypatch):
    monkeypatch.setattr(right_of_way, "MOST_SECONDS", 600.0)
    way, gone_on = RightOfWay(), list[int]()
    with way.holding() as begin:
        begin()
        begin()
        way.wait(lambda: gone_on.append(1))
        with way.holding() as also:
            also()
        await asyncio.sleep(0)
        assert (way.taken, gone_on) == (True, [])
    await asyncio.sleep(0)
    assert (way.taken, gone_on) == (False, [1])


def test_kill_hold_and_rollback_are_urgent_and_nothing_else_is():
    def filled(path: str, values: Sequence[str] = ("a.b", "7")) -> str:
        for name, value in zip(("{name}", "{schedule_id}"), values, strict=True):
            path = path.replace(name, value)
        return path

    for call, operation in ROUTES.items():
        method, path = call.split(" ")
        urgent = operation in URGENT
        assert is_urgent(method, filled(path)) is urgent, call
        assert begins_urgent(f"{method} {filled(path)} HTTP/1.1\r\n".encode()) is urgent, call
    assert not is_urgent("POST", "/api/flags/a.b/killed")
    assert not is_urgent("POST", "/api/flags/a/b/kill")
    assert not begins_urgent(b"POST /api/flags/a.b/killed HTTP/1.1")
