"""Metrics from a Prometheus server, by the queries that a plan names.

Prometheus answers the time of the question, not that of the data, and looks back five minutes for a sample, or as long as a
window is: a service that fell silent goes on being answered for. So each query comes with its ``freshness``, an expression for
the time of its newest sample.
"""

from __future__ import annotations

import asyncio
import json
import math
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.plan_metric import FLAG, GROUP, WINDOW, PlanMetric
from flagconsole.domain.text import safe_text
from flagconsole.rollout.outgoing import GuardedTransport, is_public
from flagconsole.rollout.sources import (
    Failed,
    MetricQuery,
    NoData,
    NotANumber,
    Reading,
    Stale,
    TimedOut,
    Value,
)

TIMEOUT_SECONDS: Final = 5.0
STALE_SECONDS: Final = 90.0
#: No answer to a query for one number is larger.
MAX_ANSWER_BYTES: Final = 256 * 1024
#: How far two machines' clocks may differ.
_AHEAD_SECONDS: Final = 60.0


class PrometheusSource:
    """A Prometheus server's HTTP API, asked by a plan's own queries. Durations in seconds.

    Raises ``InvalidInput`` for a URL that can't be used: with a password or a query in it, or over the network in the
    clear, unless ``in_clear`` allows that. ``private`` allows that its name has an address of one's own network; so does a URL
    that names such an address itself, or ``in_clear``.
    """

    def __init__(
        self,
        url: str,
        *,
        in_clear: bool = False,
        private: bool = False,
        timeout: float = TIMEOUT_SECONDS,
        stale_seconds: float = STALE_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = f"{prometheus_url(url, in_clear=in_clear)}/api/v1/query"
        self._timeout = timeout
        self._stale_seconds = stale_seconds
        self._connection = httpx.AsyncClient(
            timeout=timeout,
            transport=transport or _guarded(url, in_clear, private),
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.aclose()

    async def read(self, measured: PlanMetric, query: MetricQuery, now: datetime) -> Reading:
        """The metric as Prometheus knows it at ``now``. Never raises for what the server does."""
        found, fresh = await asyncio.gather(
            self._ask(filled(measured.query, query), now), self._ask(filled(measured.freshness, query), now)
        )
        if not isinstance(found, _Sample):
            return found
        if not isinstance(fresh, _Sample):
            return fresh
        age = now.timestamp() - fresh.value
        if age < -_AHEAD_SECONDS:
            return Failed(f"its freshness is {-age:.0f} s in the future: it must give seconds since the epoch")
        age = max(0.0, age)
        return Stale(found.value, age) if age > self._stale_seconds else Value(found.value, age)

    async def _ask(self, expression: str, now: datetime) -> _Sample | NoData | NotANumber | Failed | TimedOut:
        parameters = {"query": expression, "time": f"{now.timestamp():.3f}", "timeout": f"{self._timeout:g}s"}
        try:
            # The limit of the client is for each step; a server that drips bytes must not hold the whole.
            async with asyncio.timeout(self._timeout):
                status, body = await self._fetch(parameters)
        except (TimeoutError, httpx.TimeoutException):
            return TimedOut(self._timeout)
        except (httpx.HTTPError, httpx.InvalidURL, _TooLarge) as error:
            return Failed(safe_text(str(error) or type(error).__name__, 300))
        return _understood(status, body)

    async def _fetch(self, parameters: dict[str, str]) -> tuple[int, bytes]:
        # As a form: expressions may be longer than a URL may be.
        async with self._connection.stream("POST", self._url, data=parameters) as response:
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    raise _TooLarge(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
            return response.status_code, body


def _guarded(url: str, in_clear: bool, private: bool) -> GuardedTransport:
    host = urlsplit(url).hostname or ""
    try:
        named = host == "localhost" or not is_public(host)
    except ValueError:
        named = False
    return GuardedTransport((host,) if in_clear or private or named else ())


class _Sample(NamedTuple):
    """A finite number and its time."""

    value: float
    at: float


class _TooLarge(Exception):
    pass


def prometheus_url(url: str, *, in_clear: bool = False) -> str:
    """``url`` without a slash at its end. Raises ``InvalidInput`` for one that can't be used."""
    problem = ""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        problem = "is not a URL"
    else:
        loopback = host in {"localhost", "127.0.0.1", "::1"}
        if (
            parts.scheme not in {"http", "https"}
            or not host
            or not url.isascii()
            or not url.isprintable()
            or " " in url
        ):
            problem = "must be like https://prometheus.example.com"
        elif "@" in parts.netloc or parts.query or parts.fragment:
            raise InvalidInput(
                field="prometheus",
                problem="must not hold a password, a query or a fragment",
                value=f"{parts.scheme}://…",
            )
        elif parts.scheme == "http" and not (loopback or in_clear):
            problem = "must be https, or --prometheus-in-clear be given: what is measured decides about rollbacks"
    if problem:
        raise InvalidInput(field="prometheus", problem=problem, value=safe_text(url, 200))
    return url.rstrip("/")


def filled(expression: str, query: MetricQuery) -> str:
    """``expression`` with its placeholders replaced. PromQL's own braces are left alone; what is put in can't leave the string
    that it stands in."""
    values = (_in_string(query.flag_name), _in_string(query.group.value), f"{query.window_seconds}s")
    for placeholder, value in zip((FLAG, GROUP, WINDOW), values, strict=True):
        expression = expression.replace(placeholder, value)
    return expression


def _in_string(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'").replace("\n", "\\n")


def _understood(status: int, body: bytes) -> _Sample | NoData | NotANumber | Failed | TimedOut:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return Failed(f"HTTP {status}, and no JSON: {safe_text(body[:100].decode('utf-8', 'replace'), 120)}")
    if not isinstance(answer, dict) or answer.get("status") not in {"success", "error"}:
        return Failed(f"HTTP {status}, and not an answer of Prometheus")
    if answer["status"] == "error":
        kind, said = safe_text(answer.get("errorType", "error"), 60), safe_text(answer.get("error", ""), 240)
        return Failed(f"{kind}: {said}")
    try:
        data = answer["data"]
        return _sample_of(data["resultType"], data["result"])
    except (KeyError, TypeError, ValueError, IndexError):
        return Failed("an answer of Prometheus that can't be understood")


def _sample_of(kind: str, result: Any) -> _Sample | NoData | NotANumber | Failed:
    if kind == "vector":
        if not result:
            return NoData("the query matches no series")
        if len(result) > 1:
            return Failed(f"the query gives {len(result)} series; aggregate them to one")
        at, text = result[0]["value"]
    elif kind == "scalar":
        at, text = result
    else:
        return Failed(f"the query gives a {safe_text(kind, 40)}; it must give one number")
    value = float(text)
    return _Sample(value, float(at)) if math.isfinite(value) else NotANumber(safe_text(text, 40))
