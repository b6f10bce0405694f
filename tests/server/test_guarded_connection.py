"""What a client may do to a connection: drip, not read, open too many."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from flagconsole.domain.role import Role
from flagconsole.server.bounds import Bounds
from flagconsole.server.guarded_connection import GuardedConnection, most_connections


def connected(server, *, receive_bytes: int | None = None) -> socket.socket:
    opened = socket.socket()
    if receive_bytes is not None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    opened.settimeout(15)
    opened.connect(("127.0.0.1", server.port))
    return opened


def rest_of(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
    except ConnectionError:
        pass
    return received


def streams(server) -> int:
    lines = server.request("GET", "/metrics", role=None).text.splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("flagconsole_stream_clients "))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def answer_of(connection: socket.socket) -> bytes:
    """One whole answer: its header and its body may come apart."""
    said = b""
    while b"\r\n\r\n" not in said:
        part = connection.recv(65_536)
        assert part, said
        said += part
    head, _, body = said.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        part = connection.recv(65_536)
        assert part, said
        body += part
    return head + b"\r\n\r\n" + body


HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n"


def test_a_header_that_drips_in_is_given_up_also_on_a_connection_that_was_of_use(live_server, monkeypatch):
    with connected(live_server) as used:
        used.sendall(HEALTH + b"\r\n")
        assert answer_of(used).startswith(b"HTTP/1.1 200")
        monkeypatch.setattr(GuardedConnection, "bounds", Bounds(header_seconds=0.5))
        new, silent = connected(live_server), connected(live_server)
        # Where the machine is slow the server has given up before: then the answer may be lost with the connection.
        with suppress(ConnectionError):
            for line in (HEALTH, b"X-A: 1\r\n", b"X-B: 2\r\n"):
                new.sendall(line)
                used.sendall(line)
        for connection in (new, used):
            assert rest_of(connection).partition(b"\r\n")[0] in {b"HTTP/1.1 408 Request Timeout", b""}
        assert b"HTTP/1.1 408" in rest_of(silent)
        new.close()
        silent.close()


def test_a_header_without_end_is_refused_by_its_size(live_server):
    with connected(live_server) as connection:
        connection.sendall(HEALTH)
        try:
            for number in range(40):
                connection.sendall(b"X-%d: %b\r\n" % (number, b"x" * 4000))
        except ConnectionError:
            pass
        assert rest_of(connection)[:12] in {b"HTTP/1.1 431", b"HTTP/1.1 400", b""}
    assert live_server.request("GET", "/health", role=None).status_code == 200


def test_a_stream_that_nobody_reads_is_closed_and_one_that_is_read_slowly_is_not(live_server, monkeypatch):
    monkeypatch.setattr(GuardedConnection, "bounds", Bounds(stall_seconds=3.0))
    live_server.request("POST", "/api/flags", json={"flag_name": "pos.lite"})
    ask = f"GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {live_server.keys[Role.SDK]}\r\n\r\n".encode()
    read, enough = 0, threading.Event()

    def read_slowly() -> None:
        nonlocal read
        while not enough.wait(0.02) and (data := slow.recv(16_384)):
            read += len(data)

    with connected(live_server, receive_bytes=4096) as deaf, connected(live_server, receive_bytes=65_536) as slow:
        for connection in (deaf, slow):
            connection.sendall(ask)
        wait_for(lambda: streams(live_server) == 2)
        reader = threading.Thread(target=read_slowly)
        reader.start()
        try:
            # Each of these changes is some hundred kilobytes on every stream.
            for number in range(12):
                ids = [f"tenant-{number}-{i:06}-{'x' * 20}" for i in range(6_000)]
                body = {"current_state": "canary", "canary_tenant_ids": ids, "change_reason": "more"}
                assert live_server.request("PUT", "/api/flags/pos.lite", json=body).status_code == 200
            wait_for(lambda: streams(live_server) == 1)
            wait_for(lambda: read > 1_000_000)
            assert streams(live_server) == 1
        finally:
            enough.set()
            reader.join()


def test_where_there_are_too_many_connections_those_that_ask_for_nothing_go_first(live_server, monkeypatch):
    monkeypatch.setattr(GuardedConnection, "most_connections", 10)
    idle = [connected(live_server) for _ in range(30)]
    try:
        assert live_server.request("GET", "/health", role=None).status_code == 200
        # The oldest were given up, the youngest are still there.
        assert rest_of(idle[0]) == b""
        idle[-1].sendall(HEALTH + b"\r\n")
        assert idle[-1].recv(65_536).startswith(b"HTTP/1.1 200")
    finally:
        for connection in idle:
            connection.close()


def test_as_many_connections_as_the_system_allows():
    assert 16 <= most_connections(10_000) <= 10_000
