"""The reads that services poll, answered below routing: what is sent is there already, and only who asks is looked at.

Whatever isn't the plain case (no valid key, a body, a query, a header twice, a position that isn't reached, a quota that is used up)
is left to the routes, so that there is one place where a request is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, Final

from prometheus_client import Counter
from starlette.types import Scope, Send

from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.role import Actor
from flagconsole.operations.keys import key_hash
from flagconsole.operations.service import tenant_of_actor
from flagconsole.server.known_keys import KnownKey, KnownKeys
from flagconsole.server.representation import Answer
from flagconsole.server.state import ServerState, parse_position
from flagconsole.server.unleash_client import UnleashClient
from flagconsole.server.unleash_feed import position_of

_AUTHORIZATION, _API_KEY, _POSITION = b"authorization", b"x-api-key", b"x-flagconsole-position"
_TAG, _ENCODING = b"if-none-match", b"accept-encoding"
_BODY: Final = frozenset({b"content-length", b"transfer-encoding"})
_UNLEASH: Final = (b"unleash-appname", b"unleash-instanceid", b"unleash-connection-id", b"unleash-sdk")
#: The headers that these routes look at. One that is there twice is the routes' business.
_LOOKED_AT: Final = frozenset({_AUTHORIZATION, _API_KEY, _POSITION, _TAG, _ENCODING, *_BODY, *_UNLEASH})
#: What all ways of reading a key take for the same.
_SECRET: Final = re.compile(r"[\x21-\x7e]{1,200}")
_EPOCH_REVISION: Final = re.compile(r"([0-9A-Za-z-]{1,64}):([0-9]{1,18})")
_TENANT: Final = re.compile(rb"tenant_id=([0-9A-Za-z._-]{1,128})")
_LONGEST_TAG: Final = 300
_FEATURES: Final = "/api/client/features"
_JSON: Final = (b"content-type", b"application/json")

Found = dict[bytes, str]
Read = Callable[[Scope, Found, KnownKey], Coroutine[Any, Any, Answer | None]]


class HotReads:
    """The answers of one environment."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._keys = KnownKeys(state.operations.store)
        self._reads: dict[str, Read] = {
            "/api/snapshot": self._snapshot,
            "/api/flags": self._flags,
            _FEATURES: self._features,
        }
        self._most_header = state.quotas.bounds.header_bytes
        self._counted: dict[tuple[str, int], Counter] = {}

    async def answered(self, scope: Scope, send: Send) -> bool:
        """Whether the request was answered. Where it wasn't, nothing was sent and nothing counted."""
        path = scope["path"]
        read = self._reads.get(path)
        if read is None or scope["method"] != "GET":
            return False
        found = _headers_of(scope, self._most_header)
        if found is None:
            return False
        try:
            known = await self._known(found, bare=path == _FEATURES)
            return known is not None and await self._answer(read(scope, found, known), known.actor, path, send)
        except FlagConsoleError:
            return False  # the routes say it

    async def _answer(self, work: Coroutine[Any, Any, Answer | None], actor: Actor, route: str, send: Send) -> bool:
        """Send what ``work`` makes, within the key's quota."""
        quotas, answer = self._state.quotas, None
        if not quotas.begin(actor):
            work.close()
            return False
        try:
            answer = await work
            if answer is not None:
                await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
                self._count(route, answer.status)
                await send({"type": "http.response.body", "body": answer.body})
        finally:
            quotas.end(actor, answered=answer is not None)
        return answer is not None

    def _count(self, route: str, status: int) -> None:
        counter = self._counted.get((route, status))
        if counter is None:
            counter = self._counted[route, status] = self._state.meters.requests.labels(route, str(status))
        counter.inc()

    async def _known(self, found: Found, *, bare: bool) -> KnownKey | None:
        """Who asks; None for everybody whom the routes must look at."""
        sent = found.get(_AUTHORIZATION)
        if sent is None:
            secret = found.get(_API_KEY) if bare else None
        elif sent.startswith("Bearer "):
            secret = sent[7:]
        else:
            secret = sent if bare else None
        if secret is None or _SECRET.fullmatch(secret) is None:
            return None
        return await self._keys.of(key_hash(secret))

    def _is_behind(self, found: Found) -> bool:
        """Whether the client may have seen a later position than this server has."""
        position = found.get(_POSITION)
        if position is None:
            return False
        match, have = _EPOCH_REVISION.fullmatch(position), self._state.projection.ruleset
        if match is None:
            return True
        epoch = match[1]
        return not (epoch < have.epoch or (epoch == have.epoch and int(match[2]) <= have.revision))

    async def _snapshot(self, scope: Scope, found: Found, known: KnownKey) -> Answer | None:
        if scope["query_string"] or self._is_behind(found):
            return None
        made = self._state.prepared.snapshot(known.actor.tenant_id)
        return await made.answer(found.get(_TAG), found.get(_ENCODING))

    async def _flags(self, scope: Scope, found: Found, known: KnownKey) -> Answer | None:
        query, tenant = scope["query_string"], None
        if query:
            match = _TENANT.fullmatch(query)
            if match is None:
                return None
            tenant = match[1].decode()
        if self._is_behind(found):
            return None
        actor = known.actor
        body = self._state.flag_lists.body(actor, tenant_of_actor(actor, tenant), self._keys.now(known))
        return Answer(200, [(b"content-length", b"%d" % len(body)), _JSON], body)

    async def _features(self, scope: Scope, found: Found, known: KnownKey) -> Answer | None:
        state, tenant, tag = self._state, known.actor.tenant_id, found.get(_TAG)
        shown = None if tag is None else position_of(tag, tenant)
        holds = None if shown is None else parse_position(shown)
        ruleset = state.projection.ruleset
        if holds is not None and holds > (ruleset.epoch, ruleset.revision):
            return None
        state.book.asked(*_asker(tenant, *map(found.get, _UNLEASH)), self._keys.now(known), holds)
        return await state.prepared.features(tenant).answer(tag, found.get(_ENCODING))


@lru_cache(4_096)
def _asker(
    tenant: str | None, app: str | None, instance: str | None, connection: str | None, sdk: str | None
) -> UnleashClient:
    return UnleashClient.of(app, instance, connection, sdk).under(tenant)


def _headers_of(scope: Scope, most: int) -> Found | None:
    """What the request says that these routes look at; None where it isn't the plain case."""
    found: Found = {}
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name in _LOOKED_AT:
            if name in found:
                return None
            found[name] = value.decode("latin-1")
    if size > most or not _BODY.isdisjoint(found) or len(found.get(_TAG, "")) > _LONGEST_TAG:
        return None
    return found
