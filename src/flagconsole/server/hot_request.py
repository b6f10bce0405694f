"""A request as those read it who answer below routing: a few headers, and whose key it is. What isn't the plain case is none."""

from __future__ import annotations

import logging
import re
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple

from starlette.types import Scope, Send

from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.role import Actor
from flagconsole.operations.keys import key_hash
from flagconsole.server.joined_write import send_answer
from flagconsole.server.ofrep_answer import EVALUATE, EVALUATE_ONE
from flagconsole.server.representation import Answer
from flagconsole.server.state import ServerState

AUTHORIZATION, API_KEY, POSITION = b"authorization", b"x-api-key", b"x-flagconsole-position"
TAG, ENCODING = b"if-none-match", b"accept-encoding"
UNLEASH: Final = (b"unleash-appname", b"unleash-instanceid", b"unleash-connection-id", b"unleash-sdk")
LENGTH, TRANSFER, TYPE = b"content-length", b"transfer-encoding", b"content-type"
BODY: Final = frozenset({LENGTH, TRANSFER})
JSON: Final = (b"content-type", b"application/json")
#: The headers that these routes look at. One that is there twice is the routes' business.
_LOOKED_AT: Final = frozenset({AUTHORIZATION, API_KEY, POSITION, TAG, ENCODING, TYPE, *BODY, *UNLEASH})
_LONGEST_TAG: Final = 300
#: What all ways of reading a key take for the same.
_SECRET: Final = re.compile(r"[\x21-\x7e]{1,200}")
#: A body's length that is plain to see. Longer ones are read within the bounds of those who read bodies.
_SHORT: Final = re.compile(r"[1-9][0-9]{0,3}")

Found = dict[bytes, str]

SNAPSHOT, FLAGS, FEATURES = "/api/snapshot", "/api/flags", "/api/client/features"


class HotRequest(NamedTuple):
    """One of the reads that services poll, at ``route``, by the key with this hash. What it says is in ``found``, but for the key. Where it is an
    evaluation it has a body of ``length`` bytes, and asks for ``flag`` or for all."""

    route: str
    query: bytes
    found: Found
    hashed: str
    length: int = 0
    flag: str = ""


def hot_request(scope: Scope, most: int) -> HotRequest | None:
    """The request as such a read, where it is one and the plain case; its headers may have ``most`` bytes."""
    path: str = scope["path"]
    flag = evaluated_flag(scope)
    if flag is None and (path not in {SNAPSHOT, FLAGS, FEATURES} or scope["method"] != "GET"):
        return None
    found = headers_of(scope, most)
    length = None if found is None else _body_length(found, evaluation=flag is not None)
    if found is None or length is None:
        return None
    hashed = key_of(found, protocol=path == FEATURES or flag is not None)
    if hashed is None:
        return None
    said = {name: value for name, value in found.items() if name not in {AUTHORIZATION, API_KEY}}
    if flag is not None:
        return HotRequest(EVALUATE_ONE if flag else EVALUATE, b"", said, hashed, length, flag)
    return HotRequest(path, scope["query_string"], said, hashed)


def evaluated_flag(scope: Scope) -> str | None:
    """The flag that the request asks OFREP for, empty where it asks for all; None where it isn't plain to see that it does."""
    path: str = scope["path"]
    if scope["method"] != "POST" or scope["query_string"] or not path.startswith(EVALUATE):
        return None
    slash, flag = path[len(EVALUATE) :][:1], path[len(EVALUATE) + 1 :]
    return flag if (slash == "/") is (flag != "") and slash in {"", "/"} else None


def _body_length(found: Found, *, evaluation: bool) -> int | None:
    """Of how many bytes the body is: none in a read, a short one of JSON in an evaluation. None where it isn't so."""
    if not evaluation:
        return 0 if BODY.isdisjoint(found) else None
    if TRANSFER in found or _SHORT.fullmatch(found.get(LENGTH, "")) is None:
        return None
    media = found.get(TYPE, "").partition(";")[0].strip().lower()
    return int(found[LENGTH]) if media == "application/json" else None


log = logging.getLogger(__name__)


def headers_of(scope: Scope, most: int) -> Found | None:
    """What the request's headers say, which may have ``most`` bytes; None where it isn't the plain case."""
    found: Found = {}
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name in _LOOKED_AT:
            if name in found:
                return None
            found[name] = value.decode("latin-1")
    return None if size > most or len(found.get(TAG, "")) > _LONGEST_TAG else found


def key_of(found: Found, *, protocol: bool) -> str | None:
    """The hash of the key that came with the request; None where that isn't plain to see. Other protocols' clients also send it
    bare, or in a header of its own."""
    sent = found.get(AUTHORIZATION)
    if sent is None:
        secret = found.get(API_KEY) if protocol else None
    elif sent.startswith("Bearer "):
        secret = sent[7:]
    else:
        secret = sent if protocol else None
    return None if secret is None or _SECRET.fullmatch(secret) is None else key_hash(secret)


async def sent_within_quota(
    state: ServerState, actor: Actor, work: Coroutine[Any, Any, Answer | None], send: Send
) -> Answer | None:
    """Send what ``work`` makes, and return it. None where the key's quota is used up or ``work`` makes nothing: then nothing was sent,
    and the request isn't counted."""
    quotas, answer = state.quotas, None
    if not quotas.begin(actor):
        work.close()
        return None
    try:
        answer = await _made(work)
        if answer is not None:
            await send_answer(answer, send)
    finally:
        quotas.end(actor, answered=answer is not None)
    return answer


async def _made(work: Coroutine[Any, Any, Answer | None]) -> Answer | None:
    try:
        return await work
    except FlagConsoleError:
        return None  # the routes say it
    except Exception:  # nobody is refused for what only this way can't do
        log.exception("an answer could not be made below routing")
        return None
