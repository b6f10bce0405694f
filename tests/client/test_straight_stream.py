"""The straight way over TLS, and the answers that it leaves to httpx."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flagconsole.client.event_reader import Event
from flagconsole.client.route import READ_BYTES, straight_to
from flagconsole.client.straight_stream import NotAStream, listen

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
EVENTS = b'event: kill\ndata: {"a": 1}\n\nevent: done\ndata: {}\n\n'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of ``localhost`` with its key, in one file."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def answering(answer: bytes, certificate: Path, piece: int = 7) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on ``localhost`` that gives every request this answer, in pieces of so many bytes; its port and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        for start in range(0, len(answer), piece):
            writer.write(answer[start : start + piece])
            await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()
        await server.wait_closed()


async def heard(port: int, trusted: ssl.SSLContext) -> list[Event]:
    found: list[Event] = []
    way = straight_to(f"https://localhost:{port}", "fc_sdk_key", trusted)
    assert way is not None

    def hear(event: Event) -> bool:
        found.append(event)
        return True

    await listen(way, "/api/stream", {"Accept": "text/event-stream"}, opened=lambda: None, hear=hear, patience=20.0)
    return found


async def test_a_stream_over_tls_is_read_from_a_server_that_is_trusted(certificate: Path) -> None:
    async with answering(HEAD + b"\r\n" + EVENTS, certificate) as (port, asked):
        events = await heard(port, ssl.create_default_context(cafile=str(certificate)))
    assert [event.name for event in events] == ["kill", "done"]
    assert f"Host: localhost:{port}\r\n".encode() in asked[0]
    assert b"Authorization: Bearer fc_sdk_key\r\n" in asked[0]


async def test_an_event_larger_than_what_is_read_at_a_time_is_whole_over_tls(certificate: Path) -> None:
    large = b"event: snapshot\ndata: " + b"x" * (5 * READ_BYTES) + b"\n\n"
    async with answering(HEAD + b"\r\n" + large + EVENTS, certificate, piece=len(large)) as (port, _):
        events = await heard(port, ssl.create_default_context(cafile=str(certificate)))
    assert [(event.name, len(event.data)) for event in events] == [
        ("snapshot", 5 * READ_BYTES),
        ("kill", 8),
        ("done", 2),
    ]


async def test_a_server_that_isnt_trusted_is_asked_nothing(certificate: Path) -> None:
    async with answering(HEAD + b"\r\n" + EVENTS, certificate) as (port, asked):
        with pytest.raises(ssl.SSLCertVerificationError):
            await heard(port, ssl.create_default_context())
    assert asked == []


async def test_a_compressed_stream_is_left_to_httpx(certificate: Path) -> None:
    answer = HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(EVENTS)
    async with answering(answer, certificate) as (port, _):
        with pytest.raises(NotAStream) as caught:
            await heard(port, ssl.create_default_context(cafile=str(certificate)))
    assert caught.value.encoded
