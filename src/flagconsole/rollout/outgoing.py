"""Connections to addresses that a configuration names: to where it says, and to nowhere that nobody has allowed.

A name is resolved once, checked, and connected to at the address that was checked, so that a name server that answers anew
leads nowhere else. Redirects and proxies are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Collection
from typing import Final

import httpx

from flagconsole.domain.text import safe_text

Resolve = Callable[[str, int], Awaitable[list[str]]]
#: Addresses that stand for IPv4 ones, which an IPv6 network translates them to.
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class _WithoutPaths(logging.Filter):
    """httpx logs the address of each request, and that of a chat's channel is a secret: its path and query are left out."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without them."""
        if isinstance(record.args, tuple):
            record.args = tuple(_shown(value) if isinstance(value, httpx.URL) else value for value in record.args)
        return True


def _shown(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.host}/…"


logging.getLogger("httpx").addFilter(_WithoutPaths())


class AddressRefused(httpx.ConnectError):
    """The request was not sent, because of where it would have gone."""


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises ``OSError``."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def is_public(address: str) -> bool:
    """Whether an address is one of the internet, and none of a machine's or a network's own."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return is_public(str(parsed.ipv4_mapped))
        if parsed in _NAT64:
            return False
    return parsed.is_global and not parsed.is_multicast


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends to public addresses over TLS. ``private`` names the hosts that may have other addresses, and go without TLS."""

    def __init__(
        self,
        private: Collection[str] = (),
        *,
        resolve: Resolve = resolve,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._private = frozenset(host.lower() for host in private)
        self._resolve = resolve
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it to the address that was checked."""
        host = request.url.host
        allowed = host.lower() in self._private
        if request.url.scheme != "https" and not allowed:
            raise AddressRefused(f"{safe_text(host, 200)} needs https, or to be allowed as private", request=request)
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpx.ConnectError(
                f"{safe_text(host, 200)} has no address: {error.strerror}", request=request
            ) from error
        refused = [address for address in addresses if not allowed and not is_public(address)]
        if refused or not addresses:
            told = f"{safe_text(host, 200)} is at {', '.join(refused) or 'no address'}"
            raise AddressRefused(f"{told}, which is private and not allowed", request=request)
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=addresses[0])
        if self._transport is None:
            # Not before: most servers never send anything, and to read the authorities that the system trusts takes a start longer.
            self._transport = await asyncio.to_thread(_plain_transport)
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._transport is not None:
            await self._transport.aclose()


def _plain_transport() -> httpx.AsyncHTTPTransport:
    # No connection is used twice: two names at one address must not share one that was verified for the other.
    return httpx.AsyncHTTPTransport(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def guarded_client(private: Collection[str] = (), **options: object) -> httpx.AsyncClient:
    """A client that goes to public addresses over TLS, and to those named ``private``."""
    transport = GuardedTransport(private)
    return httpx.AsyncClient(transport=transport, follow_redirects=False, trust_env=False, **options)  # type: ignore[arg-type]
