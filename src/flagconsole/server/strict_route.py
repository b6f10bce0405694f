"""A route class that reads bodies with ``strict_json`` and documents the errors that every route may answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.routing import APIRoute

from flagconsole.domain.flag import Frozen
from flagconsole.domain.views import Problem
from flagconsole.server import strict_json
from flagconsole.server.problems import MEDIA_TYPE


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        return strict_json.parse(await self.body())


class StrictRoute(APIRoute):
    """An API route with strict bodies."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        _build_bodies(endpoint)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


def _build_bodies(endpoint: Callable[..., Any]) -> None:
    """Build the models of the bodies now: FastAPI's own adapter would build them at the first request, and warn."""
    for kind in get_type_hints(endpoint).values():
        if isinstance(kind, type) and issubclass(kind, Frozen) and kind.model_config.get("defer_build"):
            kind.model_rebuild()
            kind.model_config["defer_build"] = False


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of these error statuses; those of authentication and validation are always there."""
    names = {
        400: "Malformed request",
        401: "No valid key, or no tenant",
        403: "The key may not do this",
        404: "No such thing",
        409: "Refused in the present state",
        412: "The flag moved meanwhile",
        413: "Too large",
        415: "Not JSON",
        422: "A field is not valid",
        428: "The version is required",
        429: "The key asks for too much: Retry-After says when to ask again",
        503: "Behind, or not available",
    }
    return {
        status: {
            "description": names[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
        }
        for status in sorted({400, 401, 403, 422, 429, 503, *statuses})
    }
