"""Setting and killing a flag without what only other routes need: half of what such a request costs is finding its route and its parameters.

The same operations as behind the routes, after the same looks at who asks. Whatever isn't the plain case (a query, a header twice, a body
that isn't valid, a key that may not or has taken more rights, a quota that is used up) is left to the routes, before anything was done.
"""

from __future__ import annotations

import re
from typing import Final

from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from flagconsole.domain import requests as ask
from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.role import Actor
from flagconsole.domain.views import ChangeResult
from flagconsole.operations.keys import actor_with, key_hash
from flagconsole.operations.permissions import authorize
from flagconsole.server import change_routes, strict_json
from flagconsole.server.change_routes import VERSION, carried_out, told_of
from flagconsole.server.hot_request import AUTHORIZATION, JSON
from flagconsole.server.joined_write import send_answer
from flagconsole.server.limits import UNDER_WAY, replaying
from flagconsole.server.problems import error_response
from flagconsole.server.representation import Answer
from flagconsole.server.route_table import ROUTES
from flagconsole.server.state import ServerState
from flagconsole.store.acting import act_for

_PATH: Final = re.compile(r"/api/flags/([a-z0-9._-]{1,128})(/kill)?")
_SET, _KILL = "/api/flags/{name}", "/api/flags/{name}/kill"
_CALLS: Final = {("PUT", False): _SET, ("POST", True): _KILL}
#: By which requests are counted.
_ROUTES: Final = {
    (method, path): next(
        route
        for route in change_routes.router.routes
        if route.path == path and method in route.methods  # type: ignore[attr-defined]
    )
    for (method, _), path in _CALLS.items()
}
_SECRET: Final = re.compile(r"Bearer ([\x21-\x7e]{1,200})")
_KEY, _MATCH = b"idempotency-key", b"if-match"
_LOOKED_AT: Final = frozenset({AUTHORIZATION, _KEY, _MATCH})
_IDEMPOTENCY_KEY: Final = re.compile(change_routes.IDEMPOTENCY_KEY)
_LONGEST_KEY: Final = 200


class _Asked:
    """One request that is the plain case."""

    def __init__(self, method: str, path: str, name: str, secret: str, key: str | None, match: str | None) -> None:
        self.method = method
        self.path = path
        self.name = name
        self.hashed = key_hash(secret)
        self.key = key
        self.version = None if match is None else change_routes.version_of(match)

    async def done(self, state: ServerState, actor: Actor, body: ask.Kill | ask.FlagUpdate) -> ChangeResult:
        """Carry it out."""
        operations = state.operations
        if isinstance(body, ask.Kill):
            killing = operations.kill(actor, self.name, body, idempotency_key=self.key)
            return await carried_out(state, "kill", killing)
        setting = operations.update(actor, self.name, body, version=self.version, idempotency_key=self.key)
        return await carried_out(state, "update", setting)


class HotChanges:
    """ASGI middleware, behind those that bound and count."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _asked(scope) if scope["type"] == "http" else None
        if asked is not None:
            body: bytes = (await receive()).get("body", b"")
            if await self._answered(scope, asked, body, send):
                return
            receive = replaying(body, receive)
        await self._app(scope, receive, send)

    async def _answered(self, scope: Scope, asked: _Asked, body: bytes, send: Send) -> bool:
        """Whether the request was answered. Where it wasn't, nothing was done."""
        state: ServerState = scope["app"].state.server
        operation = ROUTES[f"{asked.method} {asked.path}"]
        assert operation is not None, "nobody changes a flag without a key"
        try:
            actor = actor_with(await state.operations.store.presented(asked.hashed))
            authorize(actor, operation)
            kind = ask.Kill if asked.path == _KILL else ask.FlagUpdate
            change = kind.model_validate(strict_json.parse(body))
            if actor.break_glass is not None:
                return False
            scope[UNDER_WAY].enter_context(state.quotas.asking(actor, operation))
        except (FlagConsoleError, ValidationError):
            return False
        act_for(actor.tenant_id)
        scope["route"] = _ROUTES[asked.method, asked.path]
        try:
            answer = _answer(await asked.done(state, actor, change))
        except FlagConsoleError as error:
            refused = error_response(error, scope["path"])
            answer = Answer(refused.status_code, refused.raw_headers, bytes(refused.body))
        await send_answer(answer, send)
        return True


def _asked(scope: Scope) -> _Asked | None:
    """The request, where its address and its headers are the plain case."""
    match = _PATH.fullmatch(scope["path"])
    path = None if match is None else _CALLS.get((scope["method"], match[2] is not None))
    if match is None or path is None or scope["query_string"]:
        return None
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _LOOKED_AT:
            if name in found:
                return None
            found[name] = value.decode("latin-1")
    secret = _SECRET.fullmatch(found.get(AUTHORIZATION, ""))
    key, version = found.get(_KEY), found.get(_MATCH)
    if secret is None or (key is not None and (len(key) > _LONGEST_KEY or not _IDEMPOTENCY_KEY.fullmatch(key))):
        return None
    if version is not None and (
        path == _KILL or not VERSION.fullmatch(version) or len(version) > change_routes.LONGEST_VERSION
    ):
        return None
    return _Asked(scope["method"], path, match[1], secret[1], key, version)


def _answer(result: ChangeResult) -> Answer:
    body = result.model_dump_json().encode()
    told = [(name.lower().encode(), value.encode()) for name, value in told_of(result).items()]
    return Answer(200, [(b"content-length", b"%d" % len(body)), JSON, *told], body)
