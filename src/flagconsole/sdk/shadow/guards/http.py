"""The guard for outgoing HTTP: a transport that a service's ``httpx`` clients are made with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import httpx

from flagconsole.domain.execution_type import EffectKind
from flagconsole.sdk.shadow.guards.guard import Guard

#: Methods that change nothing by definition.
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Headers that make a server take a request for another than it is.
_OVERRIDES: Final = ("x-http-method-override", "x-http-method", "x-method-override")

Answer = Callable[[httpx.Request], httpx.Response]


def accepted(request: httpx.Request) -> httpx.Response:
    """What kept-back requests are answered unless the service says otherwise: 202 with an empty JSON object."""
    return httpx.Response(202, json={}, headers={"X-Flagconsole-Shadow": "kept back"}, request=request)


class _HttpGuard(Guard):
    kind = EffectKind.HTTP

    def __init__(self, *, safe_methods: bool, answer: Answer, always: bool) -> None:
        super().__init__(always=always)
        self._safe_methods = safe_methods
        self._answer = answer

    def kept_back(self, request: httpx.Request) -> httpx.Response | None:
        """The answer to a request that must not leave, which is counted; None for one that may."""
        if not self.holds or (self._safe_methods and _is_safe(request)):
            return None
        # No query, no user: they may hold a customer's data or a key.
        where = request.url.copy_with(query=None, fragment=None, userinfo=b"")
        self.keep_back(f"{request.method} {where}"[:200])
        return self._answer(request)


class HttpGuard(_HttpGuard, httpx.BaseTransport):
    """``httpx.Client(transport=HttpGuard())``. In shadow it lets requests with safe methods through (none with
    ``safe_methods=False``), and answers the rest itself with ``answer``; ``transport`` is what the others go through. With
    ``always`` it holds outside of shadow too."""

    def __init__(
        self,
        transport: httpx.BaseTransport | None = None,
        *,
        safe_methods: bool = True,
        answer: Answer = accepted,
        always: bool = False,
    ) -> None:
        super().__init__(safe_methods=safe_methods, answer=answer, always=always)
        self._transport = transport or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answered = self.kept_back(request)
        return answered if answered is not None else self._transport.handle_request(request)

    def close(self) -> None:
        self._transport.close()


class AsyncHttpGuard(_HttpGuard, httpx.AsyncBaseTransport):
    """``HttpGuard`` for ``httpx.AsyncClient``."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        safe_methods: bool = True,
        answer: Answer = accepted,
        always: bool = False,
    ) -> None:
        super().__init__(safe_methods=safe_methods, answer=answer, always=always)
        self._transport = transport or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answered = self.kept_back(request)
        return answered if answered is not None else await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._transport.aclose()


def _is_safe(request: httpx.Request) -> bool:
    disguised = any(name in request.headers for name in _OVERRIDES) or "upgrade" in request.headers
    return request.method.upper() in SAFE and not disguised
