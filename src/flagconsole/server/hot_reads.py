"""The reads that services poll, answered below routing: what is sent is there already, and only who asks is looked at.

Whatever isn't the plain case (no valid key, a body where there should be none, a query, a header twice, a position that isn't reached, a quota that is used up)
is left to the routes, so that there is one place where a request is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from prometheus_client import Counter
from starlette.types import Scope, Send

from flagconsole.domain.errors import FlagConsoleError
from flagconsole.operations.service import tenant_of_actor
from flagconsole.server.evaluations import Evaluated
from flagconsole.server.flag_list import Listed
from flagconsole.server.hot_request import (
    ENCODING,
    FEATURES,
    FLAGS,
    POSITION,
    SNAPSHOT,
    TAG,
    UNLEASH,
    Found,
    HotRequest,
    hot_request,
    sent_within_quota,
)
from flagconsole.server.known_keys import KnownKey
from flagconsole.server.ofrep_answer import EVALUATE, EVALUATE_ONE
from flagconsole.server.representation import Answer, Headers, Representation
from flagconsole.server.state import ServerState, parse_position
from flagconsole.server.unleash_client import UnleashClient
from flagconsole.server.unleash_feed import position_of

_EPOCH_REVISION: Final = re.compile(r"([0-9A-Za-z-]{1,64}):([0-9]{1,18})")
_TENANT: Final = re.compile(rb"tenant_id=([0-9A-Za-z._-]{1,128})")

Read = Callable[[HotRequest, KnownKey, bytes], Representation | Listed | Evaluated | None]


class HotReads:
    """The answers of one environment."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._reads: dict[str, Read] = {
            SNAPSHOT: self._snapshot,
            FLAGS: self._flags,
            FEATURES: self._features,
            EVALUATE: self._evaluated,
            EVALUATE_ONE: self._evaluated,
        }
        self._counted: dict[tuple[str, int], Counter] = {}

    async def answered(self, scope: Scope, send: Send) -> bool:
        """Whether the request, one without a body, was answered. Where it wasn't, nothing was sent and nothing counted."""
        asked = hot_request(scope, self._state.quotas.bounds.header_bytes)
        known = None if asked is None else await self._state.known_keys.of(asked.hashed)
        if asked is None or known is None:
            return False
        answer = await sent_within_quota(self._state, known.actor, self._made(asked, known), send)
        if answer is None:
            return False
        self._count(asked.route, answer.status)
        return True

    def knows(self, asked: HotRequest) -> bool:
        """Whether it is known by now that its key is valid."""
        return self._state.known_keys.held(asked.hashed) is not None

    def at_once(self, asked: HotRequest, body: bytes, first: Headers) -> tuple[bytes, ...] | None:
        """The bytes of the answer to the request with this body, with the headers ``first`` before its own. None, and nothing is counted, where something has to be
        waited for or it isn't the plain case."""
        state = self._state
        try:
            known = state.known_keys.held(asked.hashed)
        except FlagConsoleError:
            return None
        if known is None or not state.quotas.take(known.actor):
            return None
        answer = None
        try:
            read = self._reads[asked.route](asked, known, body)
            answer = None if read is None else read.ready(asked.found.get(TAG), asked.found.get(ENCODING))
        except FlagConsoleError:
            pass  # the routes say it
        finally:
            if answer is None:
                state.quotas.give_back(known.actor)
        if answer is None:
            return None
        self._count(asked.route, answer.status)
        return answer.wire(first)

    async def _made(self, asked: HotRequest, known: KnownKey) -> Answer | None:
        read = self._reads[asked.route](asked, known, b"")
        return None if read is None else await read.answer(asked.found.get(TAG), asked.found.get(ENCODING))

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

    def _snapshot(self, asked: HotRequest, known: KnownKey, _: bytes) -> Representation | None:
        if asked.query or self._is_behind(asked.found):
            return None
        return self._state.prepared.snapshot(known.actor.tenant_id)

    def _flags(self, asked: HotRequest, known: KnownKey, _: bytes) -> Listed | None:
        tenant = None
        if asked.query:
            match = _TENANT.fullmatch(asked.query)
            if match is None:
                return None
            tenant = match[1].decode()
        if self._is_behind(asked.found):
            return None
        actor = known.actor
        return self._state.flag_lists.listed(actor, tenant_of_actor(actor, tenant), self._state.known_keys.now(known))

    def _features(self, asked: HotRequest, known: KnownKey, _: bytes) -> Representation | None:
        state, tenant, tag = self._state, known.actor.tenant_id, asked.found.get(TAG)
        shown = None if tag is None else position_of(tag, tenant)
        holds = None if shown is None else parse_position(shown)
        ruleset = state.projection.ruleset
        if holds is not None and holds > (ruleset.epoch, ruleset.revision):
            return None
        state.book.asked(*_asker(tenant, *map(asked.found.get, UNLEASH)), state.known_keys.now(known), holds)
        return state.prepared.features(tenant)

    def _evaluated(self, asked: HotRequest, known: KnownKey, body: bytes) -> Evaluated | None:
        now = self._state.known_keys.now(known).timestamp()
        return self._state.evaluations.answered(known, asked.flag, body, now)


@lru_cache(4_096)
def _asker(
    tenant: str | None, app: str | None, instance: str | None, connection: str | None, sdk: str | None
) -> UnleashClient:
    return UnleashClient.of(app, instance, connection, sdk).under(tenant)
