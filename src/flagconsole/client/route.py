"""The straight way to a server, for those who ask all the time: a connection without anything between it and the one who reads.

httpx reads and writes through four layers, of which each takes its time: a kill that a thousand instances of one machine
have to hear waits for all of them. Where a proxy may be between, there is no straight way, and httpx's is taken.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from flagconsole.client.connection import CONNECT_SECONDS, USER_AGENT, is_loopback, server_url

#: Bytes of what is read at a time. Given no place, asyncio makes one of a quarter of a megabyte for each read, which the C library gets from
#: the system and gives back: four times as long as the read itself.
READ_BYTES: Final = 16 * 1024


class End(asyncio.BufferedProtocol):
    """The own end of a connection."""

    def __init__(self) -> None:
        self._place = memoryview(bytearray(READ_BYTES))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._place

    def buffer_updated(self, nbytes: int) -> None:
        """So many have come."""
        self.data_received(bytes(self._place[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """What has come."""
        raise NotImplementedError

    def close(self) -> None:
        """Hang up, if that hasn't been done. What is still to be sent is not."""
        raise NotImplementedError


class Route(NamedTuple):
    """Where a server is, whom to trust there (None without TLS), and what every request carries."""

    host: str
    port: int
    context: ssl.SSLContext | None
    prefix: str
    headers: str

    async def connect(self, end: End) -> None:
        """Open a connection that ``end`` is the own end of. Raises ``OSError`` and ``TimeoutError``."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                addresses = await self._addresses()
                for number, address in enumerate(addresses, 1):
                    try:
                        # One that doesn't answer must leave time for the others.
                        async with asyncio.timeout(CONNECT_SECONDS / len(addresses)):
                            await self._connect(end, address)
                        return
                    except (OSError, TimeoutError):
                        if number == len(addresses):
                            raise
        except BaseException:
            end.close()
            raise

    async def _addresses(self) -> list[str]:
        """Where the host is: itself, if it is an address."""
        try:
            ipaddress.ip_address(self.host.partition("%")[0])
        except ValueError:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            return list(dict.fromkeys(str(address[0]) for *_, address in found))
        return [self.host]

    async def _connect(self, end: End, address: str) -> None:
        named = self.host if self.context is not None else None
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: end, address, self.port, ssl=self.context, server_hostname=named)

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
        """A request as it is sent. Header values are visible ASCII."""
        lines = [f"{method} {self.prefix}{target} HTTP/1.1\r\n", self.headers]
        lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}\r\n")
        return "".join((*lines, "\r\n")).encode("ascii") + (body or b"")


def straight_to(url: str, api_key: str, context: ssl.SSLContext) -> Route | None:
    """The straight way to the server at ``url``, which a connection was opened to before; None where a proxy may be between."""
    base = server_url(url)
    parts = urlsplit(base)
    if not is_loopback(base):
        proxies = getproxies()
        if proxies.get(parts.scheme) or proxies.get("all"):
            return None
    secure = parts.scheme == "https"
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except UnicodeError:
        return None
    shown = f"[{host}]" if ":" in host else host
    port = parts.port or (443 if secure else 80)
    named = shown if port == (443 if secure else 80) else f"{shown}:{port}"
    headers = f"Host: {named}\r\nAuthorization: Bearer {api_key}\r\nUser-Agent: {USER_AGENT}\r\n"
    prefix = parts.path
    if not prefix.isascii() or not api_key.isascii():
        return None
    return Route(host, port, context if secure else None, prefix, headers)
