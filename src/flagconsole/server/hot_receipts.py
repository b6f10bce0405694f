"""Receipts without what only other routes need, as in ``hot_reads``: after each change every instance sends one at the same time."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.instance import ReceiptBatch, id_under
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.server import strict_json
from flagconsole.server.hot_request import JSON, headers_of, key_of, sent_within_quota
from flagconsole.server.known_keys import KnownKey
from flagconsole.server.limits import replaying
from flagconsole.server.representation import Answer
from flagconsole.server.state import ServerState

#: Bytes of a report that is taken here. One for a single revision has about 250; who catches up sends hundreds of revisions.
MOST_BYTES: Final = 16 * 1024
_ROUTE: Final = "/api/instances/{instance_id}/receipt"
_PATH: Final = re.compile(r"/api/instances/([\x21-\x2e\x30-\x7e]{1,200})/receipt")
#: The headers that say what the body is.
_BODY: Final = frozenset({b"content-length", b"content-type", b"transfer-encoding"})
_LENGTH: Final = re.compile(rb"[0-9]{1,6}")


class HotReceipts:
    """The receipts that one environment takes."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._counter: Counter = state.meters.requests.labels(_ROUTE, "200")
        self._made: tuple[Ruleset, Answer] | None = None

    async def left(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """None where the request was answered. Else what its body is to be read from: nothing was sent and nothing counted."""
        path = _PATH.fullmatch(scope["path"])
        if path is None or scope["query_string"] or not _is_small_json(scope):
            return receive
        bounds = self._state.quotas.bounds
        found = headers_of(scope, bounds.header_bytes)
        hashed = None if found is None else key_of(found, protocol=False)
        if hashed is None:
            return receive
        try:
            known = await self._state.known_keys.of(hashed)
            if known is None:
                return receive
            authorize(known.actor, Operation.REPORT)
            if _is_complete(receive):
                message = await receive()
            else:
                async with asyncio.timeout(bounds.body_seconds):
                    message = await receive()
        except (FlagConsoleError, TimeoutError):
            return receive
        if message["type"] != "http.request" or message.get("more_body", False):
            return _again(message, receive)
        body: bytes = message.get("body", b"")
        if await sent_within_quota(self._state, known.actor, self._answer(known, path[1], body), send) is None:
            return replaying(body, receive)
        self._counter.inc()
        return None

    async def _answer(self, known: KnownKey, instance_id: str, body: bytes) -> Answer | None:
        try:
            batch = ReceiptBatch.model_validate(strict_json.parse(body))
        except (FlagConsoleError, ValidationError):
            return None
        ruleset = self._state.projection.ruleset
        if batch.receipts:
            newest = max(receipt.revision for receipt in batch.receipts)
            if batch.epoch != ruleset.epoch or newest > ruleset.revision:
                return None
        instance = id_under(instance_id, known.actor.tenant_id)
        self._state.book.report(instance, batch, self._state.known_keys.now(known))
        if self._made is None or self._made[0] is not ruleset:
            self._made = ruleset, _position_of(ruleset)
        return self._made[1]


def _is_small_json(scope: Scope) -> bool:
    sent: Mapping[bytes, bytes] = {name: value for name, value in scope["headers"] if name in _BODY}
    length = sent.get(b"content-length", b"")
    return (
        b"transfer-encoding" not in sent
        and sent.get(b"content-type") == b"application/json"
        and _LENGTH.fullmatch(length) is not None
        and int(length) <= MOST_BYTES
    )


def _is_complete(receive: Receive) -> bool:
    """Whether the body is known to be there, as it is where it was sent with the header: then no time need be kept."""
    return getattr(getattr(receive, "__self__", None), "more_body", True) is False


def _position_of(ruleset: Ruleset) -> Answer:
    """Where the store is."""
    body = json.dumps(
        {"epoch": ruleset.epoch, "revision": ruleset.revision}, separators=(",", ":"), ensure_ascii=False
    ).encode()
    return Answer(200, [(b"content-length", b"%d" % len(body)), JSON], body)


def _again(first: object, receive: Receive) -> Receive:
    """A ``receive`` that begins with a message that was taken from it already."""
    waiting = [first]

    async def again() -> object:
        return waiting.pop() if waiting else await receive()

    return again  # type: ignore[return-value]
