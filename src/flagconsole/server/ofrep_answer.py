"""Answers of the OFREP routes, as OFREP's clients read them."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from flagconsole.domain.errors import FlagConsoleError, MalformedBody
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.ofrep import ErrorCode, failure
from flagconsole.domain.text import safe_text

PREFIX: Final = "/ofrep/v1/"
EVALUATE: Final = f"{PREFIX}evaluate/flags"
#: The path of the route for one flag.
EVALUATE_ONE: Final = f"{EVALUATE}/{{key:any_text}}"
STREAM: Final = f"{PREFIX}stream"
#: How long a page that nobody looks at keeps its stream, seconds.
INACTIVITY_SECONDS: Final = 120


def encoded(body: dict[str, Any]) -> bytes:
    """A body as it is sent."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def answer(body: dict[str, Any], status: int = 200) -> Response:
    """A body as a response."""
    return Response(encoded(body), status, media_type="application/json")


def refused(key: str | None, code: ErrorCode, details: str) -> Response:
    """An evaluation that can't be done as it was asked for; clients rely on the details being there."""
    return answer(failure(key, code, details), 404 if code is ErrorCode.FLAG_NOT_FOUND else 400)


def is_evaluation(path: str) -> bool:
    """Whether errors at this path are read by an OFREP client."""
    return path == EVALUATE or path.startswith(f"{EVALUATE}/")


def refusal(error: FlagConsoleError, path: str) -> Response | None:
    """What an OFREP client is told of an error that is about its request; None for all others, which are ours."""
    if not is_evaluation(path) or error.status not in (400, 422):
        return None
    code = ErrorCode.PARSE_ERROR if isinstance(error, MalformedBody) else ErrorCode.INVALID_CONTEXT
    key = path.removeprefix(EVALUATE).removeprefix("/")
    details = f"{error.message} {error.hint}".strip()
    return refused(safe_text(key, 200) if key else None, code, safe_text(details))


def etag_of(context: dict[str, Any], body: bytes) -> str:
    """The tag of a bulk answer: another context has another one, even where the answers are the same."""
    about = json.dumps(context, sort_keys=True, separators=(",", ":")).encode()
    return f'"{hashlib.sha256(about + bytes(1) + body).hexdigest()[:32]}"'


def event_stream(ticket: str) -> dict[str, Any]:
    """Where a client hears of changes. It knows the server by its own name for it, so only the path is said."""
    return {
        "type": "sse",
        "endpoint": {"requestUri": f"{STREAM}?ticket={quote(ticket, safe='')}"},
        "inactivityDelaySec": INACTIVITY_SECONDS,
    }


def refetch_frame(ruleset: Ruleset) -> bytes:
    """The event that says: evaluate anew, at this position or a later one."""
    position = f"{ruleset.epoch}:{ruleset.revision}"
    data = json.dumps({"type": "refetchEvaluation", "etag": position}, separators=(",", ":"))
    return f"id: {position}\ndata: {data}\n\n".encode()
