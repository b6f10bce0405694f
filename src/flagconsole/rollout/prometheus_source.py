"""Metrics from a Prometheus server, by the queries that a plan names.

Prometheus answers the time of the question, not that of the data, and looks back five minutes for a sample: a service that fell
silent goes on being answered for. A query may therefore name its ``freshness``, an expression for the time of its newest sample.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import httpx

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text
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
MAX_EXPRESSION: Final = 4000
_PLACEHOLDERS: Final = ("{flag}", "{group}", "{window}")


class PrometheusQuery(NamedTuple):
    """PromQL with the placeholders ``{flag}``, ``{group}`` and ``{window}`` (seconds, as ``3600s``), which yields one number.
    ``freshness`` is PromQL for the time of the newest sample, in seconds since the epoch, such as
    ``max(timestamp(requests_total{flag="{flag}"}))``."""

    expression: str
    freshness: str | None = None


class PrometheusSource:
    """``MetricSource`` on a Prometheus server's HTTP API. ``queries`` are by metric; durations in seconds.

    Raises ``InvalidInput`` for a URL that can't be used and for an empty or overlong expression.
    """

    def __init__(
        self,
        url: str,
        queries: Mapping[str, PrometheusQuery],
        *,
        timeout: float = TIMEOUT_SECONDS,
        stale_seconds: float = STALE_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise InvalidInput(field="prometheus.url", problem="must begin with http:// or https://", value=url)
        for metric, query in queries.items():
            for text in (query.expression, query.freshness):
                if text is not None and not 0 < len(text.strip()) <= MAX_EXPRESSION:
                    raise InvalidInput(
                        field=f"prometheus.queries.{metric}",
                        problem=f"must be PromQL of 1 to {MAX_EXPRESSION} characters",
                        value=text[:100],
                    )
        self._url = f"{url.rstrip('/')}/api/v1/query"
        self._queries = dict(queries)
        self._timeout = timeout
        self._stale_seconds = stale_seconds
        self._connection = httpx.AsyncClient(timeout=timeout, transport=transport, follow_redirects=False)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.aclose()

    async def read(self, query: MetricQuery, now: datetime) -> Reading:
        """The metric as Prometheus knows it at ``now``."""
        asked = self._queries.get(query.metric)
        if asked is None:
            return NoData(f"the plan has no Prometheus query for {query.metric}")
        found = await self._ask(filled(asked.expression, query), now)
        if not isinstance(found, _Sample):
            return found
        newest = found.at
        if asked.freshness is not None:
            fresh = await self._ask(filled(asked.freshness, query), now)
            if not isinstance(fresh, _Sample):
                return fresh
            newest = fresh.value
        age = max(0.0, now.timestamp() - newest)
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


class _Sample(NamedTuple):
    """A finite number and its time."""

    value: float
    at: float


class _TooLarge(Exception):
    pass


def filled(expression: str, query: MetricQuery) -> str:
    """``expression`` with its placeholders replaced. PromQL's own braces are left alone; what is put in can't leave the string
    that it stands in."""
    values = (_in_string(query.flag_name), _in_string(query.group.value), f"{query.window_seconds}s")
    for placeholder, value in zip(_PLACEHOLDERS, values, strict=True):
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
