"""Connections to one server: whom to talk to, with which key, and how patiently. httpx is loaded when one is opened."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from flagconsole import __version__
from flagconsole.domain.errors import InvalidInput

if TYPE_CHECKING:
    import httpx

USER_AGENT: Final = f"flagconsole/{__version__}"
#: An idle connection is kept for so long (seconds), so that a kill rarely has to wait for a new one.
KEEP_ALIVE_SECONDS: Final = 60.0
CONNECT_SECONDS: Final = 5.0


def server_url(url: str) -> str:
    """``url`` without a closing slash. Raises ``InvalidInput`` unless it is ``http(s)://host[:port][/prefix]``."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(char <= " " or char == "\x7f" for char in url):
        raise InvalidInput(field="url", problem="must look like http://host:8765 or https://host", value=url[:200])
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(field="url", problem="must not hold a user name or password", value=parts.hostname)
    if parts.query or parts.fragment:
        raise InvalidInput(field="url", problem="must not hold ? or #", value=url[:200])
    return url.rstrip("/")


def open_connection(
    url: str,
    api_key: str,
    *,
    timeout: float = 10.0,
    user_agent: str = USER_AGENT,
    transport: httpx.AsyncBaseTransport | None = None,
    context: ssl.SSLContext | None = None,
) -> httpx.AsyncClient:
    """A pool of connections to the server at ``url``. ``timeout`` in seconds for each step of a request; ``context`` is whom to trust, as
    ``trusted`` has it, for whoever needs that besides.

    Redirects are not followed: the key goes to the server that was named and to nobody else. Raises ``InvalidInput`` for
    a URL or key that can't be used.
    """
    import httpx

    base = server_url(url)
    if not api_key or not all("!" <= char <= "~" for char in api_key):
        raise InvalidInput(field="api_key", problem="must be the key as it was shown, without blanks", value="(hidden)")
    return httpx.AsyncClient(
        base_url=base,
        headers={"Authorization": f"Bearer {api_key}", "User-Agent": user_agent, "Accept": "application/json"},
        timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
        limits=httpx.Limits(keepalive_expiry=KEEP_ALIVE_SECONDS),
        verify=trusted(base) if context is None else context,
        # A proxy is never the way to the own machine.
        trust_env=not is_loopback(base),
        follow_redirects=False,
        transport=transport,
    )


def trusted(url: str) -> ssl.SSLContext:
    """Whom to trust at ``url``: those that httpx does."""
    import httpx

    if not url.lower().startswith("https:"):
        # Loading the certificates costs 50 ms; without https none is looked at, and this context would trust nobody.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = httpx.create_ssl_context(trust_env=not is_loopback(server_url(url)))
    context.set_alpn_protocols(["http/1.1"])
    return context


def is_loopback(base: str) -> bool:
    """Whether the server at this URL is on the own machine."""
    host = urlsplit(base).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")
