"""OFREP's evaluations without what only other routes need: as in ``hot_reads``, but where bodies have been read within their bounds."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.evaluation import Ruleset
from flagconsole.server import ofrep_routes
from flagconsole.server.hot_request import JSON, TAG, Found, headers_of, key_of, sent_within_quota
from flagconsole.server.known_keys import KnownKey
from flagconsole.server.limits import replaying
from flagconsole.server.ofrep_answer import EVALUATE, encoded
from flagconsole.server.ofrep_evaluation import all_evaluated, context_of, evaluated, tenant_meant
from flagconsole.server.representation import Answer
from flagconsole.server.state import ServerState

#: Bytes of answers for all flags that are kept until the next revision. A page that is opened again asks for the same.
MOST_BYTES: Final = 16 * 1024 * 1024
#: By whose paths requests are counted.
_ROUTES: Final = {route.path: route for route in ofrep_routes.router.routes}  # type: ignore[attr-defined]
_ALL, _ONE = _ROUTES[EVALUATE], _ROUTES[f"{EVALUATE}/{{key:any_text}}"]


class HotEvaluation:
    """ASGI middleware, behind those that bound and count."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ruleset: Ruleset | None = None
        self._made: dict[tuple[str, bytes], tuple[bytes, str]] = {}
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(EVALUATE):
            body: bytes = (await receive()).get("body", b"")
            if await self._answered(scope, body, send):
                return
            receive = replaying(body, receive)
        await self._app(scope, receive, send)

    async def _answered(self, scope: Scope, body: bytes, send: Send) -> bool:
        """Whether the request was answered. Where it wasn't, nothing was sent and nothing counted."""
        path: str = scope["path"]
        key = path[len(EVALUATE) + 1 :]
        state: ServerState = scope["app"].state.server
        found = headers_of(scope, state.quotas.bounds.header_bytes)
        if scope["query_string"] or found is None or (key == "") is not (path == EVALUATE):
            return False
        hashed = key_of(found, protocol=True)
        if hashed is None:
            return False
        try:
            known = await state.known_keys.of(hashed)
        except FlagConsoleError:
            return False
        if known is None:
            return False
        scope["route"] = _ONE if key else _ALL
        work = self._one(state, known, key, body) if key else self._all(state, known, found, body)
        return await sent_within_quota(state, known.actor, work, send) is not None

    async def _one(self, state: ServerState, known: KnownKey, key: str, body: bytes) -> Answer | None:
        ruleset, tenant = state.projection.ruleset, tenant_meant(known.actor, context_of(body))
        if key not in ruleset.rules:
            return None
        found = evaluated(ruleset, key, tenant, state.known_keys.now(known).timestamp())
        return None if found is None else _answer(encoded(found))

    async def _all(self, state: ServerState, known: KnownKey, found: Found, body: bytes) -> Answer:
        made, etag = self._answers(state, known, body)
        shown = found.get(TAG)
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if shown is not None and etag in {tag.strip().removeprefix("W/") for tag in shown.split(",")}:
            return Answer.of(304, headers)
        return Answer.of(200, headers, made)

    def _answers(self, state: ServerState, known: KnownKey, body: bytes) -> tuple[bytes, str]:
        """The answers for all flags, and their tag: for the same question with the same key the same, until something changes."""
        ruleset, now = state.projection.ruleset, state.known_keys.now(known).timestamp()
        if ruleset is not self._ruleset:
            self._ruleset = ruleset
            self._forget()
        lasts = now < ruleset.next_expiry
        made = self._made.get((known.hashed, body)) if lasts else None
        if made is None:
            context = context_of(body)
            made = all_evaluated(ruleset, context, tenant_meant(known.actor, context), now, known.hashed)
            if lasts:
                self._keep(known.hashed, body, made)
        return made

    def _keep(self, hashed: str, body: bytes, made: tuple[bytes, str]) -> None:
        self._bytes += len(body) + len(made[0])
        if self._bytes > MOST_BYTES:
            self._forget()
        self._made[hashed, body] = made

    def _forget(self) -> None:
        self._made.clear()
        self._bytes = 0


def _answer(body: bytes) -> Answer:
    return Answer(200, [(b"content-length", b"%d" % len(body)), JSON], body)
