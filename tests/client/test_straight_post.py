"""Small requests on the straight way: over one connection while it lasts, over a new one where it doesn't."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

import pytest

from flagconsole.client.answer import AnswerTooLarge
from flagconsole.client.answer_reader import BadAnswer
from flagconsole.client.connection import trusted
from flagconsole.client.route import straight_to
from flagconsole.client.straight_post import StraightPost

KEY = "fc_key"
Answering = Callable[[int], tuple[bytes, bool]]


@asynccontextmanager
async def posting(answering: Answering) -> AsyncIterator[tuple[StraightPost, list[tuple[int, bytes]]]]:
    """A poster, and what its server was asked, with the number of the connection. ``answering`` gives to each question, by its number, the
    answer and whether the connection ends behind it."""
    asked: list[tuple[int, bytes]] = []
    numbers = count(1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(numbers)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
                asked.append((number, head + body))
                answer, ends = answering(len(asked))
                writer.write(answer)
                await writer.drain()
                if ends:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/below"
    route = straight_to(url, KEY, trusted(url))
    assert route is not None
    post = StraightPost(route)
    try:
        yield post, asked
    finally:
        post.close()
        server.close()
        await asyncio.sleep(0)
        await server.wait_closed()


def ok(body: bytes, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), more, body)


async def test_one_connection_serves_while_it_lasts():
    async with posting(lambda number: (ok(b"%d" % number), False)) as (post, asked):
        answers = [await post.post("/a?b=c", b"{}") for _ in range(3)]
    assert answers == [(200, b"1"), (200, b"2"), (200, b"3")]
    assert [number for number, _ in asked] == [1, 1, 1]
    head = asked[0][1].decode()
    assert head.startswith("POST /below/a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")
    assert f"\r\nAuthorization: Bearer {KEY}\r\n" in head
    assert head.endswith("\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize("said", [b"", b"Connection: close\r\n"])
async def test_a_connection_that_was_closed_meanwhile_is_replaced(said):
    async with posting(lambda number: (ok(b"%d" % number, said), True)) as (post, asked):
        answers = [await post.post("/a", b"{}") for _ in range(3)]
    assert answers == [(200, b"1"), (200, b"2"), (200, b"3")]
    assert [number for number, _ in asked] == [1, 2, 3]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", OSError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", BadAnswer),
        (b"nonsense\r\n\r\n", BadAnswer),
        (ok(b"x" * 300_000), AnswerTooLarge),
    ],
)
async def test_what_goes_wrong_is_raised_and_the_next_is_asked_anew(answer, error):
    async with posting(lambda number: (answer, True) if number == 1 else (ok(b"fine"), False)) as (post, asked):
        with pytest.raises(error):
            await post.post("/a", b"{}")
        assert await post.post("/a", b"{}") == (200, b"fine")
    assert [number for number, _ in asked] == [1, 2]


async def test_nobody_listens():
    url = "http://127.0.0.1:1"
    route = straight_to(url, KEY, trusted(url))
    assert route is not None
    with pytest.raises(OSError, match="Connect call failed"):
        await StraightPost(route).post("/a", b"{}")


def test_where_a_proxy_may_be_between_there_is_no_straight_way(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    context = trusted("http://x")
    route = straight_to("http://flags.internal/below", KEY, context)
    assert route is not None
    assert (route.host, route.port, route.context, route.prefix) == ("flags.internal", 80, None, "/below")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    assert straight_to("http://flags.internal", KEY, context) is None
    assert straight_to("http://127.0.0.1:8765", KEY, context) is not None
    assert straight_to("https://flags.internal", KEY, context) is not None
    monkeypatch.setenv("all_proxy", "http://proxy:3128")
    assert straight_to("https://flags.internal", KEY, context) is None
