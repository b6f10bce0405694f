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

from flagconsole.operations.service import tenant_of_actor
from flagconsole.server.hot_request import (
    BODY,
    ENCODING,
    JSON,
    POSITION,
    TAG,
    UNLEASH,
    Found,
    headers_of,
    key_of,
    sent_within_quota,
)
from flagconsole.server.known_keys import KnownKey
from flagconsole.server.representation import Answer
from flagconsole.server.state import ServerState, parse_position
from flagconsole.server.unleash_client import UnleashClient
from flagconsole.server.unleash_feed import position_of

_EPOCH_REVISION: Final = re.compile(r"([0-9A-Za-z-]{1,64}):([0-9]{1,18})")
_TENANT: Final = re.compile(rb"tenant_id=([0-9A-Za-z._-]{1,128})")
_FEATURES: Final = "/api/client/features"

Read = Callable[[Scope, Found, KnownKey], Coroutine[Any, Any, Answer | None]]


class HotReads:
    """The answers of one environment."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._reads: dict[str, Read] = {
            "/api/snapshot": self._snapshot,
            "/api/flags": self._flags,
            _FEATURES: self._features,
        }
        self._counted: dict[tuple[str, int], Counter] = {}

    async def answered(self, scope: Scope, send: Send) -> bool:
        """Whether the request was answered. Where it wasn't, nothing was sent and nothing counted."""
        path = scope["path"]
        read = self._reads.get(path)
        if read is None or scope["method"] != "GET":
            return False
        found = headers_of(scope, self._state.quotas.bounds.header_bytes)
        if found is None or not BODY.isdisjoint(found):
            return False
        hashed = key_of(found, protocol=path == _FEATURES)
        known = None if hashed is None else await self._state.known_keys.of(hashed)
        if known is None:
            return False
        answer = await sent_within_quota(self._state, known.actor, read(scope, found, known), send)
        if answer is None:
            return False
        self._count(path, answer.status)
        return True

    def _count(self, route: str, status: int) -> None:
        counter = self._counted.get((route, status))
        if counter is None:
            counter = self._counted[route, status] = self._state.meters.requests.labels(route, str(status))
        counter.inc()

    def _is_behind(self, found: Found) -> bool:
        """Whether the client may have seen a later position than this server has."""
        position = found.get(POSITION)
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
        return await made.answer(found.get(TAG), found.get(ENCODING))

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
        body = self._state.flag_lists.body(actor, tenant_of_actor(actor, tenant), self._state.known_keys.now(known))
        return Answer(200, [(b"content-length", b"%d" % len(body)), JSON], body)

    async def _features(self, scope: Scope, found: Found, known: KnownKey) -> Answer | None:
        state, tenant, tag = self._state, known.actor.tenant_id, found.get(TAG)
        shown = None if tag is None else position_of(tag, tenant)
        holds = None if shown is None else parse_position(shown)
        ruleset = state.projection.ruleset
        if holds is not None and holds > (ruleset.epoch, ruleset.revision):
            return None
        state.book.asked(*_asker(tenant, *map(found.get, UNLEASH)), state.known_keys.now(known), holds)
        return await state.prepared.features(tenant).answer(tag, found.get(ENCODING))


@lru_cache(4_096)
def _asker(
    tenant: str | None, app: str | None, instance: str | None, connection: str | None, sdk: str | None
) -> UnleashClient:
    return UnleashClient.of(app, instance, connection, sdk).under(tenant)
