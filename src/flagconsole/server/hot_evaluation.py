"""OFREP's evaluations without what only other routes need: as in ``hot_reads``, but where bodies have been read within their bounds."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from flagconsole.domain.errors import FlagConsoleError
from flagconsole.server import ofrep_routes
from flagconsole.server.hot_request import TAG, Found, evaluated_flag, headers_of, key_of, sent_within_quota
from flagconsole.server.known_keys import KnownKey
from flagconsole.server.limits import replaying
from flagconsole.server.ofrep_answer import EVALUATE, EVALUATE_ONE
from flagconsole.server.representation import Answer
from flagconsole.server.state import ServerState

#: By whose paths requests are counted.
_ROUTES: Final = {route.path: route for route in ofrep_routes.router.routes}  # type: ignore[attr-defined]
_ALL, _ONE = _ROUTES[EVALUATE], _ROUTES[EVALUATE_ONE]


class HotEvaluation:
    """ASGI middleware, behind those that bound and count."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = evaluated_flag(scope) if scope["type"] == "http" else None
        if key is not None:
            body: bytes = (await receive()).get("body", b"")
            if await self._answered(scope, key, body, send):
                return
            receive = replaying(body, receive)
        await self._app(scope, receive, send)

    async def _answered(self, scope: Scope, key: str, body: bytes, send: Send) -> bool:
        """Whether the request was answered. Where it wasn't, nothing was sent and nothing counted."""
        state: ServerState = scope["app"].state.server
        found = headers_of(scope, state.quotas.bounds.header_bytes)
        hashed = None if found is None else key_of(found, protocol=True)
        if found is None or hashed is None:
            return False
        try:
            known = await state.known_keys.of(hashed)
        except FlagConsoleError:
            return False
        if known is None:
            return False
        scope["route"] = _ONE if key else _ALL
        return await sent_within_quota(state, known.actor, _made(state, known, key, body, found), send) is not None


async def _made(state: ServerState, known: KnownKey, key: str, body: bytes, found: Found) -> Answer | None:
    evaluated = state.evaluations.answered(known, key, body, state.known_keys.now(known).timestamp())
    return None if evaluated is None else evaluated.ready(found.get(TAG))
