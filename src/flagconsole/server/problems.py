"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from flagconsole.domain.errors import (
    FlagConsoleError,
    InvalidInput,
    MalformedBody,
    MethodNotAllowed,
    RouteNotFound,
)
from flagconsole.domain.text import safe_text
from flagconsole.domain.views import Problem
from flagconsole.server.ofrep_answer import refusal

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


#: What headers look like, for people who can't be asked to read a pattern.
_SHAPES = {
    "if-match": 'must be the version from the flag\'s ETag, such as "3"',
    "x-flagconsole-position": "must be epoch:revision",
}


def problem_of(error: FlagConsoleError) -> Problem:
    """The error as its HTTP body."""
    return Problem(
        type=f"urn:flagconsole:problem:{error.code}",
        title=error.code.replace("_", " ").lower(),
        status=error.status,
        code=error.code,
        detail=error.message,
        hint=error.hint,
        details={name: value if isinstance(value, int | bool) else str(value) for name, value in error.details.items()},
    )


def error_response(error: FlagConsoleError, path: str) -> Response:
    """The error as those read it who ask at ``path``: OFREP's clients have their own form."""
    return refusal(error, path) or problem_response(error)


def problem_response(error: FlagConsoleError) -> Response:
    """The error as an HTTP response."""
    body = problem_of(error).model_dump_json().encode("utf-8", "replace")
    response = Response(body, error.status, media_type=MEDIA_TYPE)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.status in {429, 503}:
        response.headers["Retry-After"] = str(error.details.get("retry_after", 1))
    return response


def install(app: FastAPI) -> None:
    """Make every error that leaves a route a problem."""

    @app.exception_handler(FlagConsoleError)
    async def known(request: Request, error: FlagConsoleError) -> Response:
        return error_response(error, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return error_response(_invalid_input(error), request.url.path)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        cause = error.__cause__
        if isinstance(cause, FlagConsoleError):
            return error_response(cause, request.url.path)
        path = safe_text(request.url.path, 200)
        if error.status_code == 404:
            return problem_response(RouteNotFound(path=path))
        if error.status_code == 405:
            response = problem_response(MethodNotAllowed(method=safe_text(request.method, 20), path=path))
            response.headers["Allow"] = _allowed(request)
            return response
        return error_response(MalformedBody(problem=safe_text(error.detail, 200)), request.url.path)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("unexpected error at %s", safe_text(request.url.path, 200), exc_info=error)
        return problem_response(FlagConsoleError("The server's log has the details."))


def _allowed(request: Request) -> str:
    """The methods of all routes at this path; the router itself would name only the first route's."""
    methods: set[str] = set()
    for route in request.app.state.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods.update(getattr(route, "methods", None) or ())
    return ", ".join(sorted(methods))


def _invalid_input(error: RequestValidationError) -> InvalidInput:
    """The first thing that is wrong, by field; the others follow in the hint."""
    problems = [_describe(item) for item in error.errors()]
    field, problem, value = problems[0]
    others = "; ".join(f"{name}: {text}" for name, text, _ in problems[1:5])
    return InvalidInput(f"Also {others}." if others else "", field=field, problem=problem, value=value)


def _describe(item: dict[str, Any]) -> tuple[str, str, str]:
    where = [str(part) for part in item.get("loc", ()) if part not in ("body", "query", "path", "header")]
    field = safe_text(".".join(where) or "body", 200)
    message = str(item.get("msg", "is not valid")).removeprefix("Value error, ")
    if item.get("type") == "string_pattern_mismatch":
        message = _SHAPES.get(field, message)
    value = "nothing" if item.get("type") == "missing" else item.get("input")
    shown = value if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return field, safe_text(message[:1].lower() + message[1:], 300), safe_text(shown, 100)
