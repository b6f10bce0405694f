"""What a server answered, read without trusting it: bounded bodies, and problems turned back into our errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from flagconsole.domain.errors import BY_CODE, FlagConsoleError, UnexpectedAnswer
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    import httpx

#: A listing of a hundred thousand flags has some 75 MB.
MAX_BODY: Final = 256 * 1024 * 1024
MAX_PROBLEM: Final = 256 * 1024
_MAX_DETAILS: Final = 50


class AnswerTooLarge(Exception):
    """A body that goes on past the limit."""


async def read_body(response: httpx.Response, limit: int = MAX_BODY) -> bytes:
    """The whole body of a streamed response. Raises ``AnswerTooLarge`` past ``limit`` bytes, httpx's errors otherwise."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > limit:
            raise AnswerTooLarge(f"the answer is larger than {limit // 1024} KiB")
        parts.append(part)
    return b"".join(parts)


def error_of(url: str, status: int, body: bytes) -> FlagConsoleError:
    """The error that an answer with a status of 300 or more stands for.

    A problem of ours becomes the error with its message, hint and details; all text in it is made safe for a terminal.
    Anything else becomes ``UnexpectedAnswer``.
    """
    problem = _problem(body)
    code = problem.get("code")
    kind = BY_CODE.get(code) if isinstance(code, str) else None
    message = problem.get("detail")
    if kind is None or not isinstance(message, str):
        said = f", {safe_text(message, 300)}" if isinstance(message, str) else ""
        return UnexpectedAnswer(url=safe_text(url, 200), problem=f"HTTP status {status}{said}", http_status=status)
    details = problem.get("details")
    error = kind.__new__(kind)
    error.hint = safe_text(problem.get("hint") or "")
    error.details = _safe(details) if isinstance(details, dict) else {}
    error.message = safe_text(message)
    Exception.__init__(error, error.message)
    return error


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body) if len(body) <= MAX_PROBLEM else None
    except (ValueError, RecursionError):
        problem = None
    return problem if isinstance(problem, dict) else {}


def _safe(details: dict[str, Any]) -> dict[str, Any]:
    """Details as they may be shown: plain values only, texts made safe."""
    return {
        safe_text(name, 100): value if isinstance(value, int | float | None) else safe_text(value)
        for name, value in list(details.items())[:_MAX_DETAILS]
    }
